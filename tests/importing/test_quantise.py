"""Post-training quantisation: scales of least square error, common lattices, and the same integers in training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from float_networks import images, neuron, residual_network, vector_network

from codegen.arithmetic.fold_batchnorm import fold_network
from codegen.errors import ImportingError
from codegen.importing.calibration import agreement
from codegen.importing.interpreter import run
from codegen.importing.quantise import quantise
from codegen.importing.rounding import round_channels, round_tensor, round_to_power
from codegen.importing.trainable import imported_config, trainable
from codegen.verify.reference import run_reference
from sca_train.config import TrainConfig
from sca_train.describe import describe
from sca_train.models import model_layers
from sca_train.network import Network, to_input


def error(weights: np.ndarray, scale: np.ndarray, bits: int) -> np.ndarray:
    largest = 2 ** (bits - 1) - 1
    rows = weights.reshape(len(weights), -1)
    return np.square(np.clip(np.rint(rows / scale[:, None]), -largest, largest) * scale[:, None] - rows).sum(1)


def trained(description, bits: int) -> Network:
    quantised = description
    config = imported_config(quantised.description, TrainConfig(name="x", dataset="arrays", weight_bits=bits))
    return trainable(quantised, config)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_no_other_scale_of_a_fine_search_rounds_better(bits: int) -> None:
    weights = np.random.default_rng(bits).standard_t(4, (5, 6, 3, 3))
    weights[3] = 0
    rounded = round_channels(weights, bits)
    assert np.abs(rounded.integers).max() <= 2 ** (bits - 1) - 1
    found = error(weights, rounded.scale, bits)
    reach = np.abs(weights.reshape(5, -1)).max(1)
    for share in np.linspace(0.1, 1.2, 400):
        other = error(weights, np.where(reach > 0, reach, 1) * share / (2 ** (bits - 1) - 1), bits)
        assert (found <= other * 1.05 + 1e-12).all()
    assert not rounded.integers[3].any() and np.isfinite(rounded.scale).all()


def test_one_scale_for_all_and_powers_of_two() -> None:
    weights = np.random.default_rng(0).normal(size=(4, 30))
    assert len(set(round_tensor(weights, 4).scale)) == 1
    scale = round_to_power(weights, 4, 0.25 / 9).scale
    assert len(set(scale)) == 1 and np.log2(scale[0] / (0.25 / 9)) == round(np.log2(scale[0] / (0.25 / 9)))


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("calibrated", [False, True])
def test_training_has_exactly_the_integers_of_the_quantisation(bits: int, calibrated: bool) -> None:
    found = quantise(residual_network(), bits, images(40) if calibrated else None)
    network = trained(found, bits)
    assert network.specs == model_layers(network.config), "config.toml alone builds the network again"
    for ours, theirs in zip(describe(network).layers, found.description.layers, strict=True):
        assert (ours.name, ours.neuron, ours.pool, ours.pool_kind) == (
            theirs.name,
            theirs.neuron,
            theirs.pool,
            theirs.pool_kind,
        )
        np.testing.assert_allclose(ours.norm_scale, theirs.norm_scale, rtol=1e-5)
        np.testing.assert_allclose(ours.norm_shift, theirs.norm_shift, atol=1e-5)
        for one, other in zip(ours.inputs, theirs.inputs, strict=True):
            assert (one.weights is None) == (other.weights is None)
            np.testing.assert_allclose(one.scale, other.scale, rtol=1e-5)
            if one.weights is not None:
                np.testing.assert_array_equal(one.weights, other.weights)
            if one.kind == "conv":
                assert (one.stride, one.sides, one.weight_bits) == (other.stride, other.sides, other.weight_bits)


def test_integers_decide_as_the_original_and_as_training() -> None:
    network, tests = residual_network(), images(100, seed=1)
    found = quantise(network, 8, images(100))
    made = trained(found, 8)
    integer = run_reference(fold_network(describe(made)), tests)
    with torch.no_grad():
        floats = made(to_input(torch.from_numpy(tests), torch.device("cpu"))).numpy()
    assert agreement(integer, run(network, tests)) >= 0.9
    assert agreement(integer, floats) >= 0.97


def test_training_mode_starts_near_what_evaluation_computes() -> None:
    """Batch norm has the statistics of the calibration, so those of a batch of the same images change little."""
    seen = images(200)
    made = trained(quantise(vector_network(), 8, seen), 8)
    x = to_input(torch.from_numpy(seen), torch.device("cpu"))
    with torch.no_grad():
        evaluated, training = made(x), made.train()(x)
    assert agreement(evaluated.numpy(), training.numpy()) >= 0.95


@pytest.mark.parametrize("scale", [1.0, 1 / 255, 3.7])
def test_the_input_scale_is_in_the_weights(scale: float) -> None:
    network = vector_network()
    first = network.layers[0]
    weights = first.inputs[0].weights / 255 / scale
    scaled = replace(
        network,
        input_scale=scale,
        layers=(replace(first, inputs=(replace(first.inputs[0], weights=weights),)), *network.layers[1:]),
    )
    tests = images(30)
    expected = run_reference(fold_network(quantise(network, 8).description), tests)
    np.testing.assert_array_equal(run_reference(fold_network(quantise(scaled, 8).description), tests), expected)


@pytest.mark.parametrize(("reset", "decay"), [("delayed", 0.875), ("delayed", 1.0), ("soft", 0.5), ("hard", 0.75)])
@pytest.mark.parametrize("compare", ["ge", "gt"])
def test_neurons_of_each_kind(reset: str, decay: float, compare: str) -> None:
    network = vector_network(neuron=neuron(reset=reset, decay=decay, compare=compare))
    found = quantise(network, 8)
    described = found.description.layers[0].neuron
    assert described is not None and described.compare == compare
    assert described.reset == ("soft" if decay == 1.0 else reset) and described.kind == (
        "IF" if decay == 1.0 else "LIF"
    )
    tests = images(100)
    made = trained(found, 8)
    assert agreement(run_reference(fold_network(describe(made)), tests), run(network, tests)) >= 0.95
    with torch.no_grad():
        floats = made(to_input(torch.from_numpy(tests), torch.device("cpu"))).numpy()
    assert agreement(floats, run(network, tests)) >= 0.95


def test_what_was_decided_is_told() -> None:
    notes = "; ".join(quantise(residual_network(), 4, images(20)).notes)
    assert "layer 'dead' is left out: nothing reads it" in notes
    assert (
        "the leak of line keeps 0.7 of V each step and becomes the nearest that a shift computes, 0.75 (+0.0500)"
        in notes
    )
    assert "weights have 4 bits, those of layer_0, which read the image, 8" in notes
    assert "calibrated on 20 images" in notes


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"neuron": neuron(decay=1.5)}, "layer 'fc1': its neurons keep 1.5 of V each step, not 0 to 1 of it"),
        ({"neuron": neuron(v_init=0.3)}, "layer 'fc1': its neurons start at 0.3 of their threshold"),
        ({"threshold": np.zeros(12)}, "layer 'fc1': not all of its thresholds are above 0"),
        ({"gain": np.full(12, np.nan)}, "layer 'fc1': its weights or constants hold NaN or infinity"),
    ],
)
def test_what_no_integer_network_can_be_is_refused(change: dict, sentence: str) -> None:
    with pytest.raises(ImportingError, match=sentence):
        quantise(vector_network(**change), 8)


@pytest.mark.parametrize(
    ("decay", "kind", "tau"),
    [(0.1, "LIF", 2.0), (0.7, "LIF", 4.0), (0.997, "LIF", 256.0), (0.999, "IF", 1.0), (1.0, "IF", 1.0)],
)
def test_a_leak_becomes_the_nearest_that_there_is(decay: float, kind: str, tau: float) -> None:
    found = quantise(vector_network(neuron=neuron(decay=decay)), 8)
    described = found.description.layers[0].neuron
    assert described is not None and (described.kind, described.tau) == (kind, tau)
    kept = 1 - 1 / tau if kind == "LIF" else 1.0
    stated = f"{kept:.6g} ({kept - decay:+.4f})"
    assert any(stated in note for note in found.notes) == (kept != decay), found.notes
