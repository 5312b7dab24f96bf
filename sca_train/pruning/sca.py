"""Spiking Channel Activity based pruning and regrowth (Li et al., ICML 2024, section 4), and its ablations.

Channels that meet in an addition are pruned together: layers of one ``pruning_group`` share a mask. All counts and
ratios here are over the channels of groups, so that a channel of a group counts once however many layers have it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sca_train.config import TrainConfig, prunes, search_epochs
from sca_train.errors import TrainError
from sca_train.network import Network
from sca_train.parallel import rank, sum_over_ranks
from sca_train.pruning.budget import MemoryBudget
from sca_train.pruning.compact import is_quantizer_scale
from sca_train.pruning.multiples import least_channels, rounded_masks
from sca_train.specs import LayerSpec
from sca_train.spiking_layer import SpikingLayer


@dataclass(frozen=True)
class Choice:
    """What one structure update may choose, for each group of channels.

    masks: masks (True: keep) with so many channels pruned; more pruned never keeps a channel that less does not keep.
    leave, come_back: where counts are rounded to a multiple, the kept channels of the lowest ``leave`` go, and the
    pruned ones of the largest ``come_back`` return, unless it is -inf.
    """

    masks: Callable[[int], list[Tensor]]
    leave: list[Tensor]
    come_back: list[Tensor]


def pruning_groups(network: Network) -> dict[str, list[SpikingLayer]]:
    """Layers by the group they prune in, in the order of the network."""
    groups: dict[str, list[SpikingLayer]] = {}
    for layer in network.spiking_layers():
        groups.setdefault(layer.spec.pruning_group, []).append(layer)
    return groups


def channel_scores(layer: SpikingLayer, score: str, score_map: str, pixels: int) -> Tensor:
    """Score of each channel of a layer [C] float64.

    membrane: the L1 norm of the membrane potential before reset, summed over the feature map and averaged over the
    recorded samples and the time steps (Eq. 4); spikes: the spikes likewise; gamma: the magnitude of the batch norm's
    gamma; weight-l1: the L1 norm of all weights into the channel. With ``score_map`` "mean" the first two are divided
    by the ``pixels`` of the feature map, so that large maps do not outrank small ones; with "relative" every score is
    divided by the mean over its layer, so that channels compete with their neighbours and no layer as a whole is lost.
    """
    scores = _absolute_scores(layer, score, score_map, pixels)
    return scores / scores.mean().clamp(min=1e-12) if score_map == "relative" else scores


def _absolute_scores(layer: SpikingLayer, score: str, score_map: str, pixels: int) -> Tensor:
    if score == "gamma":
        gamma = layer.norm.weight
        assert isinstance(gamma, Tensor)
        return gamma.detach().abs().double()
    if score == "weight-l1":
        return incoming_weights(layer)
    recorded = layer.potential if score == "membrane" else layer.spike_count
    scores = recorded / layer.samples.clamp(min=1.0)
    return scores / pixels if score_map == "mean" else scores


def incoming_weights(layer: SpikingLayer) -> Tensor:
    """L1 norm [C] float64 of the weights of all connections into each channel."""
    total = torch.zeros(layer.spec.channels, dtype=torch.float64, device=layer.mask.device)
    for key, value in layer.connections.named_parameters():
        if value.dim() > 1 and not is_quantizer_scale(key):
            total += value.detach().double().abs().flatten(1).sum(1)
    return total


def ramp_after(config: TrainConfig, epochs: int) -> float:
    """Share of all channels to be pruned that are pruned after so many epochs of the search: ``ratio_ramp``.

    It is that of the updates; the last one, at the end of the search, prunes all.
    """
    rising = config.ratio_ramp * search_epochs(config)
    return min(1.0, epochs / rising) if rising > 0.0 else 1.0


def pruned_count(ratio: float, channels: list[int], min_channel_fraction: float = 0.0, multiple: int = 1) -> int:
    """How many channels ``ratio`` removes from groups of these widths.

    Raises TrainError when fewer would be left than each group keeps at least.
    """
    total = sum(channels)
    pruned = round(ratio * total)
    least = sum(least_channels(channels, min_channel_fraction, multiple))
    if total - pruned < least:
        kept = f"{min_channel_fraction:g} of its channels" if min_channel_fraction else "one"
        rounded = f", in multiples of {multiple}" if multiple > 1 else ""
        raise TrainError(
            f"ratio {ratio} leaves {total - pruned} of {total} channels for {len(channels)} layers; "
            f"each layer keeps at least {kept}{rounded}, so at most {(total - least) / total:.4f} can be removed"
        )
    return pruned


def lowest_channels(scores: list[Tensor], count: int, least: Sequence[int] | None = None) -> list[Tensor]:
    """Masks (True: keep) that prune the ``count`` lowest scores of all groups together.

    The best ``least`` [one] channels of each group are never pruned. Equal scores fall in the order of group and
    channel.
    """
    protected = [score.clone() for score in scores]
    for score, stay in zip(protected, least or [1] * len(scores), strict=True):
        best = torch.sort(score, descending=True, stable=True).indices
        score[best[:stay]] = torch.inf
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


def regrown_masks(
    scores: list[Tensor],
    gradients: list[Tensor],
    pruned: int,
    regrow_fraction: float,
    least: Sequence[int] | None = None,
) -> list[Tensor]:
    """Masks of one structure update: prune ``pruned`` channels and ``regrow_fraction`` of all further, regrow those.

    Exactly ``pruned`` channels end up pruned. That fraction shrinks where it would leave a group less than it keeps.
    """
    widths = [len(score) for score in scores]
    most = sum(widths) - sum(least or [1] * len(widths))
    extra = min(round(regrow_fraction * sum(widths)), most - pruned)
    return regrow_channels(lowest_channels(scores, pruned + extra, least), gradients, extra)


class Pruner:
    """Records activity and gamma gradients of a network while it trains, and updates its masks."""

    def __init__(self, network: Network, config: TrainConfig) -> None:
        """Raises TrainError for a ratio or a budget that no mask can meet."""
        self.network = network
        self.config = config
        self.groups = pruning_groups(network)
        self.widths = [layers[0].spec.channels for layers in self.groups.values()]
        self.least = least_channels(self.widths, config.min_channel_fraction, config.channel_multiple)
        self.budget = MemoryBudget(network, config.budget, self.least) if config.budget else None
        if self.budget:
            self.budget.check_possible()
        else:
            self._asked()

    def start(self) -> None:
        """Record from now on; where channels may come back, let gradients pass into pruned ones."""
        for layer in self.network.spiking_layers():
            layer.record = self.config.score in ("membrane", "spikes")
            layer.regrow = self.config.structure == "prune-regrow"

    def stop(self) -> None:
        """Neither record nor let gradients pass; the first process then holds what all recorded."""
        for layer in self.network.spiking_layers():
            layer.record = layer.regrow = False
            for record in activity(layer):
                sum_over_ranks(record)
                if rank() > 0:
                    record.zero_()

    def after_backward(self, l1: float) -> None:
        """Add up |gradient of gamma|, then add the subgradient of ``l1`` times the L1 norm of the gammas.

        The gradients are those of the whole batch, the same in every process.
        """
        for layer in self.network.spiking_layers():
            gamma = layer.norm.weight
            assert isinstance(gamma, Tensor) and gamma.grad is not None
            layer.gamma_gradient += gamma.grad.abs()
            gamma.grad.add_(gamma.detach().sign(), alpha=l1)

    def choose_randomly(self, ramp: float = 1.0) -> None:
        """Masks of the random structure: by the configured seed, each channel with the same probability.

        A larger ``ramp`` prunes all that a smaller one does.
        """
        generator = torch.Generator().manual_seed(self.config.seed)
        scores = [torch.rand(width, generator=generator, dtype=torch.float64) for width in self.widths]
        choice = Choice(lambda count: lowest_channels(scores, count, self.least), scores, scores)
        self._set_masks(self._fitting(choice, ramp))

    def update(self, ramp: float = 1.0) -> dict[str, list[float]]:
        """One structure update from what was recorded since the last one; the random structure only follows its ramp.

        ``ramp`` is the share of all channels to be pruned that are pruned now. Returns the scores of each layer's
        channels, 0.0 for those that are now removed.
        """
        for layer in self.network.spiking_layers():
            for record in activity(layer):
                sum_over_ranks(record)
        scores = layer_scores(self.network, self.config)
        if self.config.structure != "random":
            self._set_masks(self._fitting(self._choice(scores), ramp))
        elif self.config.ratio_ramp > 0.0 and prunes(self.config):
            self.choose_randomly(ramp)
        for layer in self.network.spiking_layers():
            for record in (*activity(layer), layer.gamma_gradient):
                record.zero_()
        return kept_scores(self.network, scores)

    def _choice(self, scores: dict[str, Tensor]) -> Choice:
        """What an update chooses from, by the layers' scores."""
        of_groups = [
            torch.stack([scores[layer.spec.name] for layer in layers]).mean(0) for layers in self.groups.values()
        ]
        # A pruned channel has no activity any more (the zeros of the paper's Fig. 4a): only regrowth brings it back.
        pruned = [layers[0].mask.cpu() == 0.0 for layers in self.groups.values()]
        active = [score.masked_fill(gone, -torch.inf) for score, gone in zip(of_groups, pruned, strict=True)]
        if self.config.structure == "prune-only":
            already = sum(int(part.sum()) for part in pruned)
            return Choice(lambda count: lowest_channels(active, max(count, already), self.least), active, active)
        gradients = [
            torch.stack([layer.gamma_gradient for layer in layers]).sum(0).cpu() for layers in self.groups.values()
        ]
        if self.config.score_map == "relative":
            # As for scores: the gradients of large maps are large, and would draw every regrown channel to them.
            gradients = [gradient / gradient.mean().clamp(min=1e-12) for gradient in gradients]
        # What has just regrown goes last: it has no score yet.
        leave = [score.masked_fill(gone, torch.inf) for score, gone in zip(of_groups, pruned, strict=True)]
        return Choice(
            lambda count: regrown_masks(active, gradients, count, self.config.regrow_fraction, self.least),
            leave,
            gradients,
        )

    def _asked(self) -> int:
        config = self.config
        return pruned_count(config.ratio, self.widths, config.min_channel_fraction, config.channel_multiple)

    def _fitting(self, choice: Choice, ramp: float) -> list[Tensor]:
        """Masks with the share ``ramp`` of the channels pruned that ratio or budget ask for, in whole multiples."""
        count = self.budget.smallest_pruning(choice.masks) if self.budget else self._asked()
        masks = choice.masks(round(ramp * count))
        multiple = self.config.channel_multiple
        return rounded_masks(masks, choice.leave, choice.come_back, multiple, more=self.budget is None)

    def _set_masks(self, masks: list[Tensor]) -> None:
        for layers, mask in zip(self.groups.values(), masks, strict=True):
            for layer in layers:
                layer.mask.copy_(mask)


def activity(layer: SpikingLayer) -> tuple[Tensor, Tensor, Tensor]:
    """What each process records of its own images."""
    return layer.potential, layer.spike_count, layer.samples


def layer_scores(network: Network, config: TrainConfig) -> dict[str, Tensor]:
    """The configured score [C] float64, on the CPU, of the channels of every layer."""
    pixels = network.map_sizes()
    return {
        layer.spec.name: channel_scores(layer, config.score, config.score_map, pixels[layer.spec.name]).cpu()
        for layer in network.spiking_layers()
    }


def kept_scores(network: Network, scores: dict[str, Tensor]) -> dict[str, list[float]]:
    """Scores as plain numbers, 0.0 for the channels that the masks remove."""
    return {
        layer.spec.name: (scores[layer.spec.name] * (layer.mask.cpu() != 0.0)).tolist()
        for layer in network.spiking_layers()
    }


def sparsity(network: Network, model: Sequence[LayerSpec]) -> float:
    """Fraction of the channels of the model's groups that the network lacks or its masks prune."""
    widths = {spec.name: spec.channels for spec in model}
    first = [layers[0] for layers in pruning_groups(network).values()]
    return 1.0 - sum(int(layer.mask.sum()) for layer in first) / sum(widths[layer.spec.name] for layer in first)
