"""Our networks as NIR files: read and lowered again, they give the same logits."""

from __future__ import annotations

from dataclasses import replace

import nir
import numpy as np
import pytest
import torch
from spikingjelly.activation_based import nir_exchange

from codegen.errors import ImportingError
from codegen.importing.interpreter import run, traces
from codegen.importing.lowering import lower
from codegen.importing.nir_file import read_nir
from codegen.importing.options import NirOptions
from codegen.importing.to_nir import nir_of
from sca_train.description import ConnectionDescription
from tests.export.float_model import float_layers
from tests.export.random_networks import random_description


def _average_pooling(description):
    return replace(description, layers=tuple(replace(layer, pool_kind="avg") for layer in description.layers))


def _layers_read(network, description, images):
    """Spikes of the network that was read, by layers of the one that was written."""
    found = list(traces(network, images).values())
    return [trace.spikes for trace in found[: len(description.layers) - 1]]


def _images(description, count=4):
    return np.random.default_rng(1).integers(0, 256, (count, *description.input_shape)).astype(np.uint8)


@pytest.mark.filterwarnings("ignore:the neurons of")
@pytest.mark.parametrize("kind, reset", [("IF", "hard"), ("IF", "soft"), ("LIF", "hard"), ("LIF", "soft")])
@pytest.mark.parametrize("v_init, form", [(0.0, {}), (0.5, {"fully_connected": True}), (0.5, {"global_sum": True})])
def test_a_round_trip_gives_the_same_spikes_and_logits(tmp_path, kind, reset, v_init, form):
    description = random_description(3, kind=kind, reset=reset, v_init=v_init, **form)
    description = _average_pooling(description) if kind == "LIF" else description
    nir.write(tmp_path / "ours.nir", nir_of(description))
    network = lower(read_nir(tmp_path / "ours.nir"), NirOptions(timesteps=description.timesteps))
    assert [(layer.pool, layer.pool_kind) for layer in network.layers if layer.pool > 1] == [
        (layer.pool, layer.pool_kind) for layer in description.layers if layer.pool > 1
    ]
    images = _images(description)
    spikes = _layers_read(network, description, images)
    layers, logits = float_layers(description, images, spikes)
    for ours, theirs in zip(layers, spikes, strict=True):
        np.testing.assert_array_equal(ours.spikes, theirs)
        assert theirs.any()
    np.testing.assert_allclose(run(network, images), logits, rtol=1e-9, atol=1e-9)


def test_residual_sums_are_written_out(tmp_path):
    description = _average_pooling(random_description(5, input_shape=(8, 8, 2)))
    first, second, readout = description.layers
    first = replace(first, pool=1)
    more = replace(
        second, name="more", inputs=(replace(second.inputs[0], name="more", source="conv2"),), residual="conv2"
    )
    weights = np.random.default_rng(0).integers(-7, 8, (12, 12, 3, 3)).astype(np.int8)
    more = replace(more, inputs=(replace(more.inputs[0], weights=weights),), pool=2)
    ones = np.ones(8)
    shortcut = ConnectionDescription("shortcut", "conv1", "identity", None, 1, ones, 1, 0)
    wider = replace(
        first,
        name="wider",
        inputs=(
            replace(first.inputs[0], name="wider", source="conv1", weights=np.ones((8, 8, 3, 3), np.int8)),
            shortcut,
        ),
    )
    second = replace(second, inputs=(replace(second.inputs[0], source="wider"),), pool=1)
    weights = np.random.default_rng(1).integers(-7, 8, (10, 12 * 16)).astype(np.int8)
    readout = replace(readout, inputs=(replace(readout.inputs[0], source="more", weights=weights),))
    description = replace(description, layers=(first, wider, second, more, readout))
    network = lower(nir_of(description), NirOptions(timesteps=4))
    images = _images(description)
    spikes = _layers_read(network, description, images)
    layers, logits = float_layers(description, images, spikes)
    for ours, theirs in zip(layers, spikes, strict=True):
        np.testing.assert_array_equal(ours.spikes, theirs)
    np.testing.assert_allclose(run(network, images), logits, rtol=1e-9, atol=1e-9)


def test_a_potential_at_the_threshold_still_spikes():
    description = random_description(0, fully_connected=True)
    layer = description.layers[0]
    connection = replace(layer.inputs[0], weights=np.ones_like(layer.inputs[0].weights), scale=np.full(24, 0.5))
    layer = replace(layer, inputs=(connection,), norm_scale=np.ones(24), norm_shift=np.zeros(24))
    description = replace(description, layers=(layer, *description.layers[1:]), input_scale=1.0)
    network = lower(nir_of(description), NirOptions(timesteps=4))
    images = np.zeros((1, 8, 8, 1), np.uint8)
    images[0, 0, 0, 0] = 1
    assert traces(network, images)[network.layers[0].name].spikes.all()


def test_resets_and_comparisons_that_differ_between_layers():
    description = random_description(3, kind="LIF", reset="soft", fully_connected=True)
    first, second, readout = description.layers
    second = replace(second, neuron=replace(second.neuron, reset="delayed", compare="gt"))
    network = lower(nir_of(replace(description, layers=(first, second, readout))), NirOptions())
    assert [layer.neuron.reset for layer in network.layers[:-1]] == ["soft", "delayed"]
    assert network.layers[0].threshold[0] < first.neuron.threshold
    assert network.layers[1].threshold[0] == second.neuron.threshold


def test_what_nir_cannot_say():
    with pytest.raises(ImportingError, match="NIR has no node for LateIF neurons, which fc1, fc2 has"):
        nir_of(random_description(0, kind="LateIF", reset="soft", fully_connected=True))
    with pytest.warns(UserWarning, match="the neurons of fc1, fc2 start from a share of their threshold"):
        nir_of(random_description(0, v_init=0.5, fully_connected=True))


def test_spikingjelly_computes_our_file(tmp_path):
    description = _average_pooling(random_description(3, kind="LIF", reset="hard"))
    nir.write(tmp_path / "ours.nir", nir_of(description))
    theirs = nir_exchange.import_from_nir(nir.read(tmp_path / "ours.nir"), dt=1e-4).double()
    images = _images(description)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).double()
    state, total = None, torch.zeros(1)
    with torch.no_grad():
        for _ in range(description.timesteps):
            logits, state = theirs(pixels, state)
            total = total + logits
    network = lower(read_nir(tmp_path / "ours.nir"), NirOptions(timesteps=description.timesteps))
    np.testing.assert_allclose(run(network, images), total.numpy(), rtol=1e-6, atol=1e-6)
