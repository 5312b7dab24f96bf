"""Width converter: words of one width to words of another; FINN's StreamingDataWidthConverter_rtl in the RTL."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from codegen.cores.core import Frame, Rendered, Stream, StreamCore
from codegen.cores.finn_rtl import PatchStep, Replacement, render_finn
from codegen.cores.rendering import Language
from codegen.cores.stream_instance import StreamInstance, write_node
from codegen.errors import FoldingError
from codegen.fit import NO_RESOURCES, Resources


@dataclass(frozen=True)
class WidthConverter(StreamCore):
    """in_words words of in_bits per frame become words of out_bits, both of whole elements.

    A frame must be a whole number of output words.
    """

    op: ClassVar[str] = "StreamingDataWidthConverter"
    sources: ClassVar[Mapping[Language, tuple[str, ...]]] = {
        "hls": ("width_converter.hpp", "trip_count.hpp"),
        "rtl": (),
    }
    rtl_from_finn: ClassVar[bool] = True

    in_bits: int
    out_bits: int
    in_words: int
    element_bits: int = field(default=1, compare=False)
    signed: bool = field(default=False, compare=False)
    operator: Any = field(default=None, compare=False, repr=False)
    """FINN's operator of the node, which generates its RTL."""

    def __post_init__(self) -> None:
        if (self.in_bits * self.in_words) % self.out_bits:
            raise FoldingError(
                f"WidthConverter {self.name!r}: a frame of {self.in_words} words of {self.in_bits} bits "
                f"is not a whole number of {self.out_bits}-bit words"
            )

    @classmethod
    def from_operator(cls, operator: Any) -> Self:
        """The core of FINN's StreamingDataWidthConverter."""
        datatype = operator.get_input_datatype()
        return cls(
            name=operator.onnx_node.name,
            in_bits=operator.get_instream_width(),
            out_bits=operator.get_outstream_width(),
            in_words=math.prod(operator.get_folded_input_shape()[:-1]),
            element_bits=datatype.bitwidth(),
            signed=datatype.signed(),
            operator=operator,
        )

    @property
    def out_words(self) -> int:
        return self.in_bits * self.in_words // self.out_bits

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.in_bits // self.element_bits, self.element_bits, self.signed, self.in_words),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.out_bits // self.element_bits, self.element_bits, self.signed, self.out_words),)

    @property
    def cycles(self) -> int:
        return max(self.in_words, self.out_words)

    def reference(self, *frames: Frame) -> tuple[Frame, ...]:
        return (frames[0].reshape(self.out_words, -1),)

    def resources(self) -> Resources:
        return converter_resources(self.in_bits, self.out_bits)

    def render(self, language: Language, folder: Path) -> Rendered:
        if language == "rtl":
            return render_finn(self.name, self.operator, PATCH_STEPS, folder)
        return write_node(
            StreamInstance(
                name=self.name,
                summary=f"{self.in_bits}-bit words to {self.out_bits}-bit words",
                function="width_converter",
                ports=self.function_ports,
                constants={
                    "IN_BITS": self.in_bits,
                    "OUT_BITS": self.out_bits,
                    "IN_WORDS": self.in_words,
                    "OUT_WORDS": self.out_words,
                },
            ),
            folder,
        )


def converter_resources(in_bits: int, out_bits: int) -> Resources:
    """A barrel of multiplexers where words meet only at a common multiple, else a shift register.

    The figures follow from ``python -m bench.stream_luts``.
    """
    if in_bits == out_bits:
        return NO_RESOURCES
    wide, narrow = max(in_bits, out_bits), min(in_bits, out_bits)
    if out_bits % in_bits == 0:
        return Resources(lut=6 + in_bits, ff=round(12 + 1.23 * wide), bram36=0, dsp=0)
    if in_bits % out_bits == 0:
        return Resources(lut=round(8 + 1.2 * wide), ff=wide + narrow + 15, bram36=0, dsp=0)
    levels = math.log2(wide / math.gcd(wide, narrow))
    return Resources(lut=round(8 + 1.72 * wide * levels), ff=wide + narrow + 15, bram36=0, dsp=0)


class MoveNettypeOutOfVpc(PatchStep):
    """Yosys' slang front end rejects `default_nettype inside a module: the width converter loses its two lines."""

    file = "dwc/hdl/vpc.sv"
    sha256 = "b0b2b20405d897212723e77067d7507778d8be0ecbe29836259e3b95daef626b"
    replacements = (
        Replacement("`default_nettype none\n", ""),
        Replacement("`default_nettype wire\n", ""),
    )


class ShortenConverterVector(PatchStep):
    """The width converter counts through vectors of in x out bits although words meet again after the wider one where
    it is a multiple of the other: the vector gets that length, and its multiplexers shrink (64 to 4 bits: 487 to 74
    LUTs in Yosys)."""

    file = "dwc/hdl/dwc_axi.sv"
    sha256 = "42f1594aad22a1ed1b20cf33975550c9c8f6d3759222a6e05cde535c2fbdeb23"
    replacements = (
        Replacement(
            ".N(IBITS * OBITS)",
            ".N(IBITS % OBITS == 0? IBITS : OBITS % IBITS == 0? OBITS : IBITS * OBITS)",
        ),
    )


PATCH_STEPS: tuple[PatchStep, ...] = (MoveNettypeOutOfVpc(), ShortenConverterVector())
