"""The trained network of the tests, and the stand-in for pynq in this process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fpga.simulation.axi_board import AxiBoardOptions
from fpga.simulation.build import BoardProgram
from fpga.simulation.stand_in_board import STAND_IN_DIR, stand_in_environment

ROOT = Path(__file__).parents[3]
SHAPE = (16, 16, 1)


@dataclass(frozen=True)
class Digits:
    """A trained network: its run folder, and test images with their labels and the logits of ONNX Runtime."""

    run: Path
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    logits: NDArray[np.int32]

    @property
    def rtl(self) -> Path:
        return self.run / "rtl"


def stand_in(
    program: BoardProgram, options: AxiBoardOptions, folder: Path, monkeypatch: pytest.MonkeyPatch, **more: Any
) -> Iterator[Any]:
    """Give the stand-in for pynq of this process a simulated board, and end that at the end."""
    monkeypatch.syspath_prepend(STAND_IN_DIR)
    from pynq import board

    environment = stand_in_environment(program, options, folder / "stand-in.json", board="Pynq-Z2", **more)
    for name in ("SPIKEFOLD_STAND_IN", "BOARD"):
        monkeypatch.setenv(name, environment[name])
    board.content.cache_clear()
    board.board.cache_clear()
    yield board.board()
    board.board().close()
    board.board.cache_clear()
    board.content.cache_clear()
