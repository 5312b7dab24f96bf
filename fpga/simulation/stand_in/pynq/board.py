"""The simulated board of this process, as the file that SPIKEFOLD_STAND_IN names describes it."""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from fpga.simulation.axi_board import AxiBoardOptions, SimulatedAxiBoard

VARIABLE = "SPIKEFOLD_STAND_IN"
ACCELERATOR_BASE = 0x43C0_0000
DMA_BASE = 0x4040_0000
ADDRESS_RANGE = 0x1_0000


@lru_cache(maxsize=None)  # noqa: UP033 (a board may have Python 3.8)
def content() -> dict[str, Any]:
    """The file's content: program, rtl, options, rails."""
    if VARIABLE not in os.environ:
        raise RuntimeError(f"No Devices Found: {VARIABLE} names no simulated board")
    loaded: dict[str, Any] = json.loads(Path(os.environ[VARIABLE]).read_text(encoding="utf-8"))
    return loaded


@lru_cache(maxsize=None)  # noqa: UP033 (a board may have Python 3.8)
def board() -> SimulatedAxiBoard:
    """The board; its program ends with this process."""
    described = content()
    return SimulatedAxiBoard(described["program"], described["rtl"], AxiBoardOptions(**described["options"]))
