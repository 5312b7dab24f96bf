"""What the plans of all toolchains share: where a build lies in its run, and how clocks and periods are converted."""

from __future__ import annotations

from pathlib import Path

from codegen.run_folder import RunFolder
from fpga.boards import Board

BITSTREAMS = "bitstream"
"""Folder of a run that holds its builds."""
NS_TIMES_MHZ = 1000


def build_folder(run: RunFolder, board: Board, shell: str, impl: str) -> Path:
    """Where a build lies in its run."""
    return run.path / BITSTREAMS / f"{board.name}-{shell}-{impl}"
