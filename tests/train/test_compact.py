"""Compaction, the weight quantizers, and what describe hands on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sca_train.compact import COMPACT_FILE, compact, load_compact, parameter_count, save_compact
from sca_train.config import TrainConfig
from sca_train.describe import describe, describe_run, quantised
from sca_train.description import IMAGE, ConnectionDescription, LayerDescription, NetworkDescription
from sca_train.errors import TrainError
from sca_train.measure import kernel_taps, measure
from sca_train.network import Network, SpikingLayer, to_input
from sca_train.quantizers import QuantModule
from tests.train.conftest import make_network, small

CONFIGS = [
    small(),
    small(neuron="LIF", reset="soft", timesteps=6, weight_bits=2),
    small(dataset="folder", weight_bits=8, image_size=16),
    small(model="mlp", hidden=(40, 24), neuron="LIF", tau=4.0, timesteps=16),
]


def images_for(config: TrainConfig, count: int) -> NDArray[np.uint8]:
    channels = 1 if config.dataset == "digits" else 3
    size = (count, config.image_size, config.image_size, channels)
    return np.random.default_rng(5).integers(0, 256, size, dtype=np.uint8)


def only(layer: SpikingLayer) -> QuantModule:
    """The weights of a layer's only connection."""
    (module,) = layer.connections.values()
    return module


def masked_network(config: TrainConfig) -> Network:
    network = make_network(config)
    generator = torch.Generator().manual_seed(2)
    for layer in network.spiking_layers():
        layer.mask.copy_(torch.rand(len(layer.mask), generator=generator) < 0.5)
        layer.mask[3] = 1.0
    return network


@pytest.mark.parametrize("config", CONFIGS, ids=["if", "ternary", "colour", "mlp"])
def test_compact_and_masked_networks_agree(config: TrainConfig) -> None:
    """In float64 the only difference, the order of sums, is far below any distance to a threshold."""
    masked = masked_network(config)
    small_network = compact(masked).eval()
    x = to_input(torch.from_numpy(images_for(config, 24)), torch.device("cpu"))
    for layer in small_network.spiking_layers():
        assert float(layer.mask.min()) == 1.0
    assert parameter_count(small_network) < parameter_count(masked)
    for network in (masked, small_network):
        network.double()
    with torch.no_grad():
        expected, found = masked(x.double()), small_network(x.double())
    assert float(expected.std()) > 0
    assert torch.allclose(found, expected, rtol=0, atol=1e-12)


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
    cut, cut_scale = quantised(only(compact(masked).spiking_layers()[2]))
    assert np.array_equal(cut, integers[kept][:, before])
    assert np.array_equal(cut_scale, scale[kept])
    assert quantised(only(masked.spiking_layers()[0]))[0].max() == 127
    assert len(np.unique(quantised(masked.readout.weight)[1])) == 1


def connection_sums(connection: ConnectionDescription, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of a described connection for inputs [N, C, H, W] (or [N, inputs]), with weights as real numbers."""
    if connection.weights is None:
        return x
    real = connection.weights * connection.scale.reshape(-1, *[1] * (connection.weights.ndim - 1))
    if connection.kind == "linear":
        return x.reshape(len(x), -1) @ real.T
    pad, step = connection.padding, connection.stride
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
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
            sums[layer.name] = sum(terms, sums[layer.onto])
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


@pytest.mark.parametrize("config", CONFIGS, ids=["if", "ternary", "colour", "mlp"])
def test_description_computes_the_networks_logits(config: TrainConfig) -> None:
    network = compact(masked_network(config)).eval()
    images = images_for(config, 24)
    found = forward(describe(network), images) / config.timesteps
    with torch.no_grad():
        expected = network(to_input(torch.from_numpy(images), torch.device("cpu"))).numpy()
    # A float32 potential within a rounding error of its threshold may fire elsewhere than in float64.
    agreeing = np.isclose(found, expected, atol=1e-4).all(1)
    assert agreeing.mean() >= 0.9


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


def test_synops_are_counted_spike_by_spike() -> None:
    config = small()
    network = masked_network(config)
    images = images_for(config, 5)
    measured = measure(network, images, np.zeros(5, np.int64), torch.device("cpu"))
    x = to_input(torch.from_numpy(images), torch.device("cpu"))
    with torch.no_grad():
        first, second, _ = network.spiking_layers()
        spikes = first(first.sums({IMAGE: x.unsqueeze(0)}))
        channels = int(second.mask.sum())
        reached = sum(
            channels * len([1 for r in range(h - 1, h + 2) for c in range(w - 1, w + 2) if 0 <= r < 4 and 0 <= c < 4])
            for _, _, _, h, w in spikes.nonzero().tolist()
        )
    assert measured.synops["conv2"] == reached / 5
    assert measured.images == 5
    assert kernel_taps(4, 4)[0].tolist() == [4.0, 6.0, 6.0, 4.0]
