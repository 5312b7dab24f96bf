"""Spiking Channel Activity based pruning and regrowth (Li et al., ICML 2024, section 4)."""

from __future__ import annotations

import torch
from torch import Tensor

from sca_train.errors import TrainError
from sca_train.network import Network, SpikingLayer


def channel_scores(layer: SpikingLayer, kind: str, pixels: int) -> Tensor:
    """Score of each channel [C] float64 (Eq. 4).

    The L1 norm of the membrane potential before reset, summed over the feature map (``kind`` "sum") and averaged over
    the recorded samples and the time steps; "mean" divides by the ``pixels`` of the feature map, so that large maps do
    not outrank small ones.
    """
    scores = layer.potential / layer.samples.clamp(min=1.0)
    return scores / pixels if kind == "mean" else scores


def pruned_count(ratio: float, channels: list[int]) -> int:
    """How many channels ``ratio`` removes from layers of these widths.

    Raises TrainError when not even one channel of each layer would be left.
    """
    total = sum(channels)
    pruned = round(ratio * total)
    if total - pruned < len(channels):
        largest = (total - len(channels)) / total
        raise TrainError(
            f"ratio {ratio} leaves {total - pruned} of {total} channels for {len(channels)} layers; "
            f"each layer keeps at least one, so at most {largest:.4f} can be removed"
        )
    return pruned


def lowest_channels(scores: list[Tensor], count: int) -> list[Tensor]:
    """Masks (True: keep) that prune the ``count`` lowest scores of all layers together.

    The best channel of each layer is never pruned. Equal scores fall in the order of layer and channel.
    """
    protected = [score.clone() for score in scores]
    for score in protected:
        score[score.argmax()] = torch.inf
    flat = torch.cat(protected)
    keep = torch.ones(len(flat), dtype=torch.bool)
    keep[torch.sort(flat, stable=True).indices[:count].to(keep.device)] = False
    return list(keep.split([len(score) for score in scores]))


def regrow_channels(keep: list[Tensor], gradients: list[Tensor], count: int) -> list[Tensor]:
    """Masks in which the ``count`` pruned channels with the largest gamma gradients are kept again."""
    flat_keep = torch.cat(keep)
    flat_gradient = torch.cat([gradient.abs() for gradient in gradients]).cpu()
    flat_gradient[flat_keep] = -torch.inf
    grown = flat_keep.clone()
    grown[torch.sort(flat_gradient, descending=True, stable=True).indices[:count]] = True
    return list(grown.split([len(part) for part in keep]))


def new_masks(scores: list[Tensor], gradients: list[Tensor], ratio: float, exchange: float) -> list[Tensor]:
    """Masks of one structure update: prune to ``ratio`` and ``exchange`` further, regrow ``exchange``.

    Exactly round(ratio * channels) channels end up pruned. The exchange shrinks where pruning it would leave a layer
    without a channel.
    """
    widths = [len(score) for score in scores]
    target = pruned_count(ratio, widths)
    extra = min(round(exchange * sum(widths)), sum(widths) - len(widths) - target)
    return regrow_channels(lowest_channels(scores, target + extra), gradients, extra)


class StructureLearner:
    """Records activity and gamma gradients of a network while it trains, and updates its masks."""

    def __init__(self, network: Network, ratio: float, exchange: float, score: str) -> None:
        self.network = network
        self.ratio = ratio
        self.exchange = exchange
        self.score = score
        pruned_count(ratio, [spec.channels for spec in network.specs])

    def start(self) -> None:
        """Record from now on, and let gradients pass into pruned channels."""
        for layer in self.network.spiking_layers():
            layer.record = layer.regrow = True

    def stop(self) -> None:
        """Neither record nor let gradients pass."""
        for layer in self.network.spiking_layers():
            layer.record = layer.regrow = False

    def after_backward(self, l1: float) -> None:
        """Add up |gradient of gamma|, then add the subgradient of ``l1`` times the L1 norm of the gammas."""
        for layer in self.network.spiking_layers():
            gamma = layer.norm.weight
            assert isinstance(gamma, Tensor) and gamma.grad is not None
            layer.gamma_gradient += gamma.grad.abs()
            gamma.grad.add_(gamma.detach().sign(), alpha=l1)

    def update(self) -> None:
        """One structure update from what was recorded since the last one."""
        layers = self.network.spiking_layers()
        pixels = feature_map_pixels(self.network)
        scores = [channel_scores(layer, self.score, size).cpu() for layer, size in zip(layers, pixels, strict=True)]
        gradients = [layer.gamma_gradient for layer in layers]
        for layer, mask in zip(layers, new_masks(scores, gradients, self.ratio, self.exchange), strict=True):
            layer.mask.copy_(mask)
            for record in (layer.potential, layer.samples, layer.gamma_gradient):
                record.zero_()


def feature_map_pixels(network: Network) -> list[int]:
    """Height times width of each spiking layer's feature map before pooling."""
    height, width, _ = network.input_shape
    pixels = []
    for spec in network.specs:
        if spec.kind == "linear":
            height = width = 1
        pixels.append(height * width)
        height, width = height // spec.pool, width // spec.pool
    return pixels


def sparsity(network: Network) -> float:
    """Fraction of the channels of a network that its masks prune."""
    masks = torch.cat([layer.mask for layer in network.spiking_layers()])
    return 1.0 - float(masks.mean(dtype=torch.float64))
