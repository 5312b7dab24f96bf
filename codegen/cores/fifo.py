"""Stream FIFO: FINN's StreamingFIFO_rtl in the RTL, the depth of an hls::stream in the HLS."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from codegen.cores.core import Frame, Rendered, Stream, StreamCore
from codegen.cores.finn_rtl import LIBRARY_FOLDER, PatchStep, Replacement, render_finn
from codegen.cores.memory import block_rams, lut_ram
from codegen.cores.rendering import Language
from codegen.errors import FoldingError, RenderError
from codegen.fit import Resources
from codegen.words import padded_bits

MIN_DEPTH = 2

FIFO_FILE = f"{LIBRARY_FOLDER}/fifo.sv"
"""FINN's module in a rendered tree; simulations that size FIFOs put one of their own in its place."""

# FINN's FIFO (fifo.sv): a shift register up to 33 words, LUT RAM up to 257, block RAM above.
_SHIFT_REGISTER_WORDS = 33
_LUT_RAM_WORDS = 257


@dataclass(frozen=True)
class Fifo(StreamCore):
    """A FIFO of ``depth`` words of ``word_bits``; ``words`` pass it per frame."""

    op: ClassVar[str] = "StreamingFIFO"
    rtl_from_finn: ClassVar[bool] = True
    shift_registers: ClassVar[bool] = True

    depth: int
    word_bits: int
    words: int
    ram_style: str
    element_bits: int = field(default=1, compare=False)
    signed: bool = field(default=False, compare=False)
    operator: Any = field(default=None, compare=False, repr=False)
    """FINN's operator of the node, which generates its RTL."""

    def __post_init__(self) -> None:
        if self.depth < MIN_DEPTH:
            raise FoldingError(f"FIFO {self.name!r}: a depth of {self.depth} cannot be built, {MIN_DEPTH} is the least")

    @classmethod
    def from_operator(cls, operator: Any) -> Self:
        """The core of FINN's StreamingFIFO."""
        datatype = operator.get_input_datatype()
        *folds, lanes = operator.get_folded_input_shape()
        return cls(
            name=operator.onnx_node.name,
            depth=operator.get_nodeattr("depth"),
            word_bits=lanes * datatype.bitwidth(),
            words=math.prod(folds),
            ram_style=operator.get_nodeattr("ram_style"),
            element_bits=datatype.bitwidth(),
            signed=datatype.signed(),
            operator=operator,
        )

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.word_bits // self.element_bits, self.element_bits, self.signed, self.words),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return self.inputs

    @property
    def cycles(self) -> int:
        return self.words

    @property
    def stream_depth(self) -> int:
        return self.depth

    def reference(self, *frames: Frame) -> tuple[Frame, ...]:
        return frames

    def resources(self) -> Resources:
        return fifo_resources(self.word_bits, self.depth)

    def render(self, language: Language, folder: Path) -> Rendered:
        if language == "rtl":
            return render_finn(self.name, self.operator, PATCH_STEPS, folder)
        raise RenderError(f"FIFO {self.name!r} is the depth of a stream in HLS, it has no function")


def fifo_resources(word_bits: int, depth: int) -> Resources:
    """A FIFO's words are whole bytes wide (``python -m bench.stream_luts``)."""
    width = padded_bits(word_bits)
    if depth <= _SHIFT_REGISTER_WORDS:
        return Resources(lut=9 + width, ff=7 + width, bram36=0, dsp=0)
    if depth <= _LUT_RAM_WORDS:
        return Resources(lut=round(20 + lut_ram(width, depth)), ff=33 + width, bram36=0, dsp=0)
    return Resources(lut=17, ff=40 + width, bram36=block_rams(width, depth), dsp=0)


class MoveNettypeOutOfFifo(PatchStep):
    """Yosys' slang front end rejects `default_nettype inside a module: the FIFO loses its two lines."""

    file = "fifo/hdl/fifo.sv"
    sha256 = "88ad786a5885c7994c7e2d26e1ef2ffdf688310e941feaa0651332da49ec58c4"
    replacements = (
        Replacement("`default_nettype none\n", ""),
        Replacement("`default_nettype wire\n", ""),
    )


class UnfoldFifoGeometry(PatchStep):
    """Verilator cannot evaluate a constant function that returns a structure: the FIFO's two address widths become
    two constants with the same formula."""

    file = "fifo/hdl/fifo.sv"
    sha256 = "88ad786a5885c7994c7e2d26e1ef2ffdf688310e941feaa0651332da49ec58c4"
    replacements = (
        Replacement(
            """	typedef struct {
		int unsigned  lo;
		int unsigned  hi;
	} abits_t;
	function abits_t INIT_ABITS();
		automatic abits_t  abits = '{ lo: $clog2(DEPTH_REQ), hi: 0 };
		if(abits.lo > MIN_ABITS) begin
			// Consider Decomposition into lo + hi
			automatic int unsigned  hi_abits = $clog2(DEPTH_REQ - 2**(abits.lo-1));
			if(hi_abits < abits.lo - 1) begin
				abits.lo--;
				abits.hi = hi_abits < 1? 1 : hi_abits;
			end
		end
		return  abits;
	endfunction : INIT_ABITS
	localparam abits_t       ABITS      = INIT_ABITS();
""",
            """	localparam int unsigned  ABITS_ALL = $clog2(DEPTH_REQ);
	localparam int unsigned  ABITS_TOP = (ABITS_ALL > MIN_ABITS)? $clog2(DEPTH_REQ - 2**(ABITS_ALL-1)) : ABITS_ALL;
	localparam bit           IS_SPLIT  = (ABITS_ALL > MIN_ABITS) && (ABITS_TOP < ABITS_ALL - 1);
	localparam int unsigned  ABITS_LO  = IS_SPLIT? ABITS_ALL - 1 : ABITS_ALL;
	localparam int unsigned  ABITS_HI  = !IS_SPLIT? 0 : ABITS_TOP < 1? 1 : ABITS_TOP;
""",
        ),
        # Out of range where the memory is not split; the same bits where it is.
        Replacement("ptr[ABITS.lo:ABITS.lo-1]", "ptr[$left(ptr):$left(ptr)-1]"),
        Replacement("ABITS.lo", "ABITS_LO", 10),
        Replacement("ABITS.hi", "ABITS_HI", 15),
    )


class DropFifoCounters(PatchStep):
    """FINN sizes FIFOs with their fill counters; here they are unused: the ports go, so that every rendered node has
    the same two streams and synthesis removes the counters."""

    file = "fifo/hdl/fifo_template.v"
    template = True
    sha256 = "aa4290cc2e441c6c8d35a6f2fd9b902c1db6d0739ac7b614a6e14362604ac65d"
    replacements = (
        Replacement(
            """ #(
	// Width of the fill-count ports; wide enough to carry fifo_gauge's fixed
	// 32-bit occupancy counter out to FIFO sizing without truncation. fifo.sv's
	// own (narrower) counter zero-extends into these ports.
	parameter COUNT_WIDTH = 32
)(
""",
            " (\n",
        ),
        Replacement("output [COUNT_WIDTH-1:0] count,\noutput [COUNT_WIDTH-1:0] maxcount,\n\n", ""),
        Replacement(".count(count), .maxcount(maxcount)", ".count(), .maxcount()", 2),
    )


PATCH_STEPS: tuple[PatchStep, ...] = (MoveNettypeOutOfFifo(), UnfoldFifoGeometry(), DropFifoCounters())
