"""What the driver makes of every answer on a serial line, by a board that is a few lines of Python."""

from __future__ import annotations

import os
import struct
import threading
import time
import tty
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hanging_accelerator import SHAPE, hanging_rtl
from package_folder import package_folder
from spikefold_driver import (
    Accelerator,
    AcceleratorTimeoutError,
    CoreResetError,
    DriverError,
    FrameError,
    LinkLostError,
    LongFrameError,
    ShortFrameError,
    WireError,
    WrongNetworkError,
    read_description,
    registers,
)
from spikefold_driver.transports.uart import BUSY, FAULT, FRAME, READ, REPLY, WRITE, packet

IMAGES = np.arange(12, dtype=np.uint8).reshape(3, *SHAPE)
SUMS = IMAGES.reshape(3, -1).sum(axis=1).astype(np.int32)[:, np.newaxis]


class PythonBoard:
    """Adds the bytes of a frame; ``change`` may replace its next answer to a frame, None is no answer.

    ``late`` goes before the next answer to a write: answers keep their order, and a reset ends none that has begun.
    """

    def __init__(self, network: int) -> None:
        self.master, slave = os.openpty()
        tty.setraw(slave)
        self.slave = slave
        self.port = os.ttyname(slave)
        self.baud = 3_000_000
        self.change: Callable[[bytes], bytes | None] | None = None
        self.late = b""
        self.status = 0
        self.counted = 0
        self.resets = 0
        self.values = {
            registers.MAGIC: registers.MAGIC_VALUE,
            registers.VERSION: 1,
            registers.NETWORK: network,
            registers.IN_WORDS: 4,
            registers.IN_BYTES: 1,
            registers.OUT_WORDS: 1,
            registers.OUT_BYTES: 2,
        }
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def close(self) -> None:
        os.close(self.slave)  # which ends the thread's read
        self.thread.join()
        os.close(self.master)

    def _serve(self) -> None:
        held = b""
        try:
            while True:
                held += os.read(self.master, 4096)
                while len(held) >= 9 and len(held) >= 9 + int.from_bytes(held[2:5], "little"):
                    size = 9 + int.from_bytes(held[2:5], "little")
                    taken, held = held[:size], held[size:]
                    assert zlib.crc32(taken[1:-4]) == int.from_bytes(taken[-4:], "little")
                    self._answer(taken[1], taken[5:-4])
        except OSError:
            return

    def _answer(self, kind: int, payload: bytes) -> None:
        reply: bytes | None = b""
        if kind == READ:
            counted = {registers.STATUS: self.status, registers.FRAMES_IN: self.counted}
            value = {**self.values, **counted}.get(payload[0], 0)
            reply = packet(READ | REPLY, struct.pack("<I", value))
        elif kind == WRITE:
            offset, value = struct.unpack("<BI", payload)
            if offset == registers.CONTROL and value & registers.CONTROL_RESET:
                self.resets += 1
                self.status = self.counted = 0
            reply, self.late = self.late + packet(WRITE | REPLY), b""
        elif kind == FRAME:
            self.counted += 1
            reply = packet(FRAME | REPLY, struct.pack("<h", sum(payload)))
            if self.change is not None:
                change, self.change = self.change, None
                reply = change(reply)
        if reply:
            os.write(self.master, reply)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return package_folder(tmp_path / "package", hanging_rtl(tmp_path), SHAPE, shell="uart", board="ULX3S-85F")


@pytest.fixture
def board(folder: Path) -> Iterator[PythonBoard]:
    made = PythonBoard(read_description(folder).network)
    yield made
    made.close()


def fault(code: int) -> Callable[[bytes], bytes]:
    return lambda _: packet(FAULT, bytes([code]))


def flipped(at: int) -> Callable[[bytes], bytes]:
    return lambda reply: reply[:at] + bytes([reply[at] ^ 4]) + reply[at + 1 :]


REPLIES = [
    (fault(1), WireError, "a packet to the board was damaged on the wire"),
    (fault(2), ShortFrameError, "fewer words"),
    (fault(3), LongFrameError, "more words"),
    (fault(4), WireError, "does not know the kind"),
    (fault(BUSY), AcceleratorTimeoutError, "still computes an earlier image"),
    (fault(6), WireError, "a packet to the board was interrupted"),
    (fault(77), WireError, "unknown error 77"),
    (flipped(0), WireError, "answers with byte 0x51 instead of 0x55"),
    (flipped(1), WireError, "is damaged"),
    (flipped(2), WireError, "is damaged"),
    (flipped(4), WireError, "is damaged"),
    (flipped(6), WireError, "is damaged"),
    (flipped(-1 + 11), WireError, "is damaged"),
    (lambda reply: reply[:7], WireError, "stopped after"),
    (lambda reply: b"\x00" + reply, WireError, "byte 0x00 instead"),
    (lambda reply: packet(READ | REPLY, b"1234"), WireError, "is damaged"),
    (lambda reply: None, AcceleratorTimeoutError, "did not answer the image within its deadline .it is idle, took 3"),
]


@pytest.mark.parametrize(("change", "kind", "sentence"), REPLIES)
def test_every_answer(
    change: Callable[[bytes], bytes | None], kind: type[FrameError], sentence: str, folder: Path, board: PythonBoard
) -> None:
    with Accelerator.open(folder, port=board.port, baud=board.baud, slack_s=0.4) as accelerator:
        assert accelerator.batch == 1
        accelerator.classify(IMAGES[:2])
        board.change = change
        resets = board.resets
        with pytest.raises(kind, match=sentence) as raised:
            accelerator.classify(IMAGES)
        assert type(raised.value) is kind
        assert board.resets == resets + 1
        np.testing.assert_array_equal(accelerator.classify(IMAGES).logits, SUMS)


def test_a_reset_by_another_program(folder: Path, board: PythonBoard) -> None:
    def reset(_: bytes) -> None:
        board.counted = 0

    with Accelerator.open(folder, port=board.port, baud=board.baud, slack_s=0.2) as accelerator:
        board.change = reset
        with pytest.raises(CoreResetError, match="reset while the image was under way"):
            accelerator.classify(IMAGES)
        np.testing.assert_array_equal(accelerator.classify(IMAGES).logits, SUMS)


def test_a_late_answer_is_not_taken_for_the_next(folder: Path, board: PythonBoard) -> None:
    def late(reply: bytes) -> None:
        board.late = reply

    with Accelerator.open(folder, port=board.port, baud=board.baud, slack_s=0.4) as accelerator:
        board.change = late
        resets = board.resets
        with pytest.raises(AcceleratorTimeoutError):
            accelerator.classify(IMAGES[2])
        assert board.resets == resets + 1 and not board.late
        np.testing.assert_array_equal(accelerator.classify(IMAGES).logits, SUMS)


def test_a_board_that_never_answers(folder: Path) -> None:
    """As one without a bitstream."""
    master, slave = os.openpty()
    tty.setraw(slave)
    start = time.monotonic()
    with pytest.raises(DriverError, match="the board did not answer a register access within its deadline"):
        Accelerator.open(folder, port=os.ttyname(slave), slack_s=0.2)
    assert time.monotonic() - start < 5
    os.close(master)
    os.close(slave)


def test_another_board_behind_a_port_that_was_closed(folder: Path, board: PythonBoard, tmp_path: Path) -> None:
    port = tmp_path / "port"
    port.symlink_to(board.port)
    other = PythonBoard(board.values[registers.NETWORK] ^ 1)
    with Accelerator.open(folder, port=str(port), baud=board.baud, slack_s=0.4) as accelerator:
        accelerator.transport.close()
        port.unlink()
        port.symlink_to(other.port)
        for _ in range(2):
            with pytest.raises(WrongNetworkError, match="load the bitstream of the same package"):
                accelerator.classify(IMAGES)
        port.unlink()
        port.symlink_to(board.port)
        np.testing.assert_array_equal(accelerator.classify(IMAGES).logits, SUMS)
    other.close()


def test_a_reset_of_a_port_that_is_gone(folder: Path, board: PythonBoard) -> None:
    with Accelerator.open(folder, port=board.port, baud=board.baud, slack_s=0.4) as accelerator:
        master, gone = os.openpty()
        os.close(master)
        os.dup2(gone, vars(accelerator.transport)["_line"].fd)
        os.close(gone)
        with pytest.raises(LinkLostError, match=r"port .* is gone .*; check the cable"):
            accelerator.reset()
        np.testing.assert_array_equal(accelerator.classify(IMAGES).logits, SUMS)


def test_ports_that_are_none(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(LinkLostError, match=r"port .*none cannot be opened .*; check the cable"):
        Accelerator.open(folder, port=str(tmp_path / "none"))
    with pytest.raises(DriverError, match="no serial port is given; give port="):
        Accelerator.open(folder)
