"""What measure counts, against counting spike by spike and against SpikingJelly's own counter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from spikingjelly.activation_based.op_counter import DispatchCounterMode, SynOpCounter
from torch import Tensor

from sca_train.config import TrainConfig
from sca_train.measure.measurement import Measurement, first_layer_macs, kernel_taps, measure
from sca_train.network import Network, to_input
from sca_train.specs import IMAGE, ConnectionSpec
from tests.train.conftest import image_shape, make_network, small

CPU = torch.device("cpu")


def images_for(config: TrainConfig, count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(1, 256, (count, *image_shape(config)), dtype=np.uint8)


def taps_of(**geometry: Any) -> ConnectionSpec:
    return ConnectionSpec("conv", IMAGE, **geometry)


def lively(config: TrainConfig, images: NDArray[np.uint8]) -> Network:
    """A network with the batch norm statistics of the images, so that all of its layers spike."""
    network = make_network(config)
    for layer in network.spiking_layers():
        layer.norm.momentum = 1.0
    with torch.no_grad():
        network.train()(to_input(torch.from_numpy(images), CPU))
    return network.eval()


def measured(network: Network, images: NDArray[np.uint8]) -> Measurement:
    return measure(network, images, np.zeros(len(images), np.int64), CPU)


def all_spikes(network: Network, images: NDArray[np.uint8]) -> dict[str, Tensor]:
    """Spikes of each layer behind its pooling."""
    spikes: dict[str, Tensor] = {}
    handles = [
        layer.register_forward_hook(lambda module, _inputs, output: spikes.update({module.spec.name: output}))
        for layer in network.spiking_layers()
    ]
    with torch.no_grad():
        network(to_input(torch.from_numpy(images), CPU))
    for handle in handles:
        handle.remove()
    return spikes


def synops_of_spikingjelly(network: Network, images: NDArray[np.uint8]) -> dict[str, float]:
    """SynOps per layer and image as SpikingJelly's counter sees them."""
    counter = SynOpCounter()
    with DispatchCounterMode([counter]):
        network.requires_grad_(False)(to_input(torch.from_numpy(images), CPU))
    counts = {"readout": float(sum(counter.records["Network.readout"].values()))}
    for spec in network.specs:
        scopes = [f"Network.layers.{spec.name}.connections.{entry.name}" for entry in spec.inputs]
        counts[spec.name] = sum(sum(counter.records[scope].values()) for scope in scopes) / len(images)
    return counts


def test_synops_are_counted_spike_by_spike() -> None:
    """The second layer has lost half of its channels; the reach of each spike is counted tap by tap."""
    config = small()
    images = images_for(config, 5)
    network = lively(config, images)
    network.layer("conv2").mask[::2] = 0.0
    result = measured(network, images)
    spikes = all_spikes(network, images)["conv1"]
    reached = sum(
        16 * len([1 for r in range(h - 1, h + 2) for c in range(w - 1, w + 2) if 0 <= r < 4 and 0 <= c < 4])
        for _, _, _, h, w in spikes.nonzero().tolist()
    )
    assert result.synops["conv2"] == pytest.approx(reached / 5)
    assert result.images == 5
    assert list(result.synops) == ["conv2", "conv3", "readout"]


def test_taps_of_padded_convolutions() -> None:
    assert kernel_taps(4, 4, taps_of())[0].tolist() == [4.0, 6.0, 6.0, 4.0]
    assert kernel_taps(4, 4, taps_of(stride=2))[0].tolist() == [1.0, 2.0, 1.0, 1.0]
    assert kernel_taps(4, 4, taps_of(kernel=1, stride=2)).tolist() == [[1.0, 0.0, 1.0, 0.0], [0.0] * 4] * 2
    line = taps_of(kernel=1, kernel_width=3, padding=(0, 2, 0, 0))
    assert kernel_taps(1, 4, line).tolist() == [[3.0, 3.0, 2.0, 1.0]]
    assert kernel_taps(3, 2, taps_of(kernel=2, stride=2, padding=(0, 0, 0, 0))).tolist() == [[1, 1], [1, 1], [0, 0]]


@pytest.mark.parametrize("model", ["vgg9", "preresnet20"])
def test_spikingjelly_counts_the_same_where_its_rules_apply(model: str) -> None:
    config = small(model=model, dataset="folder", width=0.25, timesteps=2)
    images = images_for(config, 4)
    network = lively(config, images)
    result, theirs = measured(network, images), synops_of_spikingjelly(network, images)
    for name, count in result.synops.items():
        assert count > 0
        # The read-out sees averages over time, which their counter does not take for spikes.
        assert theirs[name] == (0 if name == "readout" else pytest.approx(count))
    assert theirs["stem" if model == "preresnet20" else "conv1"] == 0


def test_masked_channels_and_identities_count_otherwise_than_in_spikingjelly() -> None:
    config = small(model="resnet20", width=0.5, timesteps=2)
    images = images_for(config, 4)
    network = lively(config, images)
    network.layer("block1a").mask[:5] = 0.0
    result, theirs = measured(network, images), synops_of_spikingjelly(network, images)
    spikes = all_spikes(network, images)
    assert result.synops["block1a"] == pytest.approx(theirs["block1a"] * 3 / 8)
    assert result.synops["block1"] == pytest.approx(theirs["block1"] + float(spikes["stem"].sum()) / 4)
    assert first_layer_macs(network) == 22 * 22 * 8


def test_firing_and_zero_trains() -> None:
    config = small(timesteps=5)
    images = images_for(config, 40)  # two batches of unequal size
    network = lively(config, images)
    network.layer("conv3").mask[:32] = 0.0
    result = measured(network, images)
    for name, spikes in all_spikes(network, images).items():
        assert result.firing[name] == pytest.approx(float(spikes.mean()), rel=1e-5)
        assert result.zero_trains[name] == pytest.approx(float((spikes.sum(0) == 0).float().mean()), rel=1e-5)
    assert 0.5 < result.zero_trains["conv3"] < 1.0
    with torch.no_grad():
        predicted = network(to_input(torch.from_numpy(images), CPU)).argmax(1)
    assert result.accuracy == float((predicted == 0).float().mean())


def test_event_frames_and_averaged_spikes() -> None:
    """An averaged spike counts once per output that reads its window, an event element once where it is not zero."""
    config = small(model="dvs", dataset="events-digits", width=0.1, image_size=32, timesteps=3)
    frames = np.random.default_rng(3).poisson(0.3, (4, 3, 32, 32, 2)).astype(np.uint8)
    network = lively(config, frames)
    result = measured(network, frames)
    taps = kernel_taps(32, 32, taps_of()).numpy()
    assert result.synops["conv1"] == pytest.approx(float(((frames != 0).sum((0, 1, 4)) * taps).sum()) * 6 / 4)
    unpooled: list[Tensor] = []
    network.layer("conv5").neuron.register_forward_hook(lambda _module, _inputs, spikes: unpooled.append(spikes))
    all_spikes(network, frames)
    assert result.synops["readout"] == pytest.approx(float(unpooled[0].sum()) * 10 / 4)
    assert first_layer_macs(network) == 0
    assert list(result.synops) == ["conv1", "conv2", "conv3", "conv4", "conv5", "readout"]
