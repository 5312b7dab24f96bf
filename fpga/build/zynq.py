"""The processing systems of the Zynq boards: which core configures one, and how wide its memory port is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fpga.boards import BOARDS, Board
from fpga.errors import BuildError


@dataclass(frozen=True)
class ProcessingSystem:
    """One family's processing system.

    ``core``: the IP core, and the script of ``tcl/`` that configures it. ``port_bits``: width of the memory port
    (S_AXI_HP0) as PYNQ's SD images set it up.
    """

    core: Literal["processing_system7", "zynq_ultra_ps_e"]
    port_bits: int


_SYSTEMS = {
    "xc7": ProcessingSystem("processing_system7", port_bits=64),
    "xcup": ProcessingSystem("zynq_ultra_ps_e", port_bits=128),
}


def processing_system(board: Board) -> ProcessingSystem:
    """The processing system of a Zynq board; BuildError listing the boards that have one."""
    system = _SYSTEMS.get(board.family)
    if system is None:
        zynq = ", ".join(other.name for other in BOARDS if other.family in _SYSTEMS)
        raise BuildError(f"{board.name} has no processing system; boards that Vivado builds for are {zynq}")
    return system
