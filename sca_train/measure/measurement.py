"""Accuracy and synaptic operations of a network, counted on images."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor, nn

from sca_train.network import Network, to_input
from sca_train.specs import IMAGE, READ_OUT, ConnectionSpec, LayerSpec
from sca_train.spiking_layer import Sent, SpikingLayer, float_spikes
from sca_train.telling import counted

EVAL_BATCH = {"cpu": 32, "cuda": 500}
"""Images of one pass by device: what the caches of a CPU hold, and what keeps a GPU busy."""


@dataclass(frozen=True)
class Measurement:
    """Accuracy over ``images`` images, and what happens in each layer per image."""

    accuracy: float
    images: int
    synops: dict[str, float]
    """Accumulations that spikes cause in each layer that reads some."""
    firing: dict[str, float]
    """Fraction of (neuron, step) pairs of each spiking layer, behind its pooling, that carry a spike.

    Average pooling leaves this rate as it is."""
    zero_trains: dict[str, float]
    """Fraction of the spike trains of each spiking layer, behind its pooling, without a spike at any step."""

    @property
    def total_synops(self) -> float:
        return sum(self.synops.values())


@torch.no_grad()
def measure(
    network: Network, images: NDArray[np.uint8], labels: NDArray[np.int64], device: torch.device, title: str = ""
) -> Measurement:
    """Run images [N, H, W, C] uint8, or event frames [N, T, H, W, C], in evaluation mode and float32, and count.

    A spike into a convolution is one accumulation per active output channel and kernel tap that reaches it (fewer at
    the border), into a matrix one per output, into an identity one. What was average-pooled counts as the spikes in
    it, since the sum of a window can be accumulated spike by spike. A sum that another layer continues holds no
    spikes and counts nothing. Elements of event frames count as spikes where they are not zero; static pixels are not
    spikes: see ``first_layer_macs``.

    SpikingJelly's SynOpCounter counts the same for binary spikes, but nothing for averaged spikes (average pooling,
    and the read-out, which averages over time), and masked output channels as if they were there; it also watches
    every operator of a pass. So the spikes are counted here.
    """
    training = network.training
    network.eval()
    counts = _Counts(network)
    correct = torch.zeros((), dtype=torch.int64, device=device)
    size = EVAL_BATCH[device.type]
    with counts.observing():
        batches = range(0, len(images), size)
        for start in counted(batches, title, len(batches), "it", hidden=not title):
            x = to_input(torch.from_numpy(images[start : start + size]), device)
            truth = torch.from_numpy(labels[start : start + size]).to(device)
            correct += (network(x).argmax(1) == truth).sum()
    network.train(training)
    return Measurement(
        accuracy=int(correct) / len(images),
        images=len(images),
        synops={name: float(total) / len(images) for name, total in counts.synops.items()},
        firing={name: float(total) / len(images) for name, total in counts.firing.items()},
        zero_trains={name: float(total) / len(images) for name, total in counts.zero_trains.items()},
    )


class _Counts:
    """Sums over the images of some forward passes, kept on the device so that no pass waits for them."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.readers = _readers(network)
        zero = torch.zeros((), dtype=torch.float64, device=next(network.parameters()).device)
        self.synops = {reader: zero for readers in self.readers.values() for reader, _, _ in readers}
        self.firing = {spec.name: zero for spec in network.specs}
        self.zero_trains = dict(self.firing)

    @contextmanager
    def observing(self) -> Iterator[None]:
        """Count each forward pass of the network while the context lasts."""

        def input_hook(_module: nn.Module, inputs: tuple[Tensor]) -> None:
            if not self.network.static_input:
                self._count_synops(IMAGE, _per_element(inputs[0] != 0))

        def layer_hook(module: nn.Module, _inputs: tuple[Tensor], spikes: Sent) -> None:
            assert isinstance(module, SpikingLayer)
            self._count_layer(module.spec, float_spikes(spikes))

        handles = [self.network.register_forward_pre_hook(input_hook)]
        handles += [layer.register_forward_hook(layer_hook) for layer in self.network.spiking_layers()]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _count_layer(self, spec: LayerSpec, spikes: Tensor) -> None:
        images = spikes.shape[1]
        totals = _per_element(spikes)
        self.firing[spec.name] = self.firing[spec.name] + totals.sum() / spikes.numel() * images
        # Rates stand for all steps at once.
        totals *= self.network.config.timesteps / len(spikes)
        silent = (spikes.amax(0) == 0).sum().double() / spikes[0].numel()
        self.zero_trains[spec.name] = self.zero_trains[spec.name] + silent * images
        self._count_synops(spec.name, totals * spec.pool**2 if spec.pool_kind == "avg" else totals)

    def _count_synops(self, source: str, totals: Tensor) -> None:
        for reader, entry, outputs in self.readers[source]:
            self.synops[reader] = self.synops[reader] + accumulations(totals, entry) * outputs


def _per_element(spikes: Tensor) -> Tensor:
    """Spikes [T, N, C, ...] added up over steps and images, [C, ...] float64; exact, since T * N is small."""
    return spikes.flatten(0, 1).sum(0, dtype=torch.float32).double()


def _readers(network: Network) -> dict[str, list[tuple[str, ConnectionSpec, int]]]:
    """By source: the layers that read its spikes, their connections, and the active output channels of those."""
    readers: dict[str, list[tuple[str, ConnectionSpec, int]]] = {
        name: [] for name in (IMAGE, *(spec.name for spec in network.specs))
    }
    for layer in network.spiking_layers():
        for entry in layer.spec.inputs:
            if entry.source != IMAGE or not network.static_input:
                # An identity adds each spike to its own channel only.
                outputs = 1 if entry.kind == "identity" else int(layer.mask.sum())
                readers[entry.source].append((layer.spec.name, entry, outputs))
    last = network.specs[-1].name
    readers[last].append((READ_OUT, ConnectionSpec(READ_OUT, last, "linear"), network.classes))
    return readers


def accumulations(totals: Tensor, connection: ConnectionSpec) -> Tensor:
    """Accumulations per output channel that numbers of spikes [C, H, W] or [C] cause behind a connection."""
    if connection.kind != "conv":
        return totals.sum()
    taps = kernel_taps(totals.shape[-2], totals.shape[-1], connection)
    return (totals.sum(0) * taps.to(totals.device)).sum()


@functools.cache
def kernel_taps(height: int, width: int, connection: ConnectionSpec) -> Tensor:
    """How many outputs of a convolution each input pixel reaches, [height, width] float64."""
    above, left, below, right = connection.sides
    outputs = torch.ones(1, 1, *connection.convolved(height, width), dtype=torch.float64)
    taps = torch.ones(1, 1, *connection.taps, dtype=torch.float64)
    reached = F.conv_transpose2d(outputs, taps, stride=connection.stride)[0, 0]
    # Pixels that no window reads lie beyond what the windows cover.
    missing = height + above + below - len(reached), width + left + right - reached.shape[1]
    return F.pad(reached, (0, missing[1], 0, missing[0]))[above : above + height, left : left + width]


def first_layer_macs(network: Network) -> int:
    """Multiply-accumulations per image of what reads static pixels; the sums are computed once, not once per step.

    None for event frames, whose elements count as spikes in ``measure``.
    """
    height, width, channels = network.input_shape
    total = 0
    for spec in network.specs:
        for entry in spec.inputs:
            if entry.source == IMAGE and network.static_input:
                pairs = int(kernel_taps(height, width, entry).sum())
                total += (pairs if entry.kind == "conv" else height * width) * channels * spec.channels
    return total
