"""Padding: zeros around a feature map; FINN's FMPadding_rtl in the RTL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from codegen.cores.core import FIFO_DEPTHS, Fold, Frame, Rendered, Stream, StreamCore
from codegen.cores.finn_rtl import PatchStep, Replacement, render_finn
from codegen.cores.rendering import Language
from codegen.cores.stream_instance import StreamInstance, write_node
from codegen.errors import FoldingError
from codegen.fit import Resources


@dataclass(frozen=True)
class Padding(StreamCore):
    """[height, width, channels] in, zeros added on the four sides.

    simd channels of element_bits per stream word; simd divides channels.
    """

    op: ClassVar[str] = "FMPadding"
    folds: ClassVar[tuple[Fold, ...]] = (Fold("SIMD", "simd", "channels", "channels"), Fold(FIFO_DEPTHS))
    sources: ClassVar[Mapping[Language, tuple[str, ...]]] = {"hls": ("padding.hpp", "trip_count.hpp"), "rtl": ()}
    rtl_from_finn: ClassVar[bool] = True

    height: int
    width: int
    channels: int
    top: int
    left: int
    bottom: int
    right: int
    simd: int
    element_bits: int
    signed: bool = field(default=False, compare=False)
    operator: Any = field(default=None, compare=False, repr=False)
    """FINN's operator of the node, which generates its RTL."""

    def __post_init__(self) -> None:
        if self.simd < 1 or self.channels % self.simd:
            raise FoldingError(
                f"Padding {self.name!r}: SIMD={self.simd} does not divide the {self.channels} channels of the map"
            )

    @classmethod
    def from_operator(cls, operator: Any) -> Self:
        """The core of FINN's FMPadding."""
        get = operator.get_nodeattr
        height, width = get("ImgDim")
        top, left, bottom, right = get("Padding")
        datatype = operator.get_input_datatype()
        return cls(
            name=operator.onnx_node.name,
            height=height,
            width=width,
            channels=get("NumChannels"),
            top=top,
            left=left,
            bottom=bottom,
            right=right,
            simd=get("SIMD"),
            element_bits=datatype.bitwidth(),
            signed=datatype.signed(),
            operator=operator,
        )

    @property
    def folds_per_pixel(self) -> int:
        return self.channels // self.simd

    @property
    def out_size(self) -> tuple[int, int]:
        """Rows and columns of the padded map."""
        return self.top + self.height + self.bottom, self.left + self.width + self.right

    @property
    def inputs(self) -> tuple[Stream, ...]:
        words = self.height * self.width * self.folds_per_pixel
        return (Stream(self.simd, self.element_bits, self.signed, words),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.simd, self.element_bits, self.signed, self.cycles),)

    @property
    def cycles(self) -> int:
        """One word out per cycle."""
        rows, columns = self.out_size
        return rows * columns * self.folds_per_pixel

    @property
    def closing_words(self) -> int:
        """It writes the zeros below a frame without reading."""
        return self.bottom * self.width * self.folds_per_pixel

    def reference(self, *frames: Frame) -> tuple[Frame, ...]:
        image = frames[0].reshape(self.height, self.width, self.channels)
        padded = np.pad(image, ((self.top, self.bottom), (self.left, self.right), (0, 0)))
        return (padded.reshape(-1, self.simd),)

    def resources(self) -> Resources:
        return padding_resources(self.inputs[0].bits)

    def render(self, language: Language, folder: Path) -> Rendered:
        if language == "rtl":
            return render_finn(self.name, self.operator, PATCH_STEPS, folder)
        return write_node(
            StreamInstance(
                name=self.name,
                summary=f"zero padding of a {self.height}x{self.width}x{self.channels} map",
                function="padding",
                ports=self.function_ports,
                constants={
                    "HEIGHT": self.height,
                    "WIDTH": self.width,
                    "FOLDS": self.folds_per_pixel,
                    "TOP": self.top,
                    "LEFT": self.left,
                    "BOTTOM": self.bottom,
                    "RIGHT": self.right,
                    "WORD_BITS": self.inputs[0].bits,
                },
            ),
            folder,
        )


def padding_resources(word_bits: int) -> Resources:
    """Position counters, and a skid buffer that takes the word or zero (``python -m bench.stream_luts``)."""
    return Resources(lut=round(22 + 0.93 * word_bits), ff=round(22 + 1.95 * word_bits), bram36=0, dsp=0)


class TieOffPaddingConfiguration(PatchStep):
    """The padding's AXI-Lite port for sizes at run time is unused here: inputs become constants, the port goes, so that
    every rendered node has the same two streams and synthesis does not count registers for it."""

    file = "fmpadding/hdl/fmpadding_template.v"
    template = True
    sha256 = "b6a02e480299a657c68aa98672a6cf42e8ddf792feaf8d86162cfd205a218987"
    replacements = (
        Replacement(":s_axilite, ASSOCIATED_RESET", ", ASSOCIATED_RESET"),
        Replacement(
            """//- AXI Lite ------------------------
// Writing
input	       s_axilite_AWVALID,
output	       s_axilite_AWREADY,
input	[4:0]  s_axilite_AWADDR,

input	        s_axilite_WVALID,
output	        s_axilite_WREADY,
input	[31:0]  s_axilite_WDATA,
input	[ 3:0]  s_axilite_WSTRB,

output	       s_axilite_BVALID,
input	       s_axilite_BREADY,
output	[1:0]  s_axilite_BRESP,

// Reading
input	       s_axilite_ARVALID,
output	       s_axilite_ARREADY,
input	[4:0]  s_axilite_ARADDR,

output	        s_axilite_RVALID,
input	        s_axilite_RREADY,
output	[31:0]  s_axilite_RDATA,
output	[ 1:0]  s_axilite_RRESP,

""",
            "",
        ),
        Replacement("(s_axilite_AWVALID)", "(1'b0)"),
        Replacement("(s_axilite_AWREADY)", "()"),
        Replacement("(s_axilite_AWADDR)", "(5'b0)"),
        Replacement("(s_axilite_WVALID)", "(1'b0)"),
        Replacement("(s_axilite_WREADY)", "()"),
        Replacement("(s_axilite_WDATA)", "(32'b0)"),
        Replacement("(s_axilite_WSTRB)", "(4'b0)"),
        Replacement("(s_axilite_BVALID)", "()"),
        Replacement("(s_axilite_BREADY)", "(1'b0)"),
        Replacement("(s_axilite_BRESP)", "()"),
        Replacement("(s_axilite_ARVALID)", "(1'b0)"),
        Replacement("(s_axilite_ARREADY)", "()"),
        Replacement("(s_axilite_ARADDR)", "(5'b0)"),
        Replacement("(s_axilite_RVALID)", "()"),
        Replacement("(s_axilite_RREADY)", "(1'b0)"),
        Replacement("(s_axilite_RDATA)", "()"),
        Replacement("(s_axilite_RRESP)", "()"),
    )


PATCH_STEPS: tuple[PatchStep, ...] = (TieOffPaddingConfiguration(),)
