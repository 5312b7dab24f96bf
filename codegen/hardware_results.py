"""What synthesis and the bitstream's tool measured: their files in results/, one frozen class each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from codegen.errors import SynthesisError
from codegen.fit import Resources
from codegen.results import Result


@dataclass(frozen=True)
class CoreResult:
    """One node: its folding (None where the op has none), expected cycles per frame and resources.

    ``seconds``: what Yosys took for it, also when the result came from the cache (``cached``). ``period_ns``: the
    shortest clock period by the analysis of its netlist (docs/timing.md), of the paths that end in this core; its
    latest one goes from ``critical_start`` to ``critical_end``. None in results of before there was one.
    """

    name: str
    op: str
    pe: int | None
    simd: int | None
    tp: int | None
    cycles: int
    lut: int
    ff: int
    bram36: float
    dsp: int
    memory_luts: int
    seconds: float
    cached: bool
    period_ns: float | None = None
    critical_start: str | None = None
    critical_end: str | None = None

    @property
    def resources(self) -> Resources:
        return Resources(lut=self.lut, ff=self.ff, bram36=self.bram36, dsp=self.dsp)


@dataclass(frozen=True)
class TimingLimit:
    """The core that limits the clock, its period and critical path; ``met``: within the board's ``target_ns``.

    ``speed_grade``: whose delays the analysis takes, which may be slower than the board's ``part_speed_grade``.
    """

    core: str
    period_ns: float
    start: str
    end: str
    target_ns: float
    met: bool
    speed_grade: str
    part_speed_grade: str


@dataclass(frozen=True)
class SynthesisResult(Result):
    """All nodes of an accelerator on one board; what connects it to the processor (DMA, interconnect) is left out."""

    STAGE = "synth"
    COMMAND = "synth"
    ERROR = SynthesisError

    tool: str
    board: str
    part: str
    family: str
    cores: tuple[CoreResult, ...]
    total: Resources
    budget: Resources
    fits: bool
    sources_sha256: str
    timing: TimingLimit | None = None


RunFile = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$")]
"""A path below the run folder, of plain names, none of which begins with a dot."""


@dataclass(frozen=True)
class PlacedCore:
    """One node as it lies in the placed design; ``bram`` as in BitstreamResult."""

    name: str
    lut: int
    ff: int
    bram: float
    dsp: int


@dataclass(frozen=True)
class BitstreamResult(Result):
    """A bitstream, and what its tool reports of the placed and routed design: shell and accelerator together.

    ``tool``: name and version. ``shell``: dma, finn or uart. ``clock_mhz``: what the design is clocked at.
    ``fmax_mhz``: the fastest clock by the tool's timing analysis; ``slack_ns``: what is left of a period at
    ``clock_mhz``, negative where ``timing_met`` is false; None where the tool gives none. ``lut``: LUT6s of AMD,
    LUT4s of Lattice. ``bram``: block RAMs in the family's own size, 36 Kb (halves are 18 Kb) or EBR. ``power_w``:
    watts, estimated by the tool. ``cores``: by node, None where the tool reports only the whole. ``bitstream``: the
    file, in the run folder. ``critical_path``: "CORE to CORE", the cores at its two ends, None where that is not read.
    ``sources_sha256``: of rtl/ or, where ``impl`` is hls, of hls/.
    """

    STAGE = "bitstream"
    COMMAND = "bitstream"
    ERROR = SynthesisError

    tool: str
    board: str
    part: str
    shell: str
    impl: Literal["rtl", "hls"]
    clock_mhz: float
    fmax_mhz: float | None
    slack_ns: float | None
    timing_met: bool
    critical_path: str | None
    lut: int
    ff: int
    bram: float
    dsp: int
    power_w: float | None
    cores: tuple[PlacedCore, ...] | None
    bitstream: RunFile
    bitstream_sha256: str
    sources_sha256: str
