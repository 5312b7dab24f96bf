"""Sliding window: the windows of a convolution; FINN's ConvolutionInputGenerator_rtl in the RTL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from codegen.core.core import FIFO_DEPTHS, Fold, Frame, Rendered, Stream, StreamCore
from codegen.core.finn_rtl import PatchStep, Replacement, render_finn
from codegen.core.memory import MemoryStyle, block_rams, choose_memory_style, lut_ram
from codegen.core.plumbing import PlumbingNode, write_node
from codegen.core.rendering import Language
from codegen.errors import FoldingError, RenderError
from codegen.fit import Resources

_CONTROL_LUTS = 153


@dataclass(frozen=True)
class SlidingWindow(StreamCore):
    """[height, width, channels] in, windows of kernel taps out, order (kh, kw, c).

    simd channels of element_bits per stream word; simd divides channels. ``depth`` is the number of words buffered,
    at least the span of one window (FINN: ``get_buffer_depth``).
    """

    op: ClassVar[str] = "ConvolutionInputGenerator"
    folds: ClassVar[tuple[Fold, ...]] = (
        Fold("SIMD", "simd", "channels", "channels"),
        Fold(FIFO_DEPTHS),
        Fold("ram_style", choices=("auto", "block", "distributed", "ultra")),
    )
    sources: ClassVar[Mapping[Language, tuple[str, ...]]] = {
        "hls": ("sliding_window.hpp", "trip_count.hpp"),
        "rtl": (),
    }
    rtl_from_finn: ClassVar[bool] = True

    height: int
    width: int
    channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    simd: int
    element_bits: int
    depth: int
    signed: bool = field(default=False, compare=False)
    operator: Any = field(default=None, compare=False, repr=False)
    """FINN's operator of the node, which generates its RTL."""

    def __post_init__(self) -> None:
        if self.simd < 1 or self.channels % self.simd:
            raise FoldingError(
                f"SlidingWindow {self.name!r}: SIMD={self.simd} does not divide the {self.channels} channels of the map"
            )
        if self.depth < self.span:
            raise FoldingError(
                f"SlidingWindow {self.name!r}: a buffer of {self.depth} words is less than a window's {self.span}"
            )

    @classmethod
    def from_operator(cls, operator: Any) -> Self:
        """The core of FINN's ConvolutionInputGenerator.

        Raises RenderError for a variant of it that has no HLS counterpart.
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
            # FINN's 1x1 window keeps two words whatever the folds; the HLS core keeps the folds of a pixel.
            depth=max(operator.get_buffer_depth(), get("IFMChannels") // get("SIMD")),
            signed=datatype.signed(),
            operator=operator,
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
    def cycles(self) -> int:
        """Of FINN's addressable buffer (its get_exp_cycles): frames do not overlap in it."""
        rows, columns = self.out_size
        write = columns * self.kernel[0] * self.kernel[1] * self.folds_per_pixel
        read = self.stride[0] * self.width * self.folds_per_pixel
        return self.fill_words + rows * max(write, read)

    @property
    def fill_words(self) -> int:
        return self.span

    @property
    def opening_words(self) -> int:
        return self.kernel[0] * self.folds_per_pixel

    @property
    def ram_style(self) -> MemoryStyle:
        """LUT RAM for small line buffers, block RAM for large ones."""
        return choose_memory_style(self.span, self.inputs[0].bits)

    def folding(self) -> dict[str, Any]:
        return {**super().folding(), "ram_style": self.ram_style}

    def refolded(self, values: Mapping[str, Any]) -> Self:
        """The buffer holds the same pixels whatever the folding."""
        simd = values.get("simd", self.simd)
        return replace(self, simd=simd, depth=self.depth // self.folds_per_pixel * (self.channels // simd))

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
        return window_resources(self.inputs[0].bits, self.span, self.ram_style)

    def render(self, language: Language, folder: Path) -> Rendered:
        if language == "rtl":
            return render_finn(self.name, self.operator, PATCH_STEPS, folder)
        rows, columns = self.kernel
        return write_node(
            PlumbingNode(
                name=self.name,
                summary=f"{rows}x{columns} windows of a {self.height}x{self.width}x{self.channels} map",
                function="sliding_window",
                in_bits=self.inputs[0].bits,
                out_bits=self.outputs[0].bits,
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


def window_resources(word_bits: int, depth: int, style: MemoryStyle) -> Resources:
    """Addressable buffer of ``depth`` words in block RAM or LUT RAM (``python -m bench.plumbing_luts``)."""
    if style == "block":
        return Resources(lut=_CONTROL_LUTS, ff=90, bram36=block_rams(word_bits, depth), dsp=0)
    return Resources(lut=round(_CONTROL_LUTS + lut_ram(word_bits, depth)), ff=70 + word_bits, bram36=0, dsp=0)


class CompleteSlidingWindowCase(PatchStep):
    """Verilator infers a latch from a case over an enumeration without default: the address increment gets one."""

    file = "swg/swg_common.sv"
    sha256 = "3dea68298aa7185bc7d71ed5bcf7b0b46fc24a61044f6b1adb39230054e3578b"
    replacements = (
        Replacement(
            "            STATE_START     : addr_incr = 0;\n",
            "            default         : addr_incr = 0; // STATE_START\n",
        ),
    )


PATCH_STEPS: tuple[PatchStep, ...] = (CompleteSlidingWindowCase(),)
