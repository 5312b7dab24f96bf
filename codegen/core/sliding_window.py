"""Sliding window: the windows of a convolution, the HLS counterpart of FINN's ConvolutionInputGenerator_rtl."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codegen.core.plumbing import Constant, PlumbingNode, write_node
from codegen.errors import FoldingError

HLS_SOURCES = ("sliding_window.hpp", "trip_count.hpp")


@dataclass(frozen=True)
class SlidingWindowSpec:
    """Parameters of one core: [height, width, channels] in, windows of kernel taps out, order (kh, kw, c).

    simd channels of element_bits per stream word; simd divides channels. ``depth`` is the number of words buffered,
    at least the span of one window (FINN: ``get_buffer_depth``).
    """

    name: str
    height: int
    width: int
    channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    simd: int
    element_bits: int
    depth: int

    def __post_init__(self) -> None:
        if self.simd < 1 or self.channels % self.simd:
            raise FoldingError(
                f"SlidingWindow {self.name!r}: SIMD={self.simd} does not divide the {self.channels} channels of the map"
            )
        if self.depth < self.span:
            raise FoldingError(
                f"SlidingWindow {self.name!r}: a buffer of {self.depth} words is less than a window's {self.span}"
            )

    @property
    def folds(self) -> int:
        return self.channels // self.simd

    @property
    def word_bits(self) -> int:
        return self.simd * self.element_bits

    @property
    def span(self) -> int:
        """Words from the first to the last one of a window."""
        rows, columns = ((k - 1) * d for k, d in zip(self.kernel, self.dilation, strict=True))
        return (rows * self.width + columns + 1) * self.folds

    @property
    def out_size(self) -> tuple[int, int]:
        """Rows and columns of windows."""
        rows, columns = (
            (size - (k - 1) * d - 1) // s + 1
            for size, k, s, d in zip((self.height, self.width), self.kernel, self.stride, self.dilation, strict=True)
        )
        return rows, columns


def reference(spec: SlidingWindowSpec, frame: NDArray[np.int64]) -> NDArray[np.int64]:
    """Naive model: [height, width, channels] to [windows, kernel_h * kernel_w * channels]."""
    rows, columns = spec.out_size
    windows = []
    for row in range(rows):
        for column in range(columns):
            top, left = row * spec.stride[0], column * spec.stride[1]
            patch = frame[
                top : top + (spec.kernel[0] - 1) * spec.dilation[0] + 1 : spec.dilation[0],
                left : left + (spec.kernel[1] - 1) * spec.dilation[1] + 1 : spec.dilation[1],
            ]
            windows.append(patch.reshape(-1))
    return np.stack(windows)


def write_hls(spec: SlidingWindowSpec, folder: Path) -> list[Path]:
    """Write <name>.hpp into the folder; returns the file written."""
    values = {
        "HEIGHT": spec.height,
        "WIDTH": spec.width,
        "FOLDS": spec.folds,
        "KERNEL_H": spec.kernel[0],
        "KERNEL_W": spec.kernel[1],
        "STRIDE_H": spec.stride[0],
        "STRIDE_W": spec.stride[1],
        "DILATION_H": spec.dilation[0],
        "DILATION_W": spec.dilation[1],
        "DEPTH": spec.depth,
        "WORD_BITS": spec.word_bits,
    }
    return write_node(
        PlumbingNode(
            name=spec.name,
            summary=f"{spec.kernel[0]}x{spec.kernel[1]} windows of a {spec.height}x{spec.width}x{spec.channels} map",
            header="sliding_window.hpp",
            function="sliding_window",
            in_bits=spec.word_bits,
            out_bits=spec.word_bits,
            constants=tuple(Constant(*item) for item in values.items()),
        ),
        folder,
    )
