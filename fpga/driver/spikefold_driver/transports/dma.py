"""The transport of PYNQ boards: an AXI DMA in simple (register direct) mode, driven by its registers.

PYNQ's own DMA channels wait in loops without an end, in their constructor already, so only its overlay, buffers and
register access are used. DMA registers: Xilinx PG021, AXI DMA v7.1, "Register Space", direct register mode.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any, Callable, Generator, Iterator

import numpy as np

from .. import registers
from ..description import Description
from ..errors import (
    AcceleratorTimeoutError,
    CoreResetError,
    DmaError,
    DriverError,
    LengthError,
    LongFrameError,
    OutOfMemoryError,
    OverlayError,
    ShortFrameError,
    WeightReadError,
    first_line,
)
from ..weights import WeightBuffer
from .transport import SLACK_SECONDS, Deadline, Transport, limit_cycles, most_frames

MM2S = 0x00
S2MM = 0x30
DMACR = 0x00
DMASR = 0x04
ADDRESS = 0x18
ADDRESS_MSB = 0x1C
LENGTH = 0x28

DMACR_RUN = 1 << 0
DMACR_RESET = 1 << 2
DMASR_HALTED = 1 << 0
DMASR_IDLE = 1 << 1
DMASR_ERRORS = {
    1 << 4: "internal error: a write to memory failed, or more data came than the buffer was said to hold",
    1 << 5: "slave error: the memory refused an access",
    1 << 6: "decode error: an address that no memory has",
}
_ANY_ERROR = sum(DMASR_ERRORS)

LENGTH_BITS = 26
"""Of the DMA's length register as FINN and our block design configure it; the overlay says if it is another."""
ADDRESS_BITS = 64
"""Where the overlay does not say otherwise."""
BUFFER_BYTES = 4 << 20
"""Of one input or output buffer unless a single frame is larger: contiguous memory is scarce on a board."""
_MINIMUM_POLLS = 64
"""Register reads are some microseconds: polls before a state that ought to pass is taken for a fault."""
_POLL_SECONDS = 1e-4
"""Between polls of a batch that has taken so many already: the processor is not kept busy by waiting."""
_AGAIN = "the DMA and the accelerator are reset, so classify again"
_RELOAD = "open the accelerator again to load its bitstream anew, and power-cycle the board if that does not help"


class DmaTransport(Transport):
    """Batches through an AXI DMA; ``core`` and ``dma`` read and write registers, ``allocate`` gives DMA buffers.

    ``weights``: what lies in memory, None where all are on the chip.
    """

    def __init__(
        self,
        description: Description,
        core: Any,
        dma: Any,
        allocate: Callable[..., Any],
        *,
        weights: bytes | None,
        length_bits: int = LENGTH_BITS,
        address_bits: int = ADDRESS_BITS,
        slack_s: float = SLACK_SECONDS,
        power: Callable[[], dict[str, float] | None] = lambda: None,
        keep: Any = None,
    ) -> None:
        super().__init__(description, slack_s)
        self._core = core
        self._dma = dma
        self._allocate = allocate
        self._address_bits = address_bits
        self._power = power
        self._keep = keep
        self._in_frame = description.input.words * description.input.stream_bytes
        self._out_frame = description.output.words * description.output.stream_bytes
        largest = max(self._in_frame, self._out_frame)
        most_bytes = (1 << length_bits) - 1
        if largest > most_bytes:
            raise OverlayError(
                f"an image takes {largest} bytes, more than the DMA's length register of {length_bits} bits holds",
                "build the bitstream with a wider length register",
            )
        self._max_frames = min(most_frames(description), max(1, min(most_bytes, BUFFER_BYTES) // largest))
        self._buffers: list[tuple[Any, Any] | None] = [None, None]
        self._under_way = False
        self._frames_out = 0
        self._weights = None if weights is None else WeightBuffer(weights, allocate)

    @property
    def max_frames(self) -> int:
        return self._max_frames

    def read(self, offset: int) -> int:
        return int(self._core.read(offset))

    def write(self, offset: int, value: int) -> None:
        self._core.write(offset, value)

    def read_power(self) -> dict[str, float] | None:
        return self._power()

    def close(self) -> None:
        weights, self._weights = self._weights, None
        # The DMA must not write into memory that is given back, nor the accelerator read it.
        if self._under_way or (weights is not None and weights.told):
            with suppress(DriverError):
                self.reset()
        for turn in range(len(self._buffers)):
            self._free(turn)
        if weights is not None:
            weights.free()

    def reset(self) -> None:
        """The DMA first, so that it offers and takes no word while the accelerator is reset; weights' place last."""
        self._dma.write(MM2S + DMACR, DMACR_RESET)
        for channel in (MM2S, S2MM):
            self._until(channel + DMACR, DMACR_RESET, self._dma, "the DMA does not end its reset")
        self.write(registers.CONTROL, registers.CONTROL_RESET)
        self._until(registers.STATUS, registers.STATUS_RESETTING, self._core, "the accelerator does not end its reset")
        for channel in (MM2S, S2MM):
            self._dma.write(channel + DMACR, DMACR_RUN)
            self._until(channel + DMASR, DMASR_HALTED, self._dma, "the DMA does not start after its reset")
        self._under_way = False
        self._frames_out = 0
        if self._weights is not None:
            self._weights.tell(self.write, self.read)

    def stream(self, batches: Iterator[np.ndarray]) -> Generator[np.ndarray, None, None]:
        if self._under_way:  # left by a caller that neither went on nor closed
            self.reset()
        turn, before = 0, 0
        try:
            for words in batches:  # packs a batch while the one before is under way
                self._load(turn, words)
                done = self._finish(1 - turn, before) if before else None
                self._start(turn, len(words))
                turn, before = 1 - turn, len(words)
                if done is not None:
                    yield done
            if before:
                yield self._finish(1 - turn, before)
        except BaseException as error:
            # A fault, or a caller that wants no more: nothing stays under way.
            self._recover(error)
            raise

    def _recover(self, error: BaseException) -> None:
        if not self._under_way:
            return
        try:
            self.reset()
        except DriverError as failed:
            if not isinstance(error, DriverError):
                raise
            error.change(f"{error.what}, and after that {failed.what}", failed.next_step)

    def _load(self, turn: int, words: np.ndarray) -> None:
        """Copy a batch into an input buffer of which nothing is under way."""
        pair = self._buffers[turn]
        if pair is None or len(pair[0]) < len(words):
            self._free(turn)
            pair = self._buffers[turn] = self._new_buffers(len(words))
        # The bytes above those of a word stay zero.
        pair[0].view(np.ndarray)[: len(words), :, : words.shape[-1]] = words
        pair[0][: len(words)].flush()

    def _new_buffers(self, frames: int) -> tuple[Any, Any]:
        rounded = min(self._max_frames, 1 << (frames - 1).bit_length())
        streams = (self.description.input, self.description.output)
        shapes = [(max(frames, rounded), stream.words, stream.stream_bytes) for stream in streams]
        try:
            pair = tuple(self._allocate(shape=shape, dtype=np.uint8) for shape in shapes)
        except Exception as error:  # MemoryError, or what the board's memory driver raises
            raise OutOfMemoryError(
                f"the board has no contiguous memory for a batch of {shapes[0][0]} images ({first_line(error)})",
                "end other programs and notebooks that hold buffers, or give a smaller batch=",
            ) from None
        for buffer in pair:
            if (int(buffer.physical_address) + buffer.nbytes - 1) >> self._address_bits:
                raise OverlayError(
                    f"a buffer lies at 0x{int(buffer.physical_address):x}, where the DMA's {self._address_bits} "
                    "address bits do not reach",
                    "build the bitstream with a DMA of 64 address bits",
                )
        pair[0].view(np.ndarray)[:] = 0
        return pair[0], pair[1]

    def _free(self, turn: int) -> None:
        pair, self._buffers[turn] = self._buffers[turn], None
        for buffer in pair or ():
            buffer.freebuffer()

    def _start(self, turn: int, frames: int) -> None:
        pair = self._buffers[turn]
        assert pair is not None
        self._under_way = True
        pair[1][:frames].flush()  # or lines that the cache writes back later would cover results
        self._transfer(S2MM, pair[1], frames * self._out_frame)
        self.write(registers.FRAMES, frames)
        self.write(registers.CONTROL, registers.CONTROL_START)
        self._transfer(MM2S, pair[0], frames * self._in_frame)

    def _transfer(self, channel: int, buffer: Any, length: int) -> None:
        address = int(buffer.physical_address)
        self._dma.write(channel + ADDRESS, address & 0xFFFFFFFF)
        self._dma.write(channel + ADDRESS_MSB, address >> 32)
        self._dma.write(channel + LENGTH, length)

    def _finish(self, turn: int, frames: int) -> np.ndarray:
        """Wait for a batch; its output words."""
        pair = self._buffers[turn]
        assert pair is not None
        cycles = limit_cycles(self.description, frames)
        deadline = Deadline(cycles, self.slack_s + cycles / (1e6 * self.description.clock_mhz))
        polls = idle_polls = 0
        while not self._is_done(S2MM, frames):
            polls += 1
            if polls > _MINIMUM_POLLS:
                time.sleep(_POLL_SECONDS)
            self._is_done(MM2S, frames)  # or its error
            status = self._check_flags(frames)
            busy_cycles = self.read(registers.BUSY_CYCLES)
            if not status & registers.STATUS_BUSY:
                idle_polls += 1
                if idle_polls > _MINIMUM_POLLS and self._frames_gone(frames) != frames:
                    raise CoreResetError(
                        f"the accelerator was reset while {_images(frames)} were under way",
                        f"let only one program use the board; {_AGAIN}",
                    )
            if deadline.is_over(busy_cycles):
                raise self._timeout(frames)
        self._check_flags(frames)
        received = self._dma.read(S2MM + LENGTH)
        if received != frames * self._out_frame:
            raise LengthError(
                f"the DMA received {received} bytes for {_images(frames)}, which give {frames * self._out_frame}",
                f"{_AGAIN}; if it happens again, bitstream and network.json do not belong together",
            )
        while not self._is_done(MM2S, frames) or self._check_flags(frames) & registers.STATUS_BUSY:
            if deadline.is_over(0):
                raise self._timeout(frames)
        self._under_way = False
        self._frames_out += frames
        pair[1][:frames].invalidate()
        return np.array(pair[1].view(np.ndarray)[:frames])

    def _is_done(self, channel: int, frames: int) -> bool:
        status = self._dma.read(channel + DMASR)
        if status & _ANY_ERROR:
            # A packet that the accelerator refused is the cause, the error of the DMA what follows.
            self._check_flags(frames)
            errors = ", ".join(text for bit, text in DMASR_ERRORS.items() if status & bit)
            name = "send" if channel == MM2S else "receive"
            raise DmaError(
                f"the DMA's {name} channel stopped with an error, status 0x{status:08x} ({errors})",
                f"{_AGAIN}; if it happens again, {_RELOAD}",
            )
        return bool(status & DMASR_IDLE)

    def _check_flags(self, frames: int) -> int:
        status = self.read(registers.STATUS)
        if status & registers.STATUS_WEIGHTS_ERROR:
            raise WeightReadError(
                f"the memory refused a read of weights for {_images(frames)}, so their results were dropped",
                f"{_AGAIN}; if it happens again, {_RELOAD}",
            )
        if status & registers.STATUS_SHORT:
            raise ShortFrameError(
                f"the accelerator received fewer words than {_images(frames)} have",
                f"{_AGAIN}; if it happens again, bitstream and network.json do not belong together",
            )
        if status & registers.STATUS_LONG:
            raise LongFrameError(
                f"the accelerator received more words than {_images(frames)} have",
                f"{_AGAIN}; if it happens again, bitstream and network.json do not belong together",
            )
        return status

    def _frames_gone(self, frames: int) -> int:
        return (self.read(registers.FRAMES_OUT) - self._frames_out) & 0xFFFFFFFF

    def _timeout(self, frames: int) -> AcceleratorTimeoutError:
        taken = (self.read(registers.FRAMES_IN) - self._frames_out) & 0xFFFFFFFF
        given = self._frames_gone(frames)
        sending = "has sent all" if self._dma.read(MM2S + DMASR) & DMASR_IDLE else "still sends"
        receiving = "has received all" if self._dma.read(S2MM + DMASR) & DMASR_IDLE else "still waits for results"
        return AcceleratorTimeoutError(
            f"{_images(frames)} did not end within {limit_cycles(self.description, frames)} cycles: the accelerator "
            f"took {taken} and gave {given}, the DMA {sending} and {receiving}",
            f"{_AGAIN}; if it happens again, {_RELOAD}",
        )

    def _until(self, offset: int, mask: int, where: Any, fault: str) -> None:
        """Wait until the bits of a register are 0; raises DmaError."""
        end = time.monotonic() + self.slack_s
        polls = 0
        while where.read(offset) & mask:
            polls += 1
            if polls > _MINIMUM_POLLS and time.monotonic() > end:
                raise DmaError(fault, _RELOAD)


def _images(frames: int) -> str:
    return f"the batch of {frames} images" if frames != 1 else "the image"
