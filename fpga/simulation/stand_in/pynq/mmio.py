"""Registers of the simulated board, as pynq/mmio.py has those of a device."""

from __future__ import annotations

from typing import Any

from .board import ACCELERATOR_BASE, ADDRESS_RANGE, DMA_BASE, board


class MMIO:
    """A window of registers from ``base_addr`` on."""

    def __init__(self, base_addr: int, length: int = 4, device: Any = None, **kwargs: Any) -> None:
        if base_addr < 0 or length < 0:
            raise ValueError("Base address or length cannot be negative.")
        self.base_addr = base_addr
        self.length = length
        self.device = device

    def read(self, offset: int = 0, length: int = 4, word_order: str = "little") -> int:
        if length not in [1, 2, 4, 8]:
            raise ValueError("MMIO currently only supports 1, 2, 4 and 8-byte reads.")
        if length == 8:
            low, high = self.read(offset), self.read(offset + 4)
            return low | high << 32 if word_order == "little" else low << 32 | high
        self._check(offset, "read: offset")
        registers, place = self._place(offset)
        return int(registers.read(place)) & ((1 << (8 * length)) - 1)

    def write(self, offset: int, data: Any) -> None:
        """pynq calls it ``write_mm`` and names it ``write`` when it is made."""
        self._check(offset, "write: offset")
        if type(data) is bytes:
            if len(data) % 4:
                raise MemoryError("Unaligned write: data length must be multiple of 4.")
            for start in range(0, len(data), 4):
                self.write(offset + start, int.from_bytes(data[start : start + 4], "little"))
            return
        if type(data) is not int:
            raise ValueError("Data type must be int or bytes.")
        if not 0 <= data < 1 << 32:
            raise OverflowError(f"Python integer {data} out of bounds for uint32")
        registers, place = self._place(offset)
        registers.write(place, data)

    def _check(self, offset: int, what: str) -> None:
        if offset < 0:
            raise ValueError("Offset cannot be negative.")
        if offset % 4:
            raise MemoryError(f"Unaligned {what} must be multiple of 4.")
        if offset + 4 > self.length:
            raise IndexError(f"index {offset >> 2} is out of bounds for axis 0 with size {self.length >> 2}")

    def _place(self, offset: int) -> tuple[Any, int]:
        for base, registers in ((ACCELERATOR_BASE, board().core), (DMA_BASE, board().dma)):
            if base <= self.base_addr + offset < base + ADDRESS_RANGE:
                return registers, self.base_addr + offset - base
        raise RuntimeError(f"bus error at address 0x{self.base_addr + offset:x}")
