"""Padding: zeros around a feature map, the HLS counterpart of FINN's FMPadding_rtl."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codegen.core.plumbing import Constant, PlumbingNode, write_node
from codegen.errors import FoldingError

HLS_SOURCES = ("padding.hpp", "trip_count.hpp")


@dataclass(frozen=True)
class PaddingSpec:
    """Parameters of one core: [height, width, channels] in, zeros added on the four sides.

    simd channels of element_bits per stream word; simd divides channels.
    """

    name: str
    height: int
    width: int
    channels: int
    top: int
    left: int
    bottom: int
    right: int
    simd: int
    element_bits: int

    def __post_init__(self) -> None:
        if self.simd < 1 or self.channels % self.simd:
            raise FoldingError(
                f"Padding {self.name!r}: SIMD={self.simd} does not divide the {self.channels} channels of the map"
            )

    @property
    def folds(self) -> int:
        return self.channels // self.simd

    @property
    def word_bits(self) -> int:
        return self.simd * self.element_bits

    @property
    def cycles(self) -> int:
        """Cycles per frame at full throughput: one word out per cycle."""
        return (self.top + self.height + self.bottom) * (self.left + self.width + self.right) * self.folds


def reference(spec: PaddingSpec, frame: NDArray[np.int64]) -> NDArray[np.int64]:
    """Naive model: [height, width, channels] to the padded [rows, columns, channels]."""
    return np.pad(frame, ((spec.top, spec.bottom), (spec.left, spec.right), (0, 0)))


def write_hls(spec: PaddingSpec, folder: Path) -> list[Path]:
    """Write <name>.hpp into the folder; returns the file written."""
    values = {
        "HEIGHT": spec.height,
        "WIDTH": spec.width,
        "FOLDS": spec.folds,
        "TOP": spec.top,
        "LEFT": spec.left,
        "BOTTOM": spec.bottom,
        "RIGHT": spec.right,
        "WORD_BITS": spec.word_bits,
    }
    return write_node(
        PlumbingNode(
            name=spec.name,
            summary=f"zero padding of a {spec.height}x{spec.width}x{spec.channels} map",
            header="padding.hpp",
            function="padding",
            in_bits=spec.word_bits,
            out_bits=spec.word_bits,
            constants=tuple(Constant(*item) for item in values.items()),
        ),
        folder,
    )
