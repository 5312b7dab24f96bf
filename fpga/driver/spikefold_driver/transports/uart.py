"""The transport of ECP5 boards: packets with a checksum over a serial port.

A packet is 0x55 KIND LENGTH[3] PAYLOAD CRC32[4], numbers little endian, the CRC (zlib's) over kind, length and payload.
The board measures the baud rate on each packet's first byte and answers at the same one.
"""

from __future__ import annotations

import struct
import time
import zlib
from typing import Any, Generator, Iterator

import numpy as np

from .. import registers
from ..description import Description
from ..errors import (
    AcceleratorTimeoutError,
    CoreResetError,
    DriverError,
    LinkLostError,
    LongFrameError,
    MissingPackageError,
    ShortFrameError,
    WireError,
)
from .transport import SLACK_SECONDS, Transport, limit_cycles

_TERMINAL_ERRORS: tuple[type[Exception], ...] = ()
try:
    import termios
except ImportError:  # Windows
    pass
else:
    _TERMINAL_ERRORS = (termios.error,)

SYNC = 0x55
READ, WRITE, FRAME = 0x01, 0x02, 0x03
REPLY = 0x80
FAULT = 0xFF
CHECKSUM, SHORT, LONG, UNKNOWN, BUSY, TRUNCATED = 1, 2, 3, 4, 5, 6

DEFAULT_BAUD = 1_000_000
BITS_PER_BYTE = 10
"""Of a byte on the wire: start bit, 8 data bits, stop bit."""
SILENCE_BITS = 1 << 14
"""Twice the silence after which the board drops what came of a packet."""
_HEADER = 5
_TRAILER = 4
_POLL_SECONDS = 0.05
_FLUSH_SECONDS = 0.02
_RESET_TRIES = 3
_AGAIN = "the accelerator is reset, so classify again"
_PLUG_IN = "check the cable and the port's name, then classify again: the port is opened anew"


def packet(kind: int, payload: bytes = b"") -> bytes:
    """A packet as it goes over the wire."""
    body = struct.pack("<B", kind) + struct.pack("<I", len(payload))[:3] + payload
    return bytes([SYNC]) + body + struct.pack("<I", zlib.crc32(body))


class UartTransport(Transport):
    """Frames one after the other through the serial port ``port``, 115,200 to 3,000,000 baud."""

    def __init__(
        self, description: Description, port: str, *, baud: int = DEFAULT_BAUD, slack_s: float = SLACK_SECONDS
    ) -> None:
        super().__init__(description, slack_s)
        try:
            import serial
        except ImportError:
            raise MissingPackageError("the package pyserial is not installed", "`pip install pyserial`") from None
        self._serial = serial
        # TypeError: what pyserial raises where the port is closed while it reads; _TERMINAL_ERRORS: where a buffer is
        # to be emptied of a port that is gone.
        self._link_errors = (serial.SerialException, OSError, TypeError, *_TERMINAL_ERRORS)
        self.port = port
        self.baud = baud
        self._line: Any | None = None
        self._stale = True
        """Whether answers may come that are about earlier packets, of this program or of one before."""
        self._settle()

    @property
    def max_frames(self) -> int:
        return 1

    def read(self, offset: int) -> int:
        return int(struct.unpack("<I", self._exchange(READ, bytes([offset]), 4))[0])

    def write(self, offset: int, value: int) -> None:
        self._exchange(WRITE, struct.pack("<BI", offset, value), 0)

    def close(self) -> None:
        line, self._line = self._line, None
        self._stale = True
        if line is not None:
            line.close()

    def reset(self) -> None:
        """Let the board drop half a packet, forget what it answered meanwhile, and reset it; tried three times."""
        for tries_left in reversed(range(_RESET_TRIES)):
            try:
                self._settle()
                self.write(registers.CONTROL, registers.CONTROL_RESET)
                end = time.monotonic() + self.slack_s
                while self.read(registers.STATUS) & registers.STATUS_RESETTING:
                    if time.monotonic() > end:
                        raise AcceleratorTimeoutError(
                            "the accelerator does not end its reset", "load its bitstream again"
                        )
                self._stale = False
                return
            except (WireError, AcceleratorTimeoutError):
                if not tries_left:
                    raise

    def stream(self, batches: Iterator[np.ndarray]) -> Generator[np.ndarray, None, None]:
        output = self.description.output
        for words in batches:
            results = np.zeros((len(words), output.words, output.bytes), np.uint8)
            for index, frame in enumerate(words):
                results[index] = self._frame(frame).reshape(output.words, output.bytes)
            yield results

    def _frame(self, words: np.ndarray) -> np.ndarray:
        output = self.description.output
        if self._stale:
            self._begin_again()
        try:
            seconds = limit_cycles(self.description, 1) / (1e6 * self.description.clock_mhz)
            reply = self._exchange(FRAME, words.tobytes(), output.words * output.bytes, seconds)
        except LinkLostError:
            raise
        except DriverError as error:
            raise self._recovered(error) from None
        except BaseException:
            self._stale = True
            self.reset()
            raise
        return np.frombuffer(reply, np.uint8)

    def _begin_again(self) -> None:
        """After an unplugged port, or a reset that failed: what answers now may be another board."""
        self.reset()
        try:
            self.check()
        except BaseException:
            self.close()
            raise

    def _recovered(self, error: DriverError) -> DriverError:
        """Reset the board after an error; the error to raise, with what the board says of it."""
        self._stale = True
        try:
            if isinstance(error, AcceleratorTimeoutError):
                error = self._diagnosed(error)
            self.reset()
        except DriverError as failed:
            error.change(f"{error.what}, and after that {failed.what}", failed.next_step)
        return error

    def _diagnosed(self, error: DriverError) -> DriverError:
        """What the registers say, which are answered while an image is computed."""
        self._settle()
        status = self.read(registers.STATUS)
        taken, given = self.read(registers.FRAMES_IN), self.read(registers.FRAMES_OUT)
        busy = bool(status & registers.STATUS_BUSY)
        if not busy and taken == 0 and given == 0:
            return CoreResetError(
                "the accelerator was reset while the image was under way",
                f"let only one program use the board; {_AGAIN}",
            )
        state = "busy" if busy else "idle"
        error.change(f"{error.what} (it is {state}, took {taken} images and gave {given} since its last reset)")
        return error

    def _exchange(self, kind: int, payload: bytes, length: int, seconds: float = 0.0) -> bytes:
        """Send a packet and return the payload of its answer, ``length`` bytes, computed in ``seconds`` at most."""
        sent = packet(kind, payload)
        wire_bits = BITS_PER_BYTE * (len(sent) + _HEADER + length + _TRAILER)
        end = time.monotonic() + self.slack_s + seconds + 2 * wire_bits / self.baud
        line = self._open()
        try:
            if line.in_waiting:  # nothing is asked: an answer that came too late
                line.reset_input_buffer()
            line.write(sent)
            return self._reply(line, kind, length, end)
        except self._serial.SerialTimeoutException:
            raise WireError(f"port {self.port} takes no bytes", _PLUG_IN) from None
        except self._link_errors as error:
            self.close()
            raise LinkLostError(f"port {self.port} is gone ({error})", _PLUG_IN) from None

    def _reply(self, line: Any, kind: int, length: int, end: float) -> bytes:
        while True:
            header = self._take(line, _HEADER, end, kind)
            if header[0] != SYNC:
                raise WireError(
                    f"port {self.port} answers with byte 0x{header[0]:02x} instead of 0x{SYNC:02x}",
                    self._slower(kind),
                )
            answer, size = header[1], int.from_bytes(header[2:], "little")
            expected = {kind | REPLY: length, FAULT: 1}
            if size > max(length, 1) and not self._stale:
                raise self._damaged(kind)
            body = self._take(line, size + _TRAILER, end, kind)
            if struct.unpack("<I", body[size:])[0] != zlib.crc32(header[1:] + body[:size]):
                raise self._damaged(kind)
            if answer == FAULT and size == 1:
                if self._stale and body[0] in (CHECKSUM, TRUNCATED):
                    continue  # about the packet before
                raise self._fault(body[0], kind)
            if expected.get(answer) == size:
                return body[:size]
            if not self._stale:
                raise self._damaged(kind)

    def _take(self, line: Any, count: int, end: float, kind: int) -> bytes:
        received = b""
        while len(received) < count:
            if time.monotonic() > end:
                if received:
                    raise WireError(
                        f"an answer on port {self.port} stopped after {len(received)} of {count} bytes",
                        self._slower(kind),
                    )
                what = "the image" if kind == FRAME else "a register access"
                raise AcceleratorTimeoutError(
                    f"the board did not answer {what} within its deadline",
                    f"{_again(kind)}; if it happens again, load the bitstream (`openFPGALoader`) and check the cable",
                )
            received += line.read(count - len(received))
        return received

    def _damaged(self, kind: int) -> WireError:
        return WireError(
            f"an answer on port {self.port} is damaged",
            self._slower(kind),
        )

    def _fault(self, code: int, kind: int) -> DriverError:
        lower = self._slower(kind)
        if code == SHORT:
            return ShortFrameError("the accelerator received fewer words than the image has", lower)
        if code == LONG:
            return LongFrameError("the accelerator received more words than the image has", lower)
        if code == BUSY:
            return AcceleratorTimeoutError("the accelerator still computes an earlier image", _AGAIN)
        what = {
            CHECKSUM: "a packet to the board was damaged on the wire",
            UNKNOWN: "the board does not know the kind of a packet",
            TRUNCATED: "a packet to the board was interrupted",
        }.get(code, f"the board answers with the unknown error {code}")
        return WireError(what, lower)

    def _slower(self, kind: int) -> str:
        return f"{_again(kind)}; if it happens again, lower the baud rate ({self.baud} now)"

    def _open(self) -> Any:
        if self._line is None:
            words = self.description.input.words * self.description.input.bytes
            write_seconds = self.slack_s + 2 * BITS_PER_BYTE * (words + _HEADER + _TRAILER) / self.baud
            try:
                self._line = self._serial.Serial(
                    self.port, self.baud, timeout=_POLL_SECONDS, write_timeout=write_seconds
                )
            except (*self._link_errors, ValueError) as error:
                raise LinkLostError(f"port {self.port} cannot be opened ({error})", _PLUG_IN) from None
        return self._line

    def _settle(self) -> None:
        """Wait until the board has dropped half a packet and said so, then forget what it said."""
        line = self._open()
        end = time.monotonic() + self.slack_s
        try:
            line.reset_output_buffer()
            time.sleep(_FLUSH_SECONDS + SILENCE_BITS / self.baud)
            while line.in_waiting and time.monotonic() < end:
                line.reset_input_buffer()
                time.sleep(_FLUSH_SECONDS)
        except self._link_errors as error:
            self.close()
            raise LinkLostError(f"port {self.port} is gone ({error})", _PLUG_IN) from None


def _again(kind: int) -> str:
    """What to do after a packet that failed: only after a frame's is the board reset."""
    return _AGAIN if kind == FRAME else "try again"
