"""Accuracy and synaptic operations of a network, counted on images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from sca_train.network import KERNEL, PADDING, Network, SpikingLayer, to_input

EVAL_BATCH = 32


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
    layers = network.spiking_layers()
    consumers = [*(spec.name for spec in network.specs[1:]), "readout"]
    synops = dict.fromkeys(consumers, 0.0)
    firing = dict.fromkeys([spec.name for spec in network.specs], 0.0)
    correct = 0
    for start in tqdm(range(0, len(images), EVAL_BATCH), desc=title, disable=not title, leave=False):
        x = to_input(torch.from_numpy(images[start : start + EVAL_BATCH]), device)
        for index, (layer, consumer) in enumerate(zip(layers, consumers, strict=True)):
            x = layer(x)
            firing[layer.spec.name] += float(x.mean(dtype=torch.float64)) * x.shape[1]
            following = layers[index + 1] if index + 1 < len(layers) else None
            synops[consumer] += _accumulations(x, following, network.classes)
        truth = torch.from_numpy(labels[start : start + EVAL_BATCH]).to(device)
        correct += int((network.readout(x).argmax(1) == truth).sum())
    network.train(training)
    count = len(images)
    return Measurement(
        correct / count,
        count,
        {name: total / count for name, total in synops.items()},
        {name: total / count for name, total in firing.items()},
    )


def _accumulations(spikes: Tensor, layer: SpikingLayer | None, classes: int) -> float:
    """Accumulations that spikes [T, N, C, ...] cause in the active channels of ``layer``, or in the read-out (None)."""
    if layer is None:
        return float(spikes.sum(dtype=torch.float64)) * classes
    outputs = float(layer.mask.sum())
    if layer.spec.kind == "linear":
        return float(spikes.sum(dtype=torch.float64)) * outputs
    taps = kernel_taps(spikes.shape[-2], spikes.shape[-1]).to(spikes.device)
    return float((spikes.sum((0, 1, 2), dtype=torch.float64) * taps).sum()) * outputs


def kernel_taps(height: int, width: int) -> Tensor:
    """How many outputs of a padded 3x3 convolution each input pixel reaches, [height, width] float64."""
    ones = torch.ones(1, 1, height, width, dtype=torch.float64)
    return F.conv2d(ones, torch.ones(1, 1, KERNEL, KERNEL, dtype=torch.float64), padding=PADDING)[0, 0]


def first_layer_macs(network: Network) -> int:
    """Multiply-accumulations of the first layer per image; its sums are computed once, not once per time step."""
    height, width, channels = network.input_shape
    spec = network.specs[0]
    if spec.kind == "linear":
        return height * width * channels * spec.channels
    return int(kernel_taps(height, width).sum()) * channels * spec.channels
