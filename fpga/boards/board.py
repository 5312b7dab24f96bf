"""What is known of a board, and the error for one that is not known."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Family = Literal["xc7", "xcup", "ecp5"]

ZYNQ_7000_TARGET_MHZ = 100
ULTRASCALE_PLUS_TARGET_MHZ = 200


class BoardError(Exception):
    """A board name that no file of this package lists; the message is one readable sentence."""


@dataclass(frozen=True)
class Board:
    """One board. ``bram36`` counts 36 Kb block RAMs, ``uram`` 288 Kb UltraRAMs, ``dsp`` DSP48 slices.

    ``clock_mhz`` is a design target used to turn cycles into frames per second, which a core's estimated period is
    compared with.
    ``finn_name`` is what FINN calls the board (None: it builds for no such part), ``part`` the part under that name
    (``finn.util.basic.pynq_part_map``), ``family`` what Yosys calls its architecture. ``lut`` counts six-input LUTs,
    in which foldings are estimated, or smaller ones, of which ``luts_per_lut6`` stand for such a one.
    """

    name: str
    finn_name: str | None
    part: str
    family: Family
    lut: int
    ff: int
    bram36: int
    uram: int
    dsp: int
    clock_mhz: int
    luts_per_lut6: float = 1.0
    weight_port: bool = True
    """Whether the design can read weights from memory: on a Zynq through a high-performance port of its processor."""

    @property
    def has_dsp48(self) -> bool:
        """Whether its DSP slices are AMD's, which accumulate several sums at a time."""
        return self.family != "ecp5"

    @property
    def speed_grade(self) -> str:
        """That of the part, without the dash: 1, 2 or 2LV."""
        found = re.search(r"-(\d[A-Z]*)(?:-|$)", self.part)
        return found.group(1) if found else ""
