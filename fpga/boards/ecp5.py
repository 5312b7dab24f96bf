"""Boards with a Lattice ECP5, which the open tools build for.

Source: ECP5 data sheet (FPGA-DS-02012), LFE5U-85F and LFE5UM5G-85F; the boards' schematics.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from fpga.boards.board import Board

ECP5_TARGET_MHZ = 80
EBR_PER_BRAM36 = 2
"""An embedded block RAM (EBR) has 18 Kb, half of a 36 Kb block RAM."""
LUT4S_PER_LUT6 = 2.6
"""Measured on all cores of the demo network: 9,012 LUT4s (logic, carry chains and memories) where an XC7Z020 takes
3,479 six-input LUTs. Small FIFOs take up to 20 times as many, as an ECP5 has no shift registers; products 2.3 times."""

_LUT4S = 83_640
_EBRS = 208
_MULTIPLIERS = 156


@dataclass(frozen=True, kw_only=True)
class Ecp5Board(Board):
    """A board with an ECP5. ``lut`` counts LUT4s, ``bram36`` pairs of EBRs, ``dsp`` 18x18 multipliers.

    ``device`` ``package`` ``speed``: as nextpnr-ecp5 names the part. ``oscillator_mhz``: of the clock pin. ``sites``:
    pins of the ports of the top module: ``clk``, ``rx``, ``tx``, ``led``, and ``reset`` or ``reset_n`` where there is a
    button for it. ``held_high``: pins that stay at 1. ``loader_name``: what openFPGALoader calls the board.
    """

    device: str
    package: str
    speed: int
    oscillator_mhz: int
    sites: MappingProxyType[str, str]
    held_high: tuple[str, ...]
    loader_name: str

    @property
    def speed_grade(self) -> str:
        return str(self.speed)


def _board(
    name: str,
    part: str,
    device: str,
    package: str,
    speed: int,
    oscillator_mhz: int,
    sites: dict[str, str],
    loader_name: str,
    held_high: tuple[str, ...] = (),
) -> Ecp5Board:
    return Ecp5Board(
        name=name,
        finn_name=None,
        part=part,
        family="ecp5",
        lut=_LUT4S,
        ff=_LUT4S,
        bram36=_EBRS // EBR_PER_BRAM36,
        uram=0,
        dsp=_MULTIPLIERS,
        clock_mhz=ECP5_TARGET_MHZ,
        luts_per_lut6=LUT4S_PER_LUT6,
        weight_port=False,
        device=device,
        package=package,
        speed=speed,
        oscillator_mhz=oscillator_mhz,
        sites=MappingProxyType(sites),
        held_high=held_high,
        loader_name=loader_name,
    )


BOARDS = (
    _board(
        "ULX3S-85F",
        "LFE5U-85F-6BG381C",
        "85k",
        "CABGA381",
        6,
        25,
        {"clk": "G2", "rx": "M1", "tx": "L4", "led": "B2", "reset": "R1"},
        "ulx3s",
        # Keeps the ESP32 beside the FPGA from loading a bitstream of its own.
        held_high=("L2",),
    ),
    _board(
        "ECPIX-5-85F",
        "LFE5UM5G-85F-8BG554I",
        "um5g-85k",
        "CABGA554",
        8,
        100,
        {"clk": "K23", "rx": "R26", "tx": "R24", "led": "R23", "reset_n": "N5"},
        "ecpix5",
    ),
)
