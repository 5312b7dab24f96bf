"""What ``python -m fpga`` does with a run: build a bitstream, package it, bring it to a board."""

from __future__ import annotations

import argparse
import re
from typing import Literal

from codegen.current import require_made
from codegen.hardware_results import BitstreamResult
from codegen.run_folder import RunFolder, only_stage
from codegen.zoo import open_run
from fpga.boards import Board, get_board
from fpga.boards.ecp5 import Ecp5Board
from fpga.build import ecp5, vivado
from fpga.build.plan import BuildPlan
from fpga.choices import ZYNQ_SHELLS, Implementation, ShellFlow
from fpga.deployment.deploy import deploy as deploy_by_ssh
from fpga.deployment.package import make_package
from fpga.deployment.usb import deploy_usb
from fpga.errors import BuildError


def bitstream(options: argparse.Namespace) -> None:
    """Build a bitstream, or with ``--dry-run`` check everything that can be checked without the vendor's tools."""
    run, board = open_run(options.run), get_board(options.board)
    require_made(run, "rtl")
    with only_stage(run, "results/bitstream.json"):
        plan = _plan(run, board, options.shell_flow, options.impl)
        if options.show:
            print(plan.show(), end="")
        elif options.dry_run:
            _dry_run(plan, board)
        else:
            plan.execute(resume=not options.restart)
            _tell(_collect(plan, run, board), run)


def package(options: argparse.Namespace) -> None:
    """Make the zip that a board takes."""
    run = open_run(options.run)
    board = get_board(options.board)
    print(f"package: {make_package(run, board, options.data)}{_what_it_lacks(run, board)}")


def deploy(options: argparse.Namespace) -> None:
    """Bring the package to a board by ssh, or by USB where the board hangs on this machine, and test it there."""
    run, board = open_run(options.run), get_board(options.board)
    run.require_folder()
    if isinstance(board, Ecp5Board):
        if options.host:
            raise BuildError(f"{board.name} is programmed by USB from this machine; leave HOST out")
        make_package(run, board, options.data)
        print(deploy_usb(run, board, options.port).told())
        return
    if not options.host:
        raise BuildError(f"deploying to {board.name} needs its address; run it with HOST=user@board")
    port = _ssh_port(options.port)
    print(f"package: {make_package(run, board, options.data)}{_what_it_lacks(run, board)}")
    print(deploy_by_ssh(run, board, options.host, port).told())


def _what_it_lacks(run: RunFolder, board: Board) -> str:
    """What a user must know of a new package; empty where its bitstream is there and meets its clock."""
    result = BitstreamResult.load(run)
    if result is None or result.board != board.name:
        return ", without a bitstream: see no-bitstream.txt in it"
    if not result.timing_met:
        return f", whose bitstream misses its clock of {result.clock_mhz:g} MHz: what it computes may be wrong"
    return ""


def _ssh_port(port: str | None) -> int:
    if port is None:
        return 22
    # At most five digits: int() takes no number of thousands of them.
    if not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 1 << 16:
        raise BuildError(f"PORT={port} is not a port of ssh, 1..65535")
    return int(port)


def _plan(run: RunFolder, board: Board, shell: ShellFlow | Literal["uart"] | None, impl: Implementation) -> BuildPlan:
    if not isinstance(board, Ecp5Board):
        if shell == ecp5.SHELL:
            raise BuildError(f"{board.name} has the shells {' and '.join(ZYNQ_SHELLS)}, not {shell}")
        return vivado.vivado_plan(run, board, shell or ZYNQ_SHELLS[0], impl)
    if shell not in (None, ecp5.SHELL):
        raise BuildError(f"{board.name} has a UART, not the shell {shell}; leave SHELL_FLOW out")
    if impl != "rtl":
        raise BuildError(f"IMPL=hls needs Vitis HLS, which builds for no {board.part}; build it with IMPL=rtl")
    return ecp5.ecp5_plan(run, board)


def _dry_run(plan: BuildPlan, board: Board) -> None:
    if isinstance(board, Ecp5Board):
        plan.write()
        print(f"{plan.folder} is written; every step of {board.name} runs here, so there is nothing to run dry")
        return
    print(vivado.dry_run(plan).sentence)


def _collect(plan: BuildPlan, run: RunFolder, board: Board) -> BitstreamResult:
    return ecp5.collect(plan, run, board) if isinstance(board, Ecp5Board) else vivado.collect(plan, run)


def _tell(result: BitstreamResult, run: RunFolder) -> None:
    fastest = "" if result.fmax_mhz is None else f", routed at {result.fmax_mhz:.1f} MHz"
    if result.critical_path is not None:
        fastest += f" (critical path: {result.critical_path})"
    print(
        f"bitstream: {run.path / result.bitstream}: {result.board} at {result.clock_mhz:g} MHz{fastest}; "
        f"{result.lut:,} LUTs, {result.ff:,} flip-flops, {result.bram:g} block RAMs, {result.dsp} multipliers "
        f"({result.tool})"
    )
