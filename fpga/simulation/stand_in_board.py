"""The environment in which programs for a PYNQ board run unchanged on a simulated one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from fpga.simulation.axi_board import AxiBoardOptions
from fpga.simulation.build import SIMULATION_DIR, BoardProgram
from sca_train.files import write_text

STAND_IN_DIR = SIMULATION_DIR / "stand_in"
VARIABLE = "SPIKEFOLD_STAND_IN"


def stand_in_environment(
    program: BoardProgram,
    options: AxiBoardOptions,
    description: Path,
    *,
    board: str = "",
    rails: Mapping[str, float] | None = None,
) -> dict[str, str]:
    """Environment variables, to be added to a process's own, with which ``import pynq`` gives the stand-in.

    description: the file that is written for it. board: the name in the variable BOARD. rails: watts of power rails.
    """
    content = {
        "program": str(program.program.resolve()),
        "rtl": str(program.rtl.resolve()),
        "options": asdict(options),
        "rails": dict(rails or {}),
    }
    write_text(description, json.dumps(content, indent=1) + "\n")
    path = (str(STAND_IN_DIR), str(SIMULATION_DIR.parents[1]), os.environ.get("PYTHONPATH", ""))
    environment = {
        VARIABLE: str(description.resolve()),
        "PYTHONPATH": os.pathsep.join(part for part in path if part),
    }
    return {**environment, "BOARD": board} if board else environment
