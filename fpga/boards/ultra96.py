"""The Ultra96. Source: Zynq UltraScale+ data sheet overview (DS891), ZU3EG."""

from __future__ import annotations

from fpga.boards.board import ULTRASCALE_PLUS_TARGET_MHZ, Board

BOARDS = (
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
)
