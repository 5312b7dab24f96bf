"""What each supported board offers: part, FPGA family and resources.

Sources: Zynq-7000 data sheet overview (DS190) for the XC7Z020, Zynq UltraScale+ data sheet overview (DS891) for the
ZU3EG and ZU7EV, Kria K26 SOM data sheet (DS987) for the XCK26. The part names are the ones FINN builds for
(``finn.util.basic.pynq_part_map``), under FINN's own name of the board.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fpga.errors import BoardError

Family = Literal["xc7", "xcup"]

ZYNQ_7000_TARGET_MHZ = 100
ULTRASCALE_PLUS_TARGET_MHZ = 200


@dataclass(frozen=True)
class Board:
    """One board. ``bram36`` counts 36 Kb block RAMs, ``uram`` 288 Kb UltraRAMs, ``dsp`` DSP48 slices.

    ``clock_mhz`` is a design target used to turn cycles into frames per second: no timing analysis stands behind it.
    ``finn_name`` is what FINN calls the board, ``family`` what Yosys calls its architecture.
    """

    name: str
    finn_name: str
    part: str
    family: Family
    lut: int
    ff: int
    bram36: int
    uram: int
    dsp: int
    clock_mhz: int


def _xc7z020(name: str) -> Board:
    return Board(
        name=name,
        finn_name=name,
        part="xc7z020clg400-1",
        family="xc7",
        lut=53_200,
        ff=106_400,
        bram36=140,
        uram=0,
        dsp=220,
        clock_mhz=ZYNQ_7000_TARGET_MHZ,
    )


# In the order in which advice names them: the smallest first.
BOARDS: tuple[Board, ...] = (
    _xc7z020("Pynq-Z1"),
    _xc7z020("Pynq-Z2"),
    Board(
        name="Ultra96-V2",
        finn_name="Ultra96-V2",
        part="xczu3eg-sbva484-1-i",
        family="xcup",
        lut=70_560,
        ff=141_120,
        bram36=216,
        uram=0,
        dsp=360,
        clock_mhz=ULTRASCALE_PLUS_TARGET_MHZ,
    ),
    Board(
        name="KV260",
        finn_name="KV260_SOM",
        part="xck26-sfvc784-2LV-c",
        family="xcup",
        lut=117_120,
        ff=234_240,
        bram36=144,
        uram=64,
        dsp=1_248,
        clock_mhz=ULTRASCALE_PLUS_TARGET_MHZ,
    ),
    Board(
        name="ZCU104",
        finn_name="ZCU104",
        part="xczu7ev-ffvc1156-2-e",
        family="xcup",
        lut=230_400,
        ff=460_800,
        bram36=312,
        uram=96,
        dsp=1_728,
        clock_mhz=ULTRASCALE_PLUS_TARGET_MHZ,
    ),
)


def get_board(name: str) -> Board:
    """The board of that name, upper or lower case.

    Raises BoardError listing the known names.
    """
    for board in BOARDS:
        if board.name.lower() == name.lower():
            return board
    raise BoardError(f"board {name!r} is not known; the known boards are {', '.join(b.name for b in BOARDS)}")
