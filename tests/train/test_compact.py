"""Compaction, the weight quantizers, and what describe hands on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from sca_train.config import EVENT_DATASETS, TrainConfig
from sca_train.describe import describe, describe_run, quantised
from sca_train.description import ConnectionDescription, LayerDescription, NetworkDescription
from sca_train.errors import TrainError
from sca_train.network import Network, to_input
from sca_train.pruning.compact import COMPACT_FILE, compact, load_compact, parameter_count, save_compact
from sca_train.quantizers import QuantModule
from sca_train.specs import IMAGE, streams
from sca_train.spiking_layer import SpikingLayer
from tests.train.conftest import image_shape, make_network, small

CONFIGS = {
    "if": small(),
    "ternary": small(neuron="LIF", reset="soft", timesteps=6, weight_bits=2),
    "colour": small(dataset="folder", weight_bits=8, image_size=16),
    "mlp": small(model="mlp", hidden=(40, 24), neuron="LIF", tau=4.0, timesteps=16),
    "vgg9": small(model="vgg9", width=0.1, timesteps=3),
    "vgg11": small(model="vgg11", width=0.05, image_size=32, timesteps=2),
    "vgg16": small(model="vgg16", width=0.05, image_size=32, timesteps=2, neuron="LIF"),
    "resnet18": small(model="resnet18", width=0.06, timesteps=2),
    "resnet20": small(model="resnet20", width=0.5, dataset="folder", timesteps=3),
    "preresnet18": small(model="preresnet18", width=0.06, timesteps=2, weight_bits=2),
    "preresnet20": small(model="preresnet20", width=0.5, dataset="folder", timesteps=3, reset="soft"),
    "dvs": small(model="dvs", dataset="events-digits", width=0.1, image_size=32, timesteps=3),
}


def images_for(config: TrainConfig, count: int) -> NDArray[np.uint8]:
    random = np.random.default_rng(5)
    if config.dataset in EVENT_DATASETS:
        return random.poisson(0.5, (count, config.timesteps, *image_shape(config))).astype(np.uint8)
    return random.integers(0, 256, (count, *image_shape(config)), dtype=np.uint8)


def exact_input(network: Network, images: NDArray[np.uint8]) -> Tensor:
    """``to_input`` in float64, without the rounding of pixel / 255 to float32."""
    counts = torch.from_numpy(images).double()
    moved = counts.permute(0, 3, 1, 2) if network.static_input else counts.permute(1, 0, 4, 2, 3)
    return moved * network.input_scale


def only(layer: SpikingLayer) -> QuantModule:
    """The weights of a layer's only connection."""
    (module,) = layer.connections.values()
    return module


def learned_scale(module: QuantModule) -> NDArray[np.float32]:
    """What the quantizer of a connection learned: the logarithm of its scale, [out]."""
    value: Tensor = module.weight_quant.tensor_quant.scaling_impl.value
    return value.detach().flatten().numpy()


def masked_network(config: TrainConfig) -> Network:
    """A network that lost half of its channels, the same ones throughout a pruning group."""
    network = make_network(config)
    generator = torch.Generator().manual_seed(2)
    masks: dict[str, Tensor] = {}
    for layer in network.spiking_layers():
        chosen = (torch.rand(len(layer.mask), generator=generator) < 0.5).float()
        chosen[len(chosen) // 2] = 1.0
        layer.mask.copy_(masks.setdefault(layer.spec.pruning_group, chosen))
    settle(network, images_for(config, 16))
    return network


@torch.no_grad()
def settle(network: Network, images: NDArray[np.uint8]) -> None:
    """Take the batch norm statistics from images, so that deep networks neither fall silent nor spike always."""
    for layer in network.spiking_layers():
        layer.norm.momentum = 1.0
    network.train()(to_input(torch.from_numpy(images), torch.device("cpu")))
    network.eval()


@pytest.fixture(scope="module", params=CONFIGS.values(), ids=CONFIGS)
def networks(request: pytest.FixtureRequest) -> tuple[Network, Network]:
    """A masked network and what compaction makes of it, both in float64 and evaluation mode."""
    masked = masked_network(request.param)
    return masked.double(), compact(masked).double().eval()


def test_compact_and_masked_networks_agree(networks: tuple[Network, Network]) -> None:
    """In float64 the only difference, the order of sums, is far below any distance to a threshold."""
    masked, narrow = networks
    for layer in narrow.spiking_layers():
        assert float(layer.mask.min()) == 1.0
    assert parameter_count(narrow) < parameter_count(masked)
    x = exact_input(masked, images_for(masked.config, 8))
    with torch.no_grad():
        expected, found = masked(x), narrow(x)
    assert len(expected.unique(dim=0)) > 4
    assert torch.allclose(found, expected, rtol=0, atol=1e-12)


def test_description_computes_the_networks_logits(networks: tuple[Network, Network]) -> None:
    _, network = networks
    images = images_for(network.config, 8)
    found = forward(describe(network), images) / network.config.timesteps
    with torch.no_grad():
        expected = network(exact_input(network, images)).numpy()
    assert np.allclose(found, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_integer_weights_are_narrow_and_unchanged_by_compaction(bits: int) -> None:
    masked = masked_network(small(weight_bits=bits))
    layer = masked.spiking_layers()[2]
    integers, scale = quantised(only(layer))
    limit = 2 ** (bits - 1) - 1
    assert integers.min() == -limit
    assert integers.max() == limit
    real = only(layer).quant_weight().value.detach().numpy()
    assert np.allclose(real, integers * scale[:, None, None, None], rtol=1e-6)
    kept, before = layer.mask.bool().numpy(), masked.spiking_layers()[1].mask.bool().numpy()
    narrow = only(compact(masked).spiking_layers()[2])
    cut, cut_scale = quantised(narrow)
    assert np.array_equal(cut, integers[kept][:, before])
    assert np.array_equal(learned_scale(narrow), learned_scale(only(layer))[kept])
    # On some processors PyTorch rounds 2 ** x otherwise in a vector than in what remains behind the last whole one.
    np.testing.assert_array_max_ulp(cut_scale.astype(np.float32), scale[kept].astype(np.float32), maxulp=1)
    assert quantised(only(masked.spiking_layers()[0]))[0].max() == 127
    assert len(np.unique(quantised(masked.readout.weight)[1])) == 1


def connection_sums(connection: ConnectionDescription, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of a described connection for inputs [N, C, H, W] (or [N, inputs]), with weights as real numbers."""
    if connection.weights is None:
        return x
    real = connection.weights * connection.scale.reshape(-1, *[1] * (connection.weights.ndim - 1))
    if connection.kind == "linear":
        return x.reshape(len(x), -1) @ real.T
    (top, left, bottom, right), step = connection.padding, connection.stride
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, real.shape[2:], (2, 3))[:, :, ::step, ::step]
    return np.einsum("nchwij,ocij->nohw", windows, real, optimize=True)


def pooled(layer: LayerDescription, x: NDArray[np.float64]) -> NDArray[np.float64]:
    if layer.pool == 1:
        return x
    n, c, h, w = x.shape
    windows = x.reshape(n, c, h // layer.pool, layer.pool, w // layer.pool, layer.pool)
    return windows.max((3, 5)) if layer.pool_kind == "max" else windows.mean((3, 5))


def forward(network: NetworkDescription, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Logits summed over the time steps, computed from the description alone."""
    potentials: dict[str, NDArray[np.float64]] = {}
    logits = np.zeros((len(images), network.classes))
    for step in range(network.timesteps):
        frames = images if network.static_input else images[:, step]
        spikes = {IMAGE: frames.astype(np.float64).transpose(0, 3, 1, 2) * network.input_scale}
        sums: dict[str, NDArray[np.float64]] = {"": np.zeros(())}
        for layer in network.layers:
            terms = [connection_sums(entry, spikes[entry.source]) for entry in layer.inputs]
            sums[layer.name] = sum(terms, sums[layer.residual])
            axes = (1, -1, *[1] * (sums[layer.name].ndim - 2))
            current = sums[layer.name] * layer.norm_scale.reshape(axes) + layer.norm_shift.reshape(axes)
            if layer.neuron is None:
                logits += current
                continue
            before = potentials.get(layer.name, np.zeros_like(current))
            leak = before if layer.neuron.kind == "LIF" else 0.0
            divisor = layer.neuron.tau if layer.neuron.kind == "LIF" else 1.0
            potential = before + (current - leak) / divisor
            fired = potential >= layer.neuron.threshold
            after = 0.0 if layer.neuron.reset == "hard" else potential - layer.neuron.threshold
            potentials[layer.name] = np.where(fired, after, potential)
            spikes[layer.name] = pooled(layer, fired.astype(np.float64))
    return logits


def test_float32_network_is_close_to_its_description() -> None:
    network = compact(masked_network(small())).eval()
    images = images_for(small(), 64)
    found = forward(describe(network), images) / network.config.timesteps
    with torch.no_grad():
        expected = network(to_input(torch.from_numpy(images), torch.device("cpu"))).numpy()
    # A float32 potential within a rounding error of its threshold may fire elsewhere than in float64.
    assert np.isclose(found, expected, atol=1e-4).all(1).mean() >= 0.9


@pytest.mark.parametrize("name", ["resnet20", "preresnet18", "preresnet20"])
def test_terms_of_an_addition_are_multiples_of_one_power_of_two(name: str) -> None:
    network = make_network(CONFIGS[name])
    description = describe(network)
    layers = {layer.name: layer for layer in description.layers}
    for stream in streams(network.specs):
        entries = [entry for spec in stream for entry in layers[spec.name].inputs]
        if len(entries) == 1:
            continue
        weighted = [entry for entry in entries if entry.kind != "identity"]
        steps = set()
        for entry in weighted:
            # The pixels of an image are units of 1/255, and their weights so many 1/256 of the others'.
            unit = 256 * description.input_scale if entry.source == IMAGE else 1.0
            (step,) = set(entry.scale * unit)
            steps.add(round(step, 12))
        assert len(steps) == 1
        assert np.log2(steps.pop()).is_integer()
        assert all((entry.scale == 1.0).all() for entry in entries if entry.kind == "identity")
        # The members with few bits use their range.
        bits = network.config.weight_bits
        largest = max(np.abs(entry.weights).max() for entry in weighted if entry.weight_bits == bits)
        assert largest == 2 ** (bits - 1) - 1


def test_groups_are_the_layers_that_meet_in_additions() -> None:
    for name in ("resnet20", "preresnet20"):
        groups: dict[str, list[str]] = {}
        for spec in make_network(CONFIGS[name]).specs:
            groups.setdefault(spec.pruning_group, []).append(spec.name)
        assert groups["stage1"] == ["stem", "block1", "block2", "block3"]
        assert groups["stage2"] == ["block4", "block5", "block6"]
        assert groups["stage3"] == ["block7", "block8", "block9"]
        assert groups["block1a"] == ["block1a"]
        assert len(groups) == 3 + 9


def test_unequal_masks_of_a_group_are_rejected() -> None:
    for name in ("resnet20", "preresnet20"):
        network = make_network(CONFIGS[name])
        network.layer("block2").mask[0] = 0.0
        with pytest.raises(ValueError, match="layer block2 adds sums of different shapes"):
            compact(network)


def test_compact_file_round_trip(tmp_path: Path) -> None:
    network = compact(masked_network(small()))
    save_compact(network, tuple("0123456789"), tmp_path / COMPACT_FILE)
    config, loaded = load_compact(tmp_path)
    assert config == small()
    assert loaded.specs == network.specs
    state, loaded_state = network.state_dict(), loaded.state_dict()
    assert state.keys() == loaded_state.keys()
    assert all(torch.equal(value, loaded_state[key]) for key, value in state.items())


def test_missing_and_damaged_compact_files(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match=r"has no compact\.safetensors; run `make train"):
        describe_run(tmp_path)
    path = tmp_path / COMPACT_FILE
    save_compact(compact(masked_network(small())), tuple("0123456789"), path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(TrainError, match="is not a whole safetensors file"):
        describe_run(tmp_path)
    path.write_bytes(whole.replace(b"compact network 2", b"compact network 1"))
    with pytest.raises(TrainError, match="holds 'spikefold compact network 1'"):
        describe_run(tmp_path)
