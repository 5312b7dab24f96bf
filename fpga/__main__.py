"""``python -m fpga bitstream|deploy RUN``: says what a bitstream still needs; this version does not build one."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from codegen.errors import CodegenError
from codegen.run_folder import RunFolder
from codegen.zoo import open_run
from fpga.boards import BOARDS, Board, BoardError, get_board
from fpga.errors import BuildError
from sca_train.command_line import Parser, guarded
from sca_train.errors import TrainError


def bitstream(run: RunFolder, board: Board) -> None:
    """Raise BuildError saying what building a bitstream from a run needs, and which sources to build by hand."""
    _require_sources(run)
    found = shutil.which("vivado")
    vivado = f"Vivado was found at {found}, but" if found else "Vivado is not on PATH, and"
    raise BuildError(
        f"{vivado} the Zynq build is not part of this version; to build by hand, add the files listed in "
        f"{run.path / 'rtl' / 'files.txt'} to a Vivado project for {board.part}, "
        f"or run {run.path / 'hls' / 'run_hls.tcl'} in Vitis HLS"
    )


def deploy(run: RunFolder, board: Board) -> None:
    """Raise BuildError saying what running on a board needs."""
    _require_sources(run)
    raise BuildError(
        f"there is no bitstream of {run.name} for {board.name}: building one, and the PYNQ driver for it, "
        f"are not part of this version; `make rtlsim {run.make_option}` runs the same accelerator in simulation"
    )


def _require_sources(run: RunFolder) -> None:
    file = run.path / "rtl" / "files.txt"
    if not file.is_file():
        raise BuildError(f"{file} does not exist; run `make hls {run.make_option}` first")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; prints the sentence of an error and returns 2."""
    parser = Parser(prog="python -m fpga", description=__doc__)
    parser.add_argument("command", choices=["bitstream", "deploy"])
    parser.add_argument("run", type=Path, help="run folder, or a kept network, e.g. zoo/NAME")
    parser.add_argument("--board", default="Pynq-Z2", help=", ".join(board.name for board in BOARDS))
    options = parser.parse_args(arguments)

    def command() -> int:
        {"bitstream": bitstream, "deploy": deploy}[options.command](open_run(options.run), get_board(options.board))
        return 0

    return guarded(command, (BoardError, BuildError, CodegenError, TrainError))


if __name__ == "__main__":
    sys.exit(main())
