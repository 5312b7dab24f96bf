"""Named patch steps: what it takes for Verilator and Yosys to accept FINN's RTL, applied to the generated copy only.

Every step names the installed file it knows by SHA-256. Where the installed file is another one, or a text to replace
does not occur exactly as often as expected, rendering stops with a sentence that names the step and the file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

from codegen.errors import RenderError


@dataclass(frozen=True)
class Replacement:
    """A text that occurs ``count`` times in the file, and what takes its place."""

    old: str
    new: str
    count: int = 1


@dataclass(frozen=True)
class PatchStep:
    """Replaces texts of one file of FINN's RTL library, or of what FINN generates from it when it is a template."""

    file: ClassVar[str]
    """Path in finn-rtllib."""
    sha256: ClassVar[str]
    """Hash of the installed file that the step knows."""
    replacements: ClassVar[tuple[Replacement, ...]]

    @property
    def name(self) -> str:
        return type(self).__name__

    def check_installed(self, library: Path) -> None:
        """Raise RenderError unless the installed file is the one the step knows."""
        source = library / self.file
        if not source.is_file():
            raise RenderError(f"patch step {self.name} finds no {self.file} in {library}; finn-plus 1.6.1 has it")
        found = _hash(source)
        if found != self.sha256:
            raise RenderError(
                f"patch step {self.name} does not know the installed {source} (SHA-256 {found[:12]}…, "
                f"expected {self.sha256[:12]}…); install finn-plus 1.6.1"
            )

    def apply(self, text: str) -> str:
        """The mended text; raises RenderError when a replaced text does not occur exactly as often as known."""
        for replacement in self.replacements:
            found = text.count(replacement.old)
            if found != replacement.count:
                raise RenderError(
                    f"patch step {self.name} expects {replacement.count} times {replacement.old.strip()!r} "
                    f"in {self.file}, found {found}"
                )
            text = text.replace(replacement.old, replacement.new)
        return text


@cache
def _hash(source: Path) -> str:
    return hashlib.sha256(source.read_bytes()).hexdigest()


class MoveNettypeOutOfVpc(PatchStep):
    """Yosys' slang front end refuses `default_nettype inside a module: the width converter loses its two lines."""

    file = "dwc/hdl/vpc.sv"
    sha256 = "b0b2b20405d897212723e77067d7507778d8be0ecbe29836259e3b95daef626b"
    replacements = (
        Replacement("`default_nettype none\n", ""),
        Replacement("`default_nettype wire\n", ""),
    )


class MoveNettypeOutOfFifo(PatchStep):
    """Yosys' slang front end refuses `default_nettype inside a module: the FIFO loses its two lines."""

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


class TieOffPaddingConfiguration(PatchStep):
    """The padding's AXI-Lite port for sizes at run time is unused here: inputs become constants, the port goes, so that
    every rendered node has the same two streams and synthesis does not count registers for it."""

    file = "fmpadding/hdl/fmpadding_template.v"
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


class DropFifoCounters(PatchStep):
    """FINN sizes FIFOs with their fill counters; here they are unused: the ports go, so that every rendered node has
    the same two streams and synthesis removes the counters."""

    file = "fifo/hdl/fifo_template.v"
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


LIBRARY_STEPS: tuple[PatchStep, ...] = (
    MoveNettypeOutOfVpc(),
    MoveNettypeOutOfFifo(),
    UnfoldFifoGeometry(),
    CompleteSlidingWindowCase(),
    ShortenConverterVector(),
)
"""Steps on files of FINN's RTL library that are copied as they are."""

TEMPLATE_STEPS: tuple[PatchStep, ...] = (TieOffPaddingConfiguration(), DropFifoCounters())
"""Steps on the module that FINN generates from a template, one per node."""

_TEMPLATE_OF_OP = {
    "FMPadding_rtl": "fmpadding/hdl/fmpadding_template.v",
    "StreamingFIFO_rtl": "fifo/hdl/fifo_template.v",
}


def patch_library_file(library: Path, file: str) -> str:
    """Text of a finn-rtllib file (path inside the library) after its patch steps.

    Raises RenderError when a step does not know the installed file.
    """
    text = (library / file).read_text()
    for step in LIBRARY_STEPS:
        if step.file == file:
            step.check_installed(library)
            text = step.apply(text)
    return text


def patch_generated(library: Path, op: str, text: str) -> str:
    """Text of the module FINN generated for a node of the given op, after its patch steps; errors as above."""
    for step in TEMPLATE_STEPS:
        if step.file == _TEMPLATE_OF_OP.get(op):
            step.check_installed(library)
            text = step.apply(text)
    return text
