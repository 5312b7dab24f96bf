"""Integer bias and threshold against the float neuron as SpikingJelly defines it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from float_model import float_layers
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import random_description

from codegen.arithmetic import fold_batchnorm
from codegen.arithmetic.fold_batchnorm import fold_network
from codegen.arithmetic.ranges import Interval
from codegen.errors import ExportError
from codegen.neurons import NO_NEURON, folded_neuron
from codegen.verify.reference import run_layers
from sca_train.description import NeuronDescription

IMAGES = 20


def _images(description, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (IMAGES, *description.input_shape)).astype(np.uint8)


KINDS = [
    ("IF", "hard"),
    ("IF", "soft"),
    ("LIF", "hard"),
    ("LIF", "soft"),
    ("LIF", "delayed"),
    ("IF", "delayed"),
    ("LateIF", "soft"),
]


@pytest.mark.parametrize("gammas", ["positive", "mixed", "zeros"])
@pytest.mark.parametrize("v_init", [0.0, 0.5])
@pytest.mark.parametrize("compare", ["ge", "gt"])
@pytest.mark.parametrize(("kind", "reset"), KINDS)
def test_spikes_are_those_of_the_float_neuron(kind, reset, compare, v_init, gammas):
    options = {"kind": kind, "reset": reset, "compare": compare, "v_init": v_init, "gammas": gammas}
    description = random_description(11, timesteps=6, fully_connected=True, input_shape=(6, 6, 1), **options)
    images = _images(description)
    frac_bits = 6
    trains = run_layers(fold_network(description, frac_bits), images)[1]
    first = float_layers(description, images, trains)[0][0]
    expected, margins = first.spikes, first.margins
    spikes = trains[0].astype(bool)
    # Rounding moves the potential by at most a few units in the last place per step; closer calls may differ.
    layer = description.layers[0]
    unit = np.abs(layer.norm_scale * layer.inputs[0].scale * description.input_scale) / 2**frac_bits
    constant_unit = np.maximum(np.abs(layer.norm_shift), 2.0) / 2**8 / 2**frac_bits
    unit = np.where(unit > 0, unit, constant_unit)
    clear = (margins > 4 * description.timesteps * unit).all(axis=0)
    assert clear.mean() > 0.9
    assert 0.05 < expected.mean() < 0.95
    np.testing.assert_array_equal(spikes[:, clear], expected[:, clear])


def test_channels_without_gain_are_constant():
    description = random_description(2, gammas="zeros", fully_connected=True)
    layer = fold_network(description).layers[0]
    assert not layer.inputs[0].weights[::3].any()
    assert layer.inputs[0].weights[1::3].any()


def test_a_channel_with_negligible_gain_is_constant():
    description = random_description(2, gammas="positive", fully_connected=True)
    first = description.layers[0]
    gain = first.norm_scale.copy()
    gain[0], gain[1] = 1e-12, 1e-12
    shift = first.norm_shift.copy()
    shift[0], shift[1] = 0.7, 0.0
    first = replace(first, norm_scale=gain, norm_shift=shift)
    folded = fold_network(replace(description, layers=(first, *description.layers[1:]))).layers[0]
    assert not folded.inputs[0].weights[0].any()
    assert (folded.bias[0], folded.threshold[0]) == (0, 0), "a current of 0.7 passes the threshold of 0.5 at every step"
    assert (folded.bias[1], folded.threshold[1]) == (0, 1), "a current of about 0 never does"
    assert not folded.inputs[0].weights[:2].any()


def _rhythms(description, currents):
    """Spikes [T, 3] of the first channels, given constant currents (the last one all but constant)."""
    first = description.layers[0]
    gain, shift = first.norm_scale.copy(), first.norm_shift.copy()
    gain[:3], shift[:3] = [0.0, 0.0, 1e-12], currents
    description = replace(
        description, layers=(replace(first, norm_scale=gain, norm_shift=shift), *description.layers[1:])
    )
    return run_layers(fold_network(description), _images(description))[1][0][:, 0, :3]


def test_a_constant_channel_keeps_its_rhythm():
    description = random_description(2, gammas="positive", fully_connected=True, timesteps=8)
    spikes = _rhythms(description, [0.3, 0.13, 0.3])
    np.testing.assert_array_equal(spikes[:, 0], [0, 1, 0, 1, 0, 1, 0, 1])
    np.testing.assert_array_equal(spikes[:, 1], [0, 0, 0, 1, 0, 0, 0, 1])
    np.testing.assert_array_equal(spikes[:, 2], spikes[:, 0])


@pytest.mark.parametrize(("kind", "reset"), KINDS)
@pytest.mark.parametrize("v_init", [0.0, 0.5])
def test_deciding_channels_moves_no_spike(monkeypatch, kind, reset, v_init):
    description = random_description(7, kind=kind, reset=reset, v_init=v_init, fully_connected=True, timesteps=5)
    # Currents far above and far below what a threshold can tell apart, beside ordinary ones.
    layers = tuple(
        replace(layer, norm_shift=layer.norm_shift + np.resize([0, 40, -40, 2], len(layer.norm_shift)))
        if layer.neuron
        else layer
        for layer in description.layers
    )
    description = replace(description, layers=layers)
    images = _images(description, 1)
    decided = fold_network(description)
    nothing = lambda neuron, drives, _: (np.zeros(drives[0].low.shape, bool),) * 2  # noqa: E731
    monkeypatch.setattr(fold_batchnorm, "_decided_channels", nothing)
    plain = fold_network(description)
    for ours, theirs in zip(decided.layers[:-1], plain.layers[:-1], strict=True):
        changed = ours.threshold != theirs.threshold
        assert {0, 1} <= set(ours.threshold[changed].tolist()), "the test must meet silent and always spiking channels"
        assert not changed.all()
    for ours, theirs in zip(run_layers(decided, images)[1], run_layers(plain, images)[1], strict=True):
        np.testing.assert_array_equal(ours, theirs)


@settings(max_examples=200, deadline=None)
@given(
    bounds=st.lists(st.integers(-60, 60), min_size=2, max_size=2).map(sorted),
    threshold=st.integers(0, 60),
    leak_shift=st.integers(0, 3),
    reset=st.sampled_from(["hard", "soft", "delayed"]),
    timesteps=st.integers(1, 4),
    half_start=st.booleans(),
)
def test_decided_channels_are_exactly_those_that_no_drive_sways(
    bounds, threshold, leak_shift, reset, timesteps, half_start
):
    """Against every sequence of the lowest and the highest drive, which bound what any other sequence does."""
    description = NeuronDescription(
        "LIF" if leak_shift else "IF", reset, 1.0, 2.0**leak_shift, v_init=0.5 if half_start else 0.0
    )
    neuron = folded_neuron(description, 4, "layer 'x'")
    initial = threshold // 2 if half_start else 0
    trains = [_train(drives, threshold, leak_shift, reset, initial) for drives in product(bounds, repeat=timesteps)]
    low, high, level = (np.array([value]) for value in (*bounds, threshold))
    silent, always = fold_batchnorm._decided_channels(neuron, [Interval(low, high)] * timesteps, level)
    assert silent[0] == (not any(any(train) for train in trains))
    assert always[0] == all(all(train) for train in trains)


def _train(drives, threshold, leak_shift, reset, potential):
    train = []
    owed = 0
    for drive in drives:
        potential += drive - (potential >> leak_shift if leak_shift else 0) - owed
        train.append(potential >= threshold)
        owed = threshold if train[-1] and reset == "delayed" else 0
        if train[-1] and reset != "delayed":
            potential = potential - threshold if reset == "soft" else 0
    return train


def test_a_constant_channel_keeps_its_rhythm_from_half_the_threshold():
    description = random_description(2, gammas="positive", fully_connected=True, timesteps=8, v_init=0.5, reset="soft")
    spikes = _rhythms(description, [0.16, 0.02, 0.3])
    # V starts at 0.25 and the threshold is 0.5.
    np.testing.assert_array_equal(spikes[:, 0], [0, 1, 0, 0, 1, 0, 0, 1])
    assert not spikes[:, 1].any(), "0.25 and 8 times 0.02 stay below the threshold"
    np.testing.assert_array_equal(spikes[:, 2], [1, 0, 1, 0, 1, 1, 0, 1])


def test_read_out_bias_is_in_integer_units_per_step():
    description = random_description(4, fully_connected=True)
    readout = description.layers[-1]
    folded = fold_network(description).layers[-1]
    np.testing.assert_array_equal(folded.bias, np.rint(readout.norm_shift / readout.inputs[0].scale))
    assert folded.neuron == NO_NEURON


@pytest.mark.parametrize("source", ["conv2", "fc"])
def test_a_global_sum_gives_the_logits_of_the_mean_over_the_map(source):
    description = random_description(4, global_sum=True, input_shape=(12, 8, 1), reset="soft", v_init=0.5)
    pixels = 3 * 2
    if source == "fc":
        # Behind a vector there is nothing to sum.
        description = replace(
            random_description(4, fully_connected=True, global_sum=True), input_shape=(8, 8, 1), timesteps=3
        )
        pixels = 1
    images = _images(description)
    network = fold_network(description)
    logits, trains = run_layers(network, images)
    readout, folded = description.layers[-1], network.layers[-1]
    unit = readout.inputs[0].scale[0] / pixels
    assert folded.map_pixels == pixels
    np.testing.assert_array_equal(folded.inputs[0].weights, readout.inputs[0].weights)
    np.testing.assert_array_equal(folded.bias, np.rint(readout.norm_shift / unit))
    _, expected = float_layers(description, images, trains)
    np.testing.assert_allclose(logits * unit, expected, atol=unit * description.timesteps)


def test_a_global_sum_of_another_layer_is_refused():
    description = _with_layer(random_description(1), 0, global_sum=True)
    with pytest.raises(ExportError, match="layer 'conv1': it sums its map, which only the read-out can"):
        fold_network(description)


def _with_layer(description, index, **changes):
    layers = list(description.layers)
    layers[index] = replace(layers[index], **changes)
    return replace(description, layers=tuple(layers))


def _with_connection(description, index, **changes):
    connection = replace(description.layers[index].inputs[0], **changes)
    return _with_layer(description, index, inputs=(connection,))


def _bad_descriptions():
    good = random_description(1, kind="LIF", fully_connected=True)
    lif = good.layers[0].neuron
    yield "T=33 time steps; 1..32 are supported", replace(good, timesteps=33)
    yield "layer 'fc1': tau=3.0 .* power of two", _with_layer(good, 0, neuron=replace(lif, tau=3.0))
    yield "layer 'fc2': its threshold is 0.0", _with_layer(good, 1, neuron=replace(lif, threshold=0.0))
    yield "layer 'fc2': its neurons start at 0.25 of their", _with_layer(good, 1, neuron=replace(lif, v_init=0.25))
    yield "one common scale", _with_connection(good, -1, scale=np.linspace(1, 2, 10))
    yield "the read-out has 10 outputs for 7 classes", replace(good, classes=7)
    yield "exactly the last layer must be without neuron", _with_layer(good, 1, neuron=None)
    yield "not finite", _with_layer(good, 0, norm_shift=np.full(24, np.nan))
    yield r"weights leave -1\.\.1, the range of 2 bits", _with_connection(good, 1, weight_bits=2)


@pytest.mark.parametrize(("sentence", "description"), list(_bad_descriptions()), ids=lambda value: str(value)[:30])
def test_what_cannot_be_folded_is_said(sentence, description):
    with pytest.raises(ExportError, match=sentence):
        fold_network(description)
