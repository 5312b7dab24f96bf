"""The AUP-ZU3 of RealDigital. Source: Zynq UltraScale+ data sheet overview (DS891), ZU3EG.

FINN knows the board with 8 GB of memory; the one with 4 GB has the same part and lower 2 GB, which is all that is used.
"""

from __future__ import annotations

from fpga.boards.board import ULTRASCALE_PLUS_TARGET_MHZ, Board

BOARDS = (
    Board(
        name="AUP-ZU3",
        finn_name="AUP-ZU3_8GB",
        part="xczu3eg-sfvc784-2-e",
        family="xcup",
        lut=70_560,
        ff=141_120,
        bram36=216,
        uram=0,
        dsp=360,
        clock_mhz=ULTRASCALE_PLUS_TARGET_MHZ,
    ),
)
