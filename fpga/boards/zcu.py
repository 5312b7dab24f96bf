"""The ZCU evaluation kits. Source: Zynq UltraScale+ data sheet overview (DS891), ZU7EV and ZU9EG."""

from __future__ import annotations

from fpga.boards.board import ULTRASCALE_PLUS_TARGET_MHZ, Board

BOARDS = (
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
    Board(
        name="ZCU102",
        finn_name="ZCU102",
        part="xczu9eg-ffvb1156-2-e",
        family="xcup",
        lut=274_080,
        ff=548_160,
        bram36=912,
        uram=0,
        dsp=2_520,
        clock_mhz=ULTRASCALE_PLUS_TARGET_MHZ,
    ),
)
