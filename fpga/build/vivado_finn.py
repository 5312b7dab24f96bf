"""The plan of FINN's shell: the dataflow graph with this project's operators through FINN's own Zynq back end."""

from __future__ import annotations

from typing import Literal

from codegen.current import require_made
from codegen.dataflow.environment import prepare_environment
from codegen.digests import sources_digest
from codegen.render.manifest import read_manifest
from codegen.run_folder import RunFolder
from fpga.boards import Board
from fpga.build.finn_shell import SETTINGS_FILE
from fpga.build.folder import build_folder
from fpga.build.plan import PYTHON, BuildPlan, Content, Step
from fpga.build.tools import VITIS_HLS, VIVADO, VIVADO_VERSIONS
from fpga.build.vivado_common import (
    BIT_FILE,
    BUILD_FILE,
    HANDOFF_FILE,
    JOBS,
    REPORTS,
    Build,
    settings_text,
    tcl_scripts,
    vivado_command,
)
from fpga.build.zynq import processing_system
from fpga.errors import BuildError
from fpga.shells import require_memory_port

_GRAPH = "graph.onnx"


def finn_plan(run: RunFolder, board: Board, impl: Literal["rtl", "hls"]) -> BuildPlan:
    """The plan of FINN's shell; errors as ``vivado_plan``.

    ``impl`` is that of this project's operators; FINN's own are in the graph as `make hls` chose them, and its DMAs are
    HLS in any case.
    """
    system = processing_system(board)
    _require_finn_board(board)
    require_memory_port(read_manifest(require_made(run, "rtl")), "finn")
    graph = require_made(run, "graph.onnx")
    build = Build(
        board=board.name,
        part=board.part,
        shell="finn",
        impl=impl,
        clock_mhz=board.clock_mhz,
        port_bits=system.port_bits,
        input_bits=None,
        output_bits=None,
        input_frame_bytes=None,
        output_frame_bytes=None,
        cores=(),
        sources_sha256=sources_digest(require_made(run, impl)),
    )
    scripts = {name: file for name, file in tcl_scripts().items() if name.endswith(("common.tcl", "finn_reports.tcl"))}
    settings = settings_text({"vivado_versions": VIVADO_VERSIONS, "jobs": JOBS})
    files: dict[str, Content] = {BUILD_FILE: build.text, _GRAPH: graph, "tcl/settings.tcl": settings, **scripts}
    options = ("--board", str(board.finn_name), "--clock-mhz", str(board.clock_mhz), "--impl", impl)
    steps = (
        Step(
            "finn",
            (PYTHON, "-m", "fpga.build.finn_shell", _GRAPH, *options),
            outputs=(BIT_FILE, HANDOFF_FILE, SETTINGS_FILE),
            inputs=(_GRAPH,),
            environment={"NUM_DEFAULT_WORKERS": str(JOBS)},
        ),
        Step(
            "reports",
            vivado_command("tcl/finn_reports.tcl"),
            outputs=REPORTS,
            inputs=("tcl/common.tcl", "tcl/settings.tcl", "tcl/finn_reports.tcl", BIT_FILE),
        ),
    )
    return BuildPlan(build_folder(run, board, "finn", impl), files, steps, (VIVADO, VITIS_HLS))


def _require_finn_board(board: Board) -> None:
    """Raise BuildError where FINN does not know the board, or builds for another part under its name."""
    prepare_environment()
    from finn.util.basic import pynq_part_map

    if board.finn_name not in pynq_part_map:
        raise BuildError(f"FINN does not know the board {board.name}; SHELL_FLOW=dma builds for it")
    if pynq_part_map[board.finn_name] != board.part:
        raise BuildError(
            f"FINN builds {board.name} for {pynq_part_map[board.finn_name]}, not for {board.part}; "
            "SHELL_FLOW=dma builds for it"
        )
