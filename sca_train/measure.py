"""Accuracy and synaptic operations of a network, counted on images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from sca_train.network import Network, to_input
from sca_train.specs import IMAGE, ConnectionSpec, LayerSpec

EVAL_BATCH = 32
READ_OUT = "readout"


@dataclass(frozen=True)
class Measurement:
    """Accuracy over ``images`` images, and per image and layer the accumulations that spikes cause (SynOps)."""

    accuracy: float
    images: int
    synops: dict[str, float]
    firing: dict[str, float]
    """Fraction of (neuron, step) pairs of each spiking layer, behind its pooling, that carry a spike."""

    @property
    def total_synops(self) -> float:
        return sum(self.synops.values())


@torch.no_grad()
def measure(
    network: Network, images: NDArray[np.uint8], labels: NDArray[np.int64], device: torch.device, title: str = ""
) -> Measurement:
    """Run images [N, H, W, C] uint8 in evaluation mode and float32, and count.

    A spike into a convolution is one accumulation per output channel and kernel tap that reaches it (fewer at the
    border), into a matrix one per output. The first layer sees pixels, not spikes: see ``first_layer_macs``.
    """
    training = network.training
    network.eval()
    readers = _readers(network)
    synops = dict.fromkeys([*(spec.name for spec in network.specs if not _reads_image(spec)), READ_OUT], 0.0)
    firing = dict.fromkeys([spec.name for spec in network.specs], 0.0)
    correct = 0

    def count(spec: LayerSpec, spikes: Tensor) -> None:
        firing[spec.name] += float(spikes.mean(dtype=torch.float64)) * spikes.shape[1]
        # The average of spikes stands for their sum.
        per_unit = spec.pool**2 if spec.pool_kind == "avg" else 1
        for reader, entry, outputs in readers[spec.name]:
            synops[reader] += accumulations(spikes, entry) * outputs * per_unit

    with _observed(network, count):
        for start in tqdm(range(0, len(images), EVAL_BATCH), desc=title, disable=not title, leave=False):
            x = to_input(torch.from_numpy(images[start : start + EVAL_BATCH]), device)
            truth = torch.from_numpy(labels[start : start + EVAL_BATCH]).to(device)
            correct += int((network(x).argmax(1) == truth).sum())
    network.train(training)
    return Measurement(
        correct / len(images),
        len(images),
        {name: total / len(images) for name, total in synops.items()},
        {name: total / len(images) for name, total in firing.items()},
    )


def _reads_image(spec: LayerSpec) -> bool:
    return any(entry.source == IMAGE for entry in spec.inputs)


def _readers(network: Network) -> dict[str, list[tuple[str, ConnectionSpec, float]]]:
    """By source: the layers that read it, their connections, and how many active output channels those have."""
    readers: dict[str, list[tuple[str, ConnectionSpec, float]]] = {
        name: [] for name in (IMAGE, *(spec.name for spec in network.specs))
    }
    for layer in network.spiking_layers():
        for entry in layer.spec.inputs:
            # An identity adds each spike to its own channel only.
            outputs = 1.0 if entry.kind == "identity" else float(layer.mask.sum())
            readers[entry.source].append((layer.spec.name, entry, outputs))
    last = network.specs[-1].name
    readers[last].append((READ_OUT, ConnectionSpec(READ_OUT, last, "linear"), float(network.classes)))
    return readers


@contextmanager
def _observed(network: Network, count: Any) -> Iterator[None]:
    """Call ``count`` with the specification and the pooled spikes of each layer in each forward pass."""

    def hook(module: nn.Module, _inputs: Any, spikes: Tensor) -> None:
        count(module.spec, spikes)

    handles = [layer.register_forward_hook(hook) for layer in network.spiking_layers()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def accumulations(spikes: Tensor, connection: ConnectionSpec) -> float:
    """Accumulations per output channel that spikes [T, N, C, ...] cause behind a connection."""
    if connection.kind != "conv":
        return float(spikes.sum(dtype=torch.float64))
    taps = kernel_taps(spikes.shape[-2], spikes.shape[-1], connection.kernel, connection.stride).to(spikes.device)
    return float((spikes.sum((0, 1, 2), dtype=torch.float64) * taps).sum())


def kernel_taps(height: int, width: int, kernel: int = 3, stride: int = 1) -> Tensor:
    """How many outputs of a convolution padded by kernel // 2 each input pixel reaches, [height, width] float64."""
    image = torch.zeros(1, 1, height, width, dtype=torch.float64, requires_grad=True)
    with torch.enable_grad():
        ones = torch.ones(1, 1, kernel, kernel, dtype=torch.float64)
        (taps,) = torch.autograd.grad(F.conv2d(image, ones, stride=stride, padding=kernel // 2).sum(), image)
    return taps[0, 0]


def first_layer_macs(network: Network) -> int:
    """Multiply-accumulations of the first layer per image; its sums are computed once, not once per time step."""
    height, width, channels = network.input_shape
    total = 0
    for spec in network.specs:
        for entry in spec.inputs:
            if entry.source == IMAGE:
                pixels = int(kernel_taps(height, width, entry.kernel, entry.stride).sum())
                total += (pixels if entry.kind == "conv" else height * width) * channels * spec.channels
    return total
