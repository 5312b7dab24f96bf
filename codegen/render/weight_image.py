"""weights.bin: the weights that are not on the chip, as they lie in memory, and where those of each node are in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from codegen.render.graph import Node
from codegen.weight_bus import BURST_BEATS, BUS_BITS, frame_beats, frame_bursts, region_bytes

WEIGHT_IMAGE = "weights.bin"


@dataclass(frozen=True)
class WeightRegion:
    """The weights of one node: words of a frame, bits of one, the burst at which they begin, and their beats."""

    node: str
    words: int
    word_bits: int
    first_burst: int
    beats: int

    @property
    def bursts(self) -> int:
        return frame_bursts(self.beats)

    @property
    def last_beats(self) -> int:
        """Beats of the last burst."""
        return self.beats - (self.bursts - 1) * BURST_BEATS


def weight_regions(nodes: Sequence[Node]) -> tuple[WeightRegion, ...]:
    """Regions of the nodes that read weights from outside, one behind the other."""
    regions: list[WeightRegion] = []
    first = 0
    for node in nodes:
        stream = node.core.weight_stream
        if stream is not None:
            region = WeightRegion(node.name, stream.words, stream.bits, first, frame_beats(stream.bits, stream.words))
            regions.append(region)
            first += region.bursts
    return tuple(regions)


def image_bytes(regions: Sequence[WeightRegion]) -> int:
    """Bytes of weights.bin; 0 where no node reads weights from outside."""
    bursts = max((region.first_burst + region.bursts for region in regions), default=0)
    return bursts * BURST_BEATS * BUS_BITS // 8


def write_weight_image(nodes: Sequence[Node], folder: Path) -> None:
    """Write weights.bin into a folder, where any node reads weights from outside."""
    parts = [
        region_bytes(node.core.weight_words(), node.core.weight_stream.bits)
        for node in nodes
        if node.core.weight_stream is not None
    ]
    if parts:
        (folder / WEIGHT_IMAGE).write_bytes(np.concatenate(parts).tobytes())
