"""``python -m fpga bitstream|package|deploy RUN``: from the sources of a run to a board that classifies."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from codegen.errors import CodegenError
from fpga.boards import BOARDS, BoardError
from fpga.choices import DEFAULT_BOARD, IMPLEMENTATIONS, UART_SHELL, ZYNQ_SHELLS
from fpga.errors import BuildError
from sca_train.command_line import Parser, guarded
from sca_train.errors import TrainError


def _parser() -> Parser:
    parser = Parser(prog="python -m fpga", description=__doc__)
    add_commands(parser.add_subparsers(title="commands", metavar="COMMAND", required=True))
    return parser


def add_commands(actions: Any) -> None:
    """Add every command of this package to those of a parser (what ``add_subparsers`` returned)."""
    bitstream = actions.add_parser("bitstream", help="build, step by step; goes on at the step where it stopped")
    package = actions.add_parser("package", help="one zip for the board: bitstream, driver, golden vectors, notebook")
    deploy = actions.add_parser("deploy", help="package, copy, install, self-test; the deployment before stays usable")
    for name, action in (("bitstream", bitstream), ("package", package), ("deploy", deploy)):
        action.add_argument("run", type=Path, help="run folder, or a kept network, e.g. zoo/NAME")
        action.add_argument("--board", default=DEFAULT_BOARD, help=", ".join(board.name for board in BOARDS))
        action.set_defaults(action=name)
    bitstream.add_argument(
        "--shell-flow",
        choices=(*ZYNQ_SHELLS, UART_SHELL),
        help="around the accelerator: dma (default; needs Vivado), finn (FINN's own; needs Vitis HLS too); ECP5: uart",
    )
    bitstream.add_argument("--impl", choices=IMPLEMENTATIONS, default="rtl", help="which sources (default rtl)")
    bitstream.add_argument("--dry-run", action="store_true", help="write everything and check it without the tools")
    bitstream.add_argument("--show", action="store_true", help="print tools, files and steps, and do nothing")
    bitstream.add_argument("--restart", action="store_true", help="run all steps again")
    for action in (package, deploy):
        action.add_argument("--data", type=Path, help="where the data set lies that golden vectors are taken from")
    deploy.add_argument("--host", help="[user@]address of a PYNQ board")
    deploy.add_argument(
        "--port", help="of ssh (default 22), or the serial port of an ECP5 board (default: the FTDI one)"
    )


def main(arguments: list[str] | None = None) -> int:
    """Run one command; prints the sentence of an error and returns 2."""
    return execute(_parser().parse_args(arguments))


def execute(options: argparse.Namespace) -> int:
    """Run the command that was parsed; its exit code."""

    def command() -> int:
        from fpga import commands  # with all that builds, packages and deploys; a parser needs none of it

        run = {"bitstream": commands.bitstream, "package": commands.package, "deploy": commands.deploy}
        run[options.action](options)
        return 0

    return guarded(command, (BoardError, BuildError, CodegenError, TrainError))


if __name__ == "__main__":
    sys.exit(main())
