"""What every transport gives, and the deadline of its waits."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import Callable, Generator, Iterator

import numpy as np

from .. import registers
from ..description import Description
from ..errors import OverlayError, WrongNetworkError

DEADLINE_FACTOR = 4
"""Times the cycles that a batch takes after which it is given up: memory and processor are shared."""
SLACK_CYCLES = 200_000
SLACK_SECONDS = 2.0
_COUNTER = 1 << 32


class Transport(ABC):
    """Registers and frames of one accelerator; a frame is its input words, its result its output words."""

    def __init__(self, description: Description, slack_s: float) -> None:
        self.description = description
        self.slack_s = slack_s

    @property
    @abstractmethod
    def max_frames(self) -> int:
        """Most frames of one batch."""

    @abstractmethod
    def read(self, offset: int) -> int:
        """A register of the accelerator."""

    @abstractmethod
    def write(self, offset: int, value: int) -> None:
        """Write a register of the accelerator."""

    @abstractmethod
    def stream(self, batches: Iterator[np.ndarray]) -> Generator[np.ndarray, None, None]:
        """Output words [N, words, bytes or more] of each batch of input words [N, words, bytes], in order.

        The next batch is asked for while one is under way. To be closed, or the last batch stays under way. Raises
        FrameError; the accelerator has been reset then.
        """

    @abstractmethod
    def reset(self) -> None:
        """Reset the accelerator and all that moves its frames; raises DriverError where that does not answer."""

    @abstractmethod
    def close(self) -> None:
        """Give back buffers or ports."""

    def read_power(self) -> dict[str, float] | None:
        """Watts of each rail that the board measures, None where it measures none."""
        return None

    def check(self) -> None:
        """Raise OverlayError or WrongNetworkError unless the accelerator is the one that network.json describes."""
        description = self.description
        magic = self.read(registers.MAGIC)
        if magic != registers.MAGIC_VALUE:
            raise OverlayError(
                f"what answers is no accelerator of this project (its MAGIC register reads 0x{magic:08x})",
                "load the bitstream of the package",
            )
        version = self.read(registers.VERSION)
        if version != registers.VERSION_VALUE:
            raise OverlayError(
                f"the accelerator has registers of version {version}, this driver knows {registers.VERSION_VALUE}",
                "install the driver of the same package as the bitstream",
            )
        network = self.read(registers.NETWORK)
        if network != description.network:
            raise WrongNetworkError(
                f"the loaded accelerator computes network {network:08x}, "
                f"but network.json describes {description.network:08x} ({description.name})",
                "load the bitstream of the same package",
            )
        for name, offset, wanted in (
            ("IN_WORDS", registers.IN_WORDS, description.input.words),
            ("IN_BYTES", registers.IN_BYTES, description.input.bytes),
            ("OUT_WORDS", registers.OUT_WORDS, description.output.words),
            ("OUT_BYTES", registers.OUT_BYTES, description.output.bytes),
        ):
            value = self.read(offset)
            if value != wanted:
                raise WrongNetworkError(
                    f"register {name} of the accelerator reads {value}, but network.json says {wanted}",
                    "copy the whole package again",
                )
        self._check_weights()

    def _check_weights(self) -> None:
        wanted = self.description.weights
        if wanted is not None and self.read(registers.WEIGHT_BYTES) != wanted.bytes:
            raise WrongNetworkError(
                f"the accelerator reads {self.read(registers.WEIGHT_BYTES)} bytes of weights from memory, but "
                f"network.json says {wanted.bytes}",
                "copy the whole package again",
            )


def limit_cycles(description: Description, frames: int) -> int:
    """Cycles after which a batch of ``frames`` is given up."""
    return DEADLINE_FACTOR * (description.latency + frames * description.interval) + SLACK_CYCLES


def most_frames(description: Description) -> int:
    """Frames of which ``limit_cycles`` is far from where the 32-bit cycle counter wraps."""
    spare = _COUNTER // 2 - limit_cycles(description, 0)
    return max(1, min(registers.MAX_FRAMES, spare // (DEADLINE_FACTOR * description.interval)))


class Deadline:
    """Ends a wait for a batch: after its cycles by the accelerator's own counter, or when that counter stands still.

    A wait is bounded whatever the counter does: it either reaches the limit or stands still for ``seconds``. A board
    whose clock is slower than network.json says is given the time it needs.
    """

    def __init__(self, cycles: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._cycles = cycles
        self._seconds = seconds
        self._clock = clock
        self._seen = -1
        self._since = clock()

    def is_over(self, busy_cycles: int) -> bool:
        if busy_cycles > self._cycles:
            return True
        now = self._clock()
        if busy_cycles > self._seen:
            self._seen = busy_cycles
            self._since = now
        return now - self._since > self._seconds
