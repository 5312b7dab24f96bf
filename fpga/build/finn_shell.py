"""``python -m fpga.build.finn_shell``: FINN's back end makes DMAs, stitched IP cores, a Zynq project and a bitstream.

The first step of the plan of the FINN shell (``fpga.build.vivado_finn``), which runs in the plan's folder. FINN looks
for AMD's tools and its own libraries where the environment says; where it does not, that follows from where ``vivado``
and FINN are.
"""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fpga.build.folder import NS_TIMES_MHZ
from fpga.build.tools import find_program
from fpga.build.vivado_common import BIT_FILE, HANDOFF_FILE
from fpga.errors import BuildError
from sca_train.command_line import Parser, guarded
from sca_train.errors import TrainError

BUILD_FOLDER = "finn"
LINK_FOLDER = "link"
DRIVER_FOLDER = "driver"
DRIVER = "FINNDMAOverlay"
SETTINGS_FILE = f"{DRIVER_FOLDER}/settings.json"
HLS_LIBRARY = "finn-hlslib"
DRY_RUN_VARIABLE = "SPIKEFOLD_DRY_RUN"
"""Set where AMD's tools are the stand-ins of a dry run."""


def prepare_environment(folder: Path) -> None:
    """What FINN's own command line would set: its build folder, its libraries, and where Vivado is installed.

    Raises BuildError where vivado is not on PATH.
    """
    vivado = find_program("vivado")
    if vivado is None:
        raise BuildError("FINN's back end needs vivado on PATH")
    spec = find_spec("finn")
    if spec is None or not spec.submodule_search_locations:
        raise BuildError("FINN (the package finn-plus) is not installed")
    package = Path(spec.submodule_search_locations[0])
    build = folder / BUILD_FOLDER
    shutil.rmtree(build, ignore_errors=True)
    build.mkdir(parents=True)
    os.environ["FINN_BUILD_DIR"] = str(build.resolve())
    if DRY_RUN_VARIABLE in os.environ:
        for name in ("FINN_TOOL_DIR_OVERRIDE", "XILINX_VIVADO", "XILINX_HLS"):
            os.environ.pop(name, None)
    os.environ.setdefault("FINN_RTLLIB", str(package / "finn-rtllib"))
    os.environ.setdefault("FINN_CUSTOM_HLS", str(package / "custom_hls"))
    # FINN reads the version from the end of the path.
    os.environ.setdefault("XILINX_VIVADO", str(Path(vivado).resolve().parents[1]))
    os.environ.setdefault("XILINX_HLS", os.environ["XILINX_VIVADO"])
    os.environ.setdefault("XILINX_LOCAL_USER_DATA", "no")


def build(graph: Path, board: str, clock_mhz: float, impl: str, folder: Path, libraries: bool) -> None:
    """Run FINN's Zynq back end on a folded graph, and put project, bitstream and driver settings in ``folder``.

    ``board`` is FINN's name. ``impl``: which variant of this project's operators is used. ``libraries``: whether FINN's
    HLS library must be there. Raises BuildError, one sentence, for a board that FINN does not know, for a missing
    library and for what FINN says where it stops.
    """
    prepare_environment(folder)
    from codegen.cores import find_core
    from codegen.dataflow.environment import quiet
    from codegen.dataflow.graph_file import load_graph
    from codegen.dialect import DATAFLOW_DOMAIN

    with quiet():
        from finn.transformation.fpgadataflow import create_stitched_ip
        from finn.transformation.fpgadataflow.make_driver import MakePYNQDriver
        from finn.transformation.fpgadataflow.make_zynq_proj import ZynqBuild
        from finn.util.basic import pynq_part_map
        from finn.util.settings import get_settings

        if DRY_RUN_VARIABLE in os.environ:
            # FINN watches every file for a while, since network folders may be late.
            create_stitched_ip.wait_for_file = lambda path, timeout: path.is_file()
        if board not in pynq_part_map:
            raise BuildError(f"FINN does not know the board {board}; it knows {', '.join(sorted(pynq_part_map))}")
        library = Path(get_settings().finn_deps) / HLS_LIBRARY
        if libraries and not library.is_dir():
            raise BuildError(f"FINN's library {HLS_LIBRARY} is not in {library}; run `finn deps update` first")
        model = load_graph(graph)
        for node in model.graph.node:
            core = find_core(node.op_type)
            if core is not None and core.attributes:
                node.op_type, node.domain = f"{core.op}_{impl}", f"{DATAFLOW_DOMAIN}.{impl}"
        try:
            model = model.transform(ZynqBuild(board, NS_TIMES_MHZ / clock_mhz))
            model = model.transform(MakePYNQDriver("zynq-iodma", DRIVER))
        except Exception as error:  # FINN raises all kinds
            raise BuildError(f"FINN's back end stopped: {_sentence(error)}") from error
    _collect(model, folder)


def _collect(model: Any, folder: Path) -> None:
    """Copy what the later steps read from FINN's folders, whose names are new with each run."""
    link = Path(model.get_metadata_prop("vivado_pynq_proj"))
    target = folder / LINK_FOLDER
    if target.is_symlink():
        target.unlink()
    target.symlink_to(os.path.relpath(link, folder), target_is_directory=True)
    shutil.copyfile(model.get_metadata_prop("bitfile"), folder / BIT_FILE)
    shutil.copyfile(model.get_metadata_prop("hw_handoff"), folder / HANDOFF_FILE)
    shutil.copytree(model.get_metadata_prop("pynq_driver_dir"), folder / DRIVER_FOLDER, dirs_exist_ok=True)


def _sentence(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"


def main(arguments: list[str] | None = None) -> int:
    """Run FINN's back end; prints the sentence of an error and returns 2."""
    parser = Parser(prog="python -m fpga.build.finn_shell", description=__doc__)
    parser.add_argument("graph", type=Path, help="graph.onnx of a run")
    parser.add_argument("--board", required=True, help="FINN's name of the board")
    parser.add_argument("--clock-mhz", type=float, required=True)
    parser.add_argument("--impl", choices=["rtl", "hls"], default="rtl")
    options = parser.parse_args(arguments)
    # A dry run's stand-ins read none of FINN's libraries.
    libraries = DRY_RUN_VARIABLE not in os.environ

    def command() -> int:
        build(options.graph, options.board, options.clock_mhz, options.impl, Path.cwd(), libraries)
        return 0

    from codegen.errors import CodegenError

    return guarded(command, (BuildError, CodegenError, TrainError))


if __name__ == "__main__":
    sys.exit(main())
