"""The PYNQ boards with a Zynq-7000. Source: Zynq-7000 data sheet overview (DS190), XC7Z020."""

from __future__ import annotations

from fpga.boards.board import ZYNQ_7000_TARGET_MHZ, Board


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


BOARDS = (_xc7z020("Pynq-Z1"), _xc7z020("Pynq-Z2"))
