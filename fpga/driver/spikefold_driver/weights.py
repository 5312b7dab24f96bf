"""Weights that lie in the board's memory: their file in the package, and the buffer that the accelerator reads."""

from __future__ import annotations

import hashlib
from typing import Any, Callable

import numpy as np

from . import registers
from .description import Description
from .errors import OutOfMemoryError, WeightsError, first_line

PAGE_BYTES = 4096
_COPY = "copy the whole package again"


def read_weights(description: Description) -> bytes | None:
    """The weights of a package, None where all are on the chip.

    Raises WeightsError unless the file is there, and has the size and the digest of network.json.
    """
    wanted = description.weights
    if wanted is None:
        return None
    file = description.folder / wanted.file
    try:
        content = file.read_bytes()
    except OSError as error:
        raise WeightsError(f"weights {file} cannot be read ({error.strerror or error})", _COPY) from None
    if len(content) != wanted.bytes:
        raise WeightsError(f"weights {file} have {len(content)} bytes, and network.json says {wanted.bytes}", _COPY)
    digest = hashlib.sha256(content).hexdigest()
    if digest != wanted.sha256:
        raise WeightsError(
            f"weights {file} are damaged: their SHA-256 is {digest[:16]}..., and network.json says "
            f"{wanted.sha256[:16]}...",
            _COPY,
        )
    return content


class WeightBuffer:
    """Weights in memory that keeps its place, written back from the cache."""

    def __init__(self, content: bytes, allocate: Callable[..., Any]) -> None:
        """Raises OutOfMemoryError, and WeightsError where the buffer does not begin at a page."""
        self.told = False
        try:
            self._buffer = allocate(shape=(len(content),), dtype=np.uint8)
        except Exception as error:  # MemoryError, or what the board's memory driver raises
            raise OutOfMemoryError(
                f"the board has no contiguous memory for {len(content)} bytes of weights ({first_line(error)})",
                "end other programs and notebooks that hold buffers, or give the kernel more of it (cma=)",
            ) from None
        self._address = int(self._buffer.physical_address)
        if self._address % PAGE_BYTES:
            self.free()
            raise WeightsError(
                f"the buffer of the weights lies at 0x{self._address:x}, which is no multiple of {PAGE_BYTES}",
                "report it with the version of pynq: its buffers begin at a page",
            )
        self._buffer.view(np.ndarray)[:] = np.frombuffer(content, np.uint8)
        self._buffer.flush()

    def tell(self, write: Callable[[int, int], None], read: Callable[[int], int]) -> None:
        """Write the address to an accelerator that has been reset, which begins to read; raises WeightsError."""
        write(registers.WEIGHTS_BASE_HIGH, self._address >> 32)
        write(registers.WEIGHTS_BASE, self._address & 0xFFFFFFFF)  # the last: it sets both
        self.told = True
        if not read(registers.STATUS) & registers.STATUS_WEIGHTS_SET:
            raise WeightsError(
                f"the accelerator does not take 0x{self._address:x} as the place of its weights",
                "load the bitstream of the package, and let only one program use the board",
            )

    def free(self) -> None:
        """Give the memory back; the accelerator must have been reset since ``tell``."""
        self._buffer.freebuffer()
