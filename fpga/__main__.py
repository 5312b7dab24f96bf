"""``python -m fpga bitstream|deploy RUN``: says what a bitstream still needs; this version does not build one."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from fpga.boards import BOARDS, Board, get_board
from fpga.errors import BoardError


def bitstream(run: Path, board: Board) -> None:
    """Raise BoardError saying what building a bitstream from a run needs, and which sources to build by hand."""
    _require(run / "rtl" / "files.txt")
    found = shutil.which("vivado")
    vivado = f"Vivado was found at {found}, but" if found else "Vivado is not on PATH, and"
    raise BoardError(
        f"{vivado} the Zynq build is not part of this version; to build by hand, add the files listed in "
        f"{run / 'rtl' / 'files.txt'} to a Vivado project for {board.part}, "
        f"or run {run / 'hls' / 'run_hls.tcl'} in Vitis HLS"
    )


def deploy(run: Path, board: Board) -> None:
    """Raise BoardError saying what running on a board needs."""
    _require(run / "rtl" / "files.txt")
    raise BoardError(
        f"there is no bitstream of {run.name} for {board.name}: building one, and the PYNQ driver for it, "
        f"are not part of this version; `make rtlsim RUN={run.name}` runs the same accelerator in simulation"
    )


def _require(file: Path) -> None:
    if not file.is_file():
        raise BoardError(f"{file} does not exist; run `make hls RUN={file.parent.parent.name}` first")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; prints the sentence of a BoardError and returns 2."""
    parser = argparse.ArgumentParser(prog="python -m fpga", description=__doc__)
    parser.add_argument("command", choices=["bitstream", "deploy"])
    parser.add_argument("run", type=Path, help="run folder")
    parser.add_argument("--board", default="Pynq-Z2", help=", ".join(board.name for board in BOARDS))
    options = parser.parse_args(arguments)
    try:
        {"bitstream": bitstream, "deploy": deploy}[options.command](options.run, get_board(options.board))
    except BoardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
