"""Sliding window: the windows of a convolution, of any kernel, stride and dilation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np

from codegen.cores.core import FIFO_DEPTHS, Fold, Frame, Rendered, Stream, StreamCore
from codegen.cores.memory import MEMORY_STYLES, MemoryStyle, block_rams, choose_memory_style, lut_ram
from codegen.cores.rendering import Language, render
from codegen.cores.stream_instance import StreamInstance, write_node
from codegen.errors import FoldingError, RenderError
from codegen.fit import Resources

_CONTROL_LUTS = 36
_FRAMES_TO_STEADY = 4
"""After which every frame takes as long as the one before."""


@dataclass(frozen=True)
class SlidingWindow(StreamCore):
    """[height, width, channels] in, windows of kernel taps out, order (kh, kw, c).

    simd channels of element_bits per stream word; simd divides channels. ``memory``: where the buffer lies, "block" or
    "distributed", or as it costs least.
    """

    op: ClassVar[str] = "ConvolutionInputGenerator"
    folds: ClassVar[tuple[Fold, ...]] = (
        Fold("SIMD", "simd", "channels", "channels"),
        Fold(FIFO_DEPTHS),
        Fold("ram_style", choices=("auto", *MEMORY_STYLES)),
    )
    sources: ClassVar[Mapping[Language, tuple[str, ...]]] = {
        "hls": ("sliding_window.hpp", "trip_count.hpp"),
        "rtl": ("sliding_window.sv",),
    }

    height: int
    width: int
    channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    simd: int
    element_bits: int
    memory: MemoryStyle | Literal["auto"] = "auto"
    signed: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        if self.simd < 1 or self.channels % self.simd:
            raise FoldingError(
                f"SlidingWindow {self.name!r}: SIMD={self.simd} does not divide the {self.channels} channels of the map"
            )

    @classmethod
    def from_operator(cls, operator: Any) -> Self:
        """The core of FINN's ConvolutionInputGenerator.

        Raises RenderError for a variant of it that the core is not.
        """
        get = operator.get_nodeattr
        name = operator.onnx_node.name
        if get("depthwise") or get("parallel_window"):
            raise RenderError(
                f"sliding window {name!r} is depthwise or has a parallel window; only one pixel fold per cycle "
                "in dense order is rendered"
            )
        height, width = get("IFMDim")
        datatype = operator.get_input_datatype()
        return cls(
            name=name,
            height=height,
            width=width,
            channels=get("IFMChannels"),
            kernel=tuple(get("ConvKernelDim")),
            stride=tuple(get("Stride")),
            dilation=tuple(get("Dilation")),
            simd=get("SIMD"),
            element_bits=datatype.bitwidth(),
            memory=get("ram_style"),
            signed=datatype.signed(),
        )

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        small = cls(
            "lint_window", height=6, width=7, channels=4, kernel=(3, 3), stride=(1, 1), dilation=(1, 1), simd=2,
            element_bits=4,
        )  # fmt: skip
        return (
            small,
            replace(small, name="lint_window_dilated", stride=(2, 3), dilation=(2, 1), kernel=(2, 3), memory="block"),
            replace(small, name="lint_window_points", kernel=(1, 1), stride=(2, 2), simd=4),
            replace(small, name="lint_window_map", kernel=(6, 7), simd=4),
        )

    @property
    def folds_per_pixel(self) -> int:
        return self.channels // self.simd

    @property
    def span(self) -> int:
        """Words from the first to the last one of a window."""
        rows, columns = ((k - 1) * d for k, d in zip(self.kernel, self.dilation, strict=True))
        return (rows * self.width + columns + 1) * self.folds_per_pixel

    @property
    def out_size(self) -> tuple[int, int]:
        """Rows and columns of windows."""
        rows, columns = (
            (size - (k - 1) * d - 1) // s + 1
            for size, k, s, d in zip((self.height, self.width), self.kernel, self.stride, self.dilation, strict=True)
        )
        return rows, columns

    @property
    def inputs(self) -> tuple[Stream, ...]:
        words = self.height * self.width * self.folds_per_pixel
        return (Stream(self.simd, self.element_bits, self.signed, words),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        rows, columns = self.out_size
        words = rows * columns * self.kernel[0] * self.kernel[1] * self.folds_per_pixel
        return (Stream(self.simd, self.element_bits, self.signed, words),)

    @property
    def steps(self) -> tuple[int, int, int]:
        """Words from the first one of a window to that of the next: in its row, in the next row, in the next frame."""
        rows, columns = self.out_size
        column = self.stride[1] * self.folds_per_pixel
        last = (columns - 1) * column
        row = self.stride[0] * self.width * self.folds_per_pixel
        frame = self.height * self.width * self.folds_per_pixel
        return column, row - last, frame - (rows - 1) * row - last

    @property
    def address_bits(self) -> int:
        """Of the cyclic buffer: a window, and the step to the next one, which is taken while it is given."""
        return max(1, (self.span + self.steps[0] - 1).bit_length())

    @property
    def depth(self) -> int:
        """Words of the buffer."""
        return 1 << self.address_bits

    @property
    def cycles(self) -> int:
        """Interval of the RTL from frame to frame."""
        return _interval(self)

    @property
    def fill_words(self) -> int:
        return self.span

    @property
    def opening_words(self) -> int:
        return self.kernel[0] * self.folds_per_pixel

    @property
    def ram_style(self) -> MemoryStyle:
        """LUT RAM for small line buffers, block RAM for large ones, where ``memory`` does not say."""
        if self.memory != "auto":
            return self.memory
        return choose_memory_style(self.depth, self.inputs[0].bits)

    def folding(self) -> dict[str, Any]:
        return {**super().folding(), "ram_style": self.ram_style}

    def memory_choices(self) -> tuple[Self, ...]:
        return tuple(replace(self, memory=style) for style in MEMORY_STYLES)

    def reference(self, *frames: Frame) -> tuple[Frame, ...]:
        image = frames[0].reshape(self.height, self.width, self.channels)
        rows, columns = self.out_size
        windows = []
        for row in range(rows):
            for column in range(columns):
                top, left = row * self.stride[0], column * self.stride[1]
                window = image[
                    top : top + (self.kernel[0] - 1) * self.dilation[0] + 1 : self.dilation[0],
                    left : left + (self.kernel[1] - 1) * self.dilation[1] + 1 : self.dilation[1],
                ]
                windows.append(window.reshape(-1, self.simd))
        return (np.concatenate(windows),)

    def resources(self) -> Resources:
        return window_resources(self.inputs[0].bits, self.depth, self.ram_style)

    def render(self, language: Language, folder: Path) -> Rendered:
        if language == "rtl":
            return self._render_rtl(folder)
        rows, columns = self.kernel
        return write_node(
            StreamInstance(
                name=self.name,
                summary=f"{rows}x{columns} windows of a {self.height}x{self.width}x{self.channels} map",
                function="sliding_window",
                ports=self.function_ports,
                constants={
                    "HEIGHT": self.height,
                    "WIDTH": self.width,
                    "FOLDS": self.folds_per_pixel,
                    "KERNEL_H": rows,
                    "KERNEL_W": columns,
                    "STRIDE_H": self.stride[0],
                    "STRIDE_W": self.stride[1],
                    "DILATION_H": self.dilation[0],
                    "DILATION_W": self.dilation[1],
                    "DEPTH": self.depth,
                    "WORD_BITS": self.inputs[0].bits,
                },
            ),
            folder,
        )

    def _render_rtl(self, folder: Path) -> Rendered:
        values = self.parameters() | {
            "folds": self.folds_per_pixel,
            "bits": self.inputs[0].bits,
            "padded": self.inputs[0].padded_bits,
            "address_bits": self.address_bits,
            "block_ram": int(self.ram_style == "block"),
        }
        render("rtl", "sliding_window_wrapper.sv.j2", values, folder / f"{self.name}.sv")
        return Rendered((f"{self.name}.sv",))


@cache
def _interval(core: SlidingWindow) -> int:
    """Cycles from frame to frame at full throughput, window by window.

    Words are taken one a cycle as long as the buffer has place beyond the start of the current window, which is written
    when all of it is there.
    """
    rows, columns = core.out_size
    words = core.kernel[0] * core.kernel[1] * core.folds_per_pixel
    depth = core.depth
    to_column, to_row, to_frame = core.steps
    start = taken = cycle = 0
    ends = []
    for _ in range(_FRAMES_TO_STEADY):
        for row in range(rows):
            for column in range(columns):
                waits = max(0, start + core.span - taken)
                cycle += waits + words
                taken = min(taken + waits + words, start + depth)
                start += to_column if column < columns - 1 else to_row if row < rows - 1 else to_frame
        ends.append(cycle)
    return ends[-1] - ends[-2]


def window_resources(word_bits: int, depth: int, style: MemoryStyle) -> Resources:
    """Counters and a cyclic buffer of ``depth`` words in block RAM or LUT RAM (``python -m bench.stream_luts``)."""
    if style == "block":
        return Resources(lut=_CONTROL_LUTS, ff=50, bram36=block_rams(word_bits, depth), dsp=0)
    return Resources(lut=round(_CONTROL_LUTS + lut_ram(word_bits, depth)), ff=40 + word_bits, bram36=0, dsp=0)
