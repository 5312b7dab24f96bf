"""The Kria starter kits. Source: Kria K26 SOM data sheet (DS987), XCK26."""

from __future__ import annotations

from fpga.boards.board import ULTRASCALE_PLUS_TARGET_MHZ, Board

BOARDS = (
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
)
