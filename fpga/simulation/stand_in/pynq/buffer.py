"""Buffers in the simulated board's memory, as pynq/buffer.py has those of a device."""

from __future__ import annotations

from typing import Any

from fpga.simulation.axi_board import SimulatedBuffer

from .board import board


class PynqBuffer(SimulatedBuffer):
    """What ``allocate`` gives."""

    freed = False

    def flush(self) -> None:
        self._check()
        super().flush()

    def invalidate(self) -> None:
        self._check()
        super().invalidate()

    def freebuffer(self) -> None:
        self.freed = True

    def _check(self) -> None:
        if self.freed:
            raise RuntimeError("a freed buffer is used: on a board this is a segmentation fault")


def allocate(shape: Any, dtype: Any = "u4", target: Any = None, **kwargs: Any) -> PynqBuffer:
    """A buffer that the DMA can reach."""
    plain = board().allocate(shape, dtype)
    made = plain.view(PynqBuffer)
    made.board, made.base_address, made.base_pointer = board(), plain.base_address, plain.base_pointer
    return made
