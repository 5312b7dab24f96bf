"""The host's end of a UART shell, bit by bit: sends packets and listens for replies, at a baud rate of its own."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import cocotb
from cocotb.clock import Clock
from cocotb.handle import HierarchyObject
from cocotb.queue import Queue
from cocotb.triggers import ClockCycles, Edge, First, Timer

READ, WRITE, FRAME = 0x01, 0x02, 0x03
VALUE, WRITTEN, RESULT, ERROR = 0x81, 0x82, 0x83, 0xFF
CHECKSUM, SHORT, LONG, UNKNOWN, BUSY, TRUNCATED = range(1, 7)
SILENT_BITS = 128
PATIENCE_BITS = 20_000


@dataclass(frozen=True)
class Reply:
    """A reply packet whose checksum was right."""

    kind: int
    payload: bytes

    @property
    def value(self) -> int:
        return int.from_bytes(self.payload, "little")


def packet(kind: int, payload: bytes = b"", length: int | None = None) -> bytes:
    """The bytes of a packet; ``length``: what it says of its payload, where that is not so."""
    body = bytes([kind]) + (len(payload) if length is None else length).to_bytes(3, "little") + payload
    return b"\x55" + body + zlib.crc32(body).to_bytes(4, "little")


def read_packet(offset: int) -> bytes:
    return packet(READ, bytes([offset]))


def write_packet(offset: int, value: int) -> bytes:
    return packet(WRITE, bytes([offset]) + value.to_bytes(4, "little"))


class UartHost:
    """Drives rx and listens to tx of a top with clk, rst_n, rx and tx."""

    def __init__(self, dut: HierarchyObject, bit_ps: float) -> None:
        self.dut = dut
        self.bit_ps = bit_ps
        self._bytes: Queue[int] = Queue()
        self._listener = cocotb.start_soon(self._listen())

    # ---------------------------------------------------------------- bits
    async def send(self, content: bytes, change: Callable[[int, int], int] | None = None) -> None:
        """Send bytes without gaps; ``change``: of the index of a bit on the line, and the bit, what is sent for it."""
        bits = [bit for byte in content for bit in (0, *((byte >> index) & 1 for index in range(8)), 1)]
        sent_ps = 0
        for index, bit in enumerate(bits):
            self.dut.rx.value = change(index, bit) if change else bit
            until = round((index + 1) * self.bit_ps)
            await Timer(until - sent_ps, unit="ps")
            sent_ps = until
        self.dut.rx.value = 1

    async def silence(self, bits: float) -> None:
        await Timer(round(bits * self.bit_ps), unit="ps")

    async def _listen(self) -> None:
        while True:
            await Edge(self.dut.tx)
            if self.dut.tx.value != 0:
                continue
            await self.silence(0.5)
            assert self.dut.tx.value == 0, "the start bit is too short"
            byte = 0
            for index in range(8):
                await self.silence(1)
                byte |= int(self.dut.tx.value) << index
            await self.silence(1)
            assert self.dut.tx.value == 1, "there is no stop bit"
            self._bytes.put_nowait(byte)

    # ---------------------------------------------------------------- packets
    async def _take(self, count: int) -> bytes:
        content = bytearray()
        for _ in range(count):
            taking = cocotb.start_soon(self._bytes.get())
            patience = Timer(round(PATIENCE_BITS * self.bit_ps), unit="ps")
            done = await First(taking, patience)
            assert done is not patience, f"no reply came, after {bytes(content).hex() or 'nothing'}"
            content.append(taking.result())
        return bytes(content)

    async def reply(self) -> Reply:
        """The next reply; its form and checksum must be right."""
        head = await self._take(5)
        assert head[0] == 0x55, f"a reply begins with {head.hex()}"
        payload = await self._take(int.from_bytes(head[2:], "little"))
        checksum = int.from_bytes(await self._take(4), "little")
        assert checksum == zlib.crc32(head[1:] + payload)
        return Reply(head[1], payload)

    async def ask(self, content: bytes) -> Reply:
        await self.send(content)
        return await self.reply()

    async def read(self, offset: int) -> int:
        reply = await self.ask(read_packet(offset))
        assert (reply.kind, len(reply.payload)) == (VALUE, 4), reply
        return reply.value

    async def write(self, offset: int, value: int) -> None:
        assert await self.ask(write_packet(offset, value)) == Reply(WRITTEN, b"")

    async def quiet(self, bits: float = 3 * SILENT_BITS) -> None:
        """Nothing comes for that long."""
        await self.silence(bits)
        assert self._bytes.empty(), "an unasked reply came"

    async def drain(self) -> int:
        """Wait for silence, as after noise; returns how many bytes came."""
        count = 0
        while True:
            await self.silence(2 * SILENT_BITS)
            if self._bytes.empty():
                return count
            while not self._bytes.empty():
                self._bytes.get_nowait()
                count += 1

    def stop(self) -> None:
        self._listener.cancel()


async def begin(dut: HierarchyObject, period_ps: int, bit_ps: float) -> UartHost:
    """Start the clock, reset the top and come to its line."""
    dut.rx.value = 1
    dut.rst_n.value = 0
    cocotb.start_soon(Clock(dut.clk, period_ps, unit="ps").start())
    await ClockCycles(dut.clk, 5)
    dut.rst_n.value = 1
    await ClockCycles(dut.clk, 25)
    return UartHost(dut, bit_ps)
