"""A simulated board with an AXI DMA: registers, memory and faults of the program of axi_board_main.cpp."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

MEMORY_BASE = 0x1000_0000
MEMORY_BYTES = 64 << 20
PAGE = 4096
ACCESS_CYCLES = 150
"""Cycles between two accesses to registers by a program in Python: some microseconds at 100 MHz."""
_ACCELERATOR, _DMA = 0, 1


class Fault(IntEnum):
    """What is injected into the next transfer that it fits (axi_dma.hpp), or reads of weights (weight_reads.hpp)."""

    SEND_STALL = 1
    SEND_TRUNCATED = 2
    SEND_LONGER = 3
    SEND_SLAVE_ERROR = 4
    RECEIVE_STALL = 5
    RECEIVE_LENGTH = 6
    RECEIVE_SLAVE_ERROR = 7
    RECEIVE_MISCOUNTED = 8
    SEND_NO_LAST = 9
    RESET_STUCK = 10
    WEIGHTS_SLAVE_ERROR = 11
    WEIGHTS_STALL = 12


class BoardError(Exception):
    """The simulated board ended, or an access that no hardware answers; on a board this is a bus error."""


@dataclass(frozen=True)
class AxiBoardOptions:
    """send_bytes, receive_bytes: of a stream word. stall: probability a cycle that the DMA's streams pause."""

    send_bytes: int
    receive_bytes: int
    length_bits: int = 26
    stall: float = 0.0
    seed: int = 0
    access_cycles: int = ACCESS_CYCLES


class Registers:
    """Registers of the accelerator or of the DMA, read and written as PYNQ's MMIO does."""

    def __init__(self, board: SimulatedAxiBoard, space: int) -> None:
        self._board = board
        self._space = space

    def read(self, offset: int) -> int:
        return self._board.read(self._space, offset)

    def write(self, offset: int, value: int) -> None:
        self._board.write(self._space, offset, value)


class SimulatedAxiBoard:
    """The board; use it in a ``with`` block, or call ``close``.

    It is what the driver's simulation transport takes (``core``, ``dma``, ``allocate``, ``length_bits``,
    ``read_power``). The DMA does not see what has not been written back (``flush``), and what it has written is not
    seen before ``invalidate``: buffers are copies, as on a board whose caches are not coherent.
    """

    def __init__(self, program: str, working_folder: str, options: AxiBoardOptions) -> None:
        arguments = (options.send_bytes, options.receive_bytes, options.length_bits, options.stall, options.seed)
        self._process = subprocess.Popen(
            [program, *map(str, (*arguments, options.access_cycles, MEMORY_BASE, MEMORY_BYTES))],
            cwd=working_folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.length_bits = options.length_bits
        self.core = Registers(self, _ACCELERATOR)
        self.dma = Registers(self, _DMA)
        self._next = MEMORY_BASE
        self._accesses = 0
        self._later: list[tuple[int, Callable[[], None]]] = []

    def __enter__(self) -> SimulatedAxiBoard:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the program."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        self._process.wait()

    def reset(self) -> None:
        """As by loading the bitstream: accelerator and DMA."""
        self._answer(b"R", 0)

    def inject(self, fault: Fault, argument: int = 0) -> None:
        """Let the next transfer that it fits fail."""
        self._answer(struct.pack("<cBQ", b"f", fault, argument), 0)

    def after_accesses(self, count: int, action: Callable[[], None]) -> None:
        """Do something once ``count`` more accesses to registers have been made, as another program on the board."""
        self._later.append((self._accesses + count, action))

    def advance(self, cycles: int) -> int:
        """Let the clock go on; returns the cycles since the start."""
        return int(struct.unpack("<Q", self._answer(struct.pack("<cQ", b"a", cycles), 8))[0])

    def read(self, space: int, offset: int) -> int:
        self._count_access()
        return int(struct.unpack("<I", self._answer(struct.pack("<cBI", b"r", space, offset), 4))[0])

    def write(self, space: int, offset: int, value: int) -> None:
        self._count_access()
        self._answer(struct.pack("<cBII", b"w", space, offset, value), 0)

    def read_memory(self, address: int, count: int) -> bytes:
        return self._answer(struct.pack("<cQI", b"M", address, count), count)

    def write_memory(self, address: int, content: bytes) -> None:
        self._answer(struct.pack("<cQI", b"m", address, len(content)) + content, 0)

    def allocate(self, shape: tuple[int, ...], dtype: DTypeLike = np.uint32) -> SimulatedBuffer:
        """A buffer that the DMA can reach; its memory is never given to another."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        if self._next + size > MEMORY_BASE + MEMORY_BYTES:
            raise MemoryError(f"the simulated board has no {size} bytes left")
        buffer = SimulatedBuffer.of(self, self._next, np.zeros(shape, dtype))
        self._next += -(-size // PAGE) * PAGE
        return buffer

    def read_power(self) -> None:
        """A simulated board measures no power."""
        return

    def _count_access(self) -> None:
        self._accesses += 1
        due = [entry for entry in self._later if entry[0] <= self._accesses]
        self._later = [entry for entry in self._later if entry[0] > self._accesses]
        for _, action in due:
            action()

    def _answer(self, command: bytes, count: int) -> bytes:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(command)
            self._process.stdin.flush()
            answer = self._process.stdout.read(1 + count)
        except (OSError, ValueError) as error:
            raise BoardError("the simulated board has been closed") from error
        if len(answer) != 1 + count:
            raise BoardError("the simulated board ended")
        if answer[0] != 0:
            raise BoardError(f"bus error: the simulated board does not answer {command[:1]!r}")
        return answer[1:]


class SimulatedBuffer(np.ndarray):
    """An array in the processor's cache, with its place in the board's memory; slices keep theirs."""

    board: SimulatedAxiBoard | None
    base_address: int
    base_pointer: int

    @classmethod
    def of(cls, board: SimulatedAxiBoard, address: int, content: NDArray[Any]) -> SimulatedBuffer:
        made = content.view(cls)
        made.board, made.base_address, made.base_pointer = board, address, made.virtual_address
        return made

    def __array_finalize__(self, parent: Any) -> None:
        self.board = getattr(parent, "board", None)
        self.base_address = getattr(parent, "base_address", 0)
        self.base_pointer = getattr(parent, "base_pointer", 0)

    @property
    def virtual_address(self) -> int:
        return int(self.__array_interface__["data"][0])

    @property
    def physical_address(self) -> int:
        return self.base_address + self.virtual_address - self.base_pointer

    @property
    def device_address(self) -> int:
        return self.physical_address

    def flush(self) -> None:
        """Write the cache back to memory."""
        assert self.board is not None
        self.board.write_memory(self.physical_address, self.tobytes())

    def invalidate(self) -> None:
        """Read memory into the cache."""
        assert self.board is not None
        content = self.board.read_memory(self.physical_address, self.nbytes)
        self.view(np.ndarray)[...] = np.frombuffer(content, self.dtype).reshape(self.shape)

    def sync_to_device(self) -> None:
        self.flush()

    def sync_from_device(self) -> None:
        self.invalidate()

    def freebuffer(self) -> None:
        """Nothing: the memory ends with the board."""
