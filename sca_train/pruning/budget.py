"""Pruning by the memory of a board: the smallest ratio whose compact network's weights fit (option ``budget``)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from sca_train.connections import connection_bits
from sca_train.errors import TrainError
from sca_train.network import Network
from sca_train.pruning.memory import board_memory_bits
from sca_train.specs import IMAGE


@dataclass(frozen=True)
class WeightBlock:
    """The weights between two groups of channels, given as indices into the masks: ``bits`` per pair of channels.

    None stands for the image and for the classes: all their channels stay, and ``bits`` counts them together.
    """

    source: int | None
    target: int | None
    bits: int


def weight_blocks(network: Network) -> list[WeightBlock]:
    """All weights of a network by the groups that decide how many of them stay."""
    groups = list(dict.fromkeys(spec.pruning_group for spec in network.specs))
    group_of = {spec.name: groups.index(spec.pruning_group) for spec in network.specs}
    widths = {spec.name: spec.channels for spec in network.specs}
    blocks = []
    for layer in network.spiking_layers():
        for entry in layer.spec.inputs:
            if entry.kind == "identity":
                continue
            weight = layer.connections[entry.name].weight
            assert isinstance(weight, Tensor)
            bits = weight.numel() // layer.spec.channels * connection_bits(entry, network.config)
            source = None if entry.source == IMAGE else group_of[entry.source]
            pair_bits = bits if source is None else bits // widths[entry.source]
            blocks.append(WeightBlock(source, group_of[layer.spec.name], pair_bits))
    last = network.specs[-1].name
    bits = network.readout.weight.weight.numel() // widths[last] * network.config.weight_bits
    return [*blocks, WeightBlock(group_of[last], None, bits)]


def weight_bits(blocks: Sequence[WeightBlock], kept: Sequence[int]) -> int:
    """Bits of all weights that stay when so many channels of each group do."""
    total = 0
    for block in blocks:
        inputs = 1 if block.source is None else kept[block.source]
        outputs = 1 if block.target is None else kept[block.target]
        total += block.bits * inputs * outputs
    return total


class MemoryBudget:
    """How many channels must go for the weights of a network to fit a board."""

    def __init__(
        self, network: Network, board: str, least: Sequence[int] | None = None, capacity: int | None = None
    ) -> None:
        """``least``: channels that each group keeps [one]; ``capacity`` in bits replaces that of the board."""
        self.board = board
        self.capacity = board_memory_bits(board) if capacity is None else capacity
        self.blocks = weight_blocks(network)
        self.widths = list({spec.pruning_group: spec.channels for spec in network.specs}.values())
        self.least = [1] * len(self.widths) if least is None else list(least)

    def check_possible(self) -> None:
        """TrainError when the channels that each group keeps are still too much."""
        least = weight_bits(self.blocks, self.least)
        if least > self.capacity:
            one_each = max(self.least) == 1
            kept = "one channel in each layer" if one_each else f"the least channels, {self.least} of the layers,"
            raise TrainError(
                f"the weights do not fit {self.board}: with {kept} they still take {least} bits, "
                f"and its memory takes {self.capacity}"
            )

    def fits(self, masks: Sequence[Tensor]) -> bool:
        """Whether the weights that masks (True: keep), one per group, leave over fit the board."""
        return weight_bits(self.blocks, [int(mask.sum()) for mask in masks]) <= self.capacity

    def smallest_pruning(self, choose: Callable[[int], list[Tensor]]) -> int:
        """The fewest pruned channels that fit, of the masks that ``choose`` makes by their number.

        More pruned channels must never keep a channel that fewer do not keep: then a bisection finds them.
        """
        most = sum(self.widths) - sum(self.least)
        return bisect_left(range(most), True, key=lambda pruned: self.fits(choose(pruned)))
