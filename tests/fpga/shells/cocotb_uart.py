"""cocotb tests of the UART shell around a real accelerator, at seven clock cycles a bit."""

from __future__ import annotations

import os
import random
from pathlib import Path

import cocotb
import numpy as np
from cocotb.handle import HierarchyObject
from cocotb.triggers import ClockCycles, Timer
from numpy.typing import NDArray

from codegen.render.manifest import read_manifest
from codegen.verify.stream_words import logits_of_words
from fpga.shells import network_digits
from tests.fpga.shells.axi_bench import (
    BUSY_CYCLES,
    CONTROL,
    FRAMES,
    FRAMES_IN,
    FRAMES_OUT,
    IN_BYTES,
    IN_WORDS,
    INTERVAL,
    LATENCY,
    MAGIC,
    NETWORK,
    OUT_BYTES,
    OUT_WORDS,
    RESET,
    START,
    STATUS,
    VERSION,
    WIRE_ERRORS,
)
from tests.fpga.shells.axi_bench import LONG as LONG_FLAG
from tests.fpga.shells.axi_bench import SHORT as SHORT_FLAG
from tests.fpga.shells.uart_host import (
    BUSY,
    CHECKSUM,
    ERROR,
    FRAME,
    LONG,
    READ,
    RESULT,
    SHORT,
    TRUNCATED,
    UNKNOWN,
    VALUE,
    WRITE,
    WRITTEN,
    Reply,
    UartHost,
    begin,
    packet,
    read_packet,
    write_packet,
)

PERIOD_PS = 10_000
BIT_PS = 6.87 * PERIOD_PS
UNKNOWN_KINDS = (0x00, 0x04, 0x55, 0x81, 0xFF)


class Network:
    """The accelerator's frames as payloads, and the payloads they must give."""

    def __init__(self) -> None:
        manifest = read_manifest(Path(os.environ["SPIKEFOLD_RTL"]))
        self.input, self.output = manifest.input, manifest.output
        with np.load(os.environ["SPIKEFOLD_GOLDEN"]) as golden:
            self.words, self.logits = golden["words"], golden["logits"]

    def any(self) -> int:
        return random.randrange(len(self.words))

    def frame(self, index: int) -> bytes:
        return packet(FRAME, self.words[index].tobytes())

    def check(self, reply: Reply, index: int) -> None:
        assert reply.kind == RESULT, reply
        np.testing.assert_array_equal(self.logits_of(reply.payload), self.logits[index])

    def logits_of(self, payload: bytes) -> NDArray[np.int32]:
        words = np.frombuffer(payload, np.uint8).reshape(1, self.output.words, self.output.bytes)
        return logits_of_words(words, self.output)[0]

    async def classify(self, host: UartHost, index: int) -> None:
        self.check(await host.ask(self.frame(index)), index)


def error(code: int) -> Reply:
    return Reply(ERROR, bytes([code]))


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def registers_and_frames(dut: HierarchyObject) -> None:
    """What a driver does: look who is there, send frames, read the counters."""
    host, network = await begin(dut, PERIOD_PS, BIT_PS), Network()
    expected = {
        CONTROL: 0,
        STATUS: 0,
        FRAMES: 1,
        FRAMES_IN: 0,
        MAGIC: 0x53504B46,
        VERSION: 1,
        NETWORK: int(network_digits(Path(os.environ["SPIKEFOLD_RTL"])), 16),
        IN_WORDS: network.input.words,
        IN_BYTES: network.input.bytes,
        OUT_WORDS: network.output.words,
        OUT_BYTES: network.output.bytes,
        WIRE_ERRORS: 0,
        0x40: 0,
        0x48: 0,
        0xFC: 0,
    }
    for offset, value in expected.items():
        assert await host.read(offset) == value, f"register {offset:#x}"
    await host.write(FRAMES, 0x1234)
    await host.write(0x48, 0x77)
    assert await host.read(FRAMES) == 0x1234, "register 0x48 is not FRAMES"
    await host.write(CONTROL, START)
    assert await host.read(STATUS) == 0, "frames start by themselves"
    for count in range(1, 5):
        await network.classify(host, network.any())
        assert await host.read(FRAMES_IN) == count
        assert await host.read(FRAMES_OUT) == count
    latency = await host.read(LATENCY)
    assert latency <= int(os.environ["SPIKEFOLD_LATENCY"]) + 2
    assert latency <= await host.read(BUSY_CYCLES) <= latency + 20
    assert await host.read(INTERVAL) > latency
    assert await host.read(STATUS) == 0


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def every_error(dut: HierarchyObject) -> None:
    """Every code is given for what it stands for; the next frame is right."""
    host, network = await begin(dut, PERIOD_PS, BIT_PS), Network()
    frame = network.frame(0)
    payload = frame[5:-4]
    cases = [
        (frame[:-1] + bytes([frame[-1] ^ 0x10]), CHECKSUM, 0),
        (packet(FRAME, payload[:-1]), SHORT, SHORT_FLAG),
        (packet(FRAME, b""), SHORT, SHORT_FLAG),
        (packet(FRAME, payload + b"\0"), LONG, LONG_FLAG),
        (packet(READ, b""), SHORT, 0),
        (packet(READ, b"\x08\0"), LONG, 0),
        (packet(WRITE, b"\x08\x01\0\0"), SHORT, 0),
        (packet(WRITE, b"\x08\x01\0\0\0\0"), LONG, 0),
        *((packet(kind, bytes(kind % 3)), UNKNOWN, 0) for kind in UNKNOWN_KINDS),
        (frame[:-1], TRUNCATED, 0),
        (frame[:1], TRUNCATED, 0),
        (packet(FRAME, payload, length=len(payload) + 1), TRUNCATED, 0),
        (packet(FRAME, payload, length=0xFFFFFF), TRUNCATED, 0),
        (packet(FRAME, payload, length=len(payload) - 1), CHECKSUM, 0),
    ]
    for content, code, flag in cases:
        assert await host.ask(content) == error(code), content.hex()
        assert await host.read(STATUS) == flag
        await host.write(CONTROL, RESET)
        assert await host.read(STATUS) == 0
    assert await host.read(FRAMES_IN) == 0
    await network.classify(host, network.any())
    await host.quiet()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def flipped_bits(dut: HierarchyObject) -> None:
    """A bit that flips on the line is noticed, and the frame sent again is right."""
    host, network = await begin(dut, PERIOD_PS, BIT_PS), Network()
    bits = 10 * len(network.frame(0))
    wrong = 0
    for _ in range(8):
        flipped = random.randrange(80, bits)  # behind the length
        sent = network.any()
        await host.send(network.frame(sent), lambda at, bit, flipped=flipped: bit ^ (at == flipped))
        reply = await host.reply()
        if flipped % 10 == 9 and reply.kind == RESULT:  # a stop bit is no part of a byte
            network.check(reply, sent)
        else:
            assert reply in (error(CHECKSUM), error(TRUNCATED)), f"bit {flipped}: {reply}"
        wrong += reply == error(CHECKSUM)
        await host.quiet()
        await network.classify(host, network.any())
        assert await host.read(WIRE_ERRORS) == wrong
    assert wrong


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def truncated_packets(dut: HierarchyObject) -> None:
    """A packet that stops anywhere is dropped after a silence, and the next is read."""
    host, network = await begin(dut, PERIOD_PS, BIT_PS), Network()
    for _ in range(8):
        frame = network.frame(network.any())
        assert await host.ask(frame[: random.randrange(1, len(frame))]) == error(TRUNCATED)
        await network.classify(host, network.any())
    assert await host.read(WIRE_ERRORS) == 0


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def work_while_computing(dut: HierarchyObject) -> None:
    """Registers are read and written, a second frame is refused, and the first comes out right."""
    host, network = await begin(dut, PERIOD_PS, BIT_PS), Network()
    for _ in range(3):
        first = network.any()
        await host.send(network.frame(first) + read_packet(STATUS) + network.frame(network.any()))
        replies = [await host.reply() for _ in range(3)]
        assert replies[0] == Reply(VALUE, bytes([1, 0, 0, 0])), "busy"
        network.check(replies[1], first)
        assert replies[2] == error(BUSY)
        await network.classify(host, network.any())
    assert await host.read(FRAMES_OUT) == 6


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def resets_while_computing(dut: HierarchyObject) -> None:
    """A reset drops the frame without a reply, at whatever cycle, and the next frame is right."""
    host, network = await begin(dut, PERIOD_PS, BIT_PS), Network()
    for _ in range(8):
        await host.send(network.frame(network.any()) + write_packet(CONTROL, RESET))
        assert await host.reply() == Reply(WRITTEN, b"")
        await host.quiet(4 * int(os.environ["SPIKEFOLD_LATENCY"]) * PERIOD_PS / BIT_PS)
        assert await host.read(FRAMES_IN) == 0
        index = network.any()
        await host.send(network.frame(index))
        await ClockCycles(dut.clk, random.randrange(1, 50))
        network.check(await host.reply(), index)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def back_to_back(dut: HierarchyObject) -> None:
    """Packets without a gap are all answered, in their order."""
    host, network = await begin(dut, PERIOD_PS, BIT_PS), Network()
    values = [random.randrange(1 << 16) for _ in range(12)]
    content = b"".join(write_packet(FRAMES, value) + read_packet(FRAMES) for value in values)
    sending = cocotb.start_soon(host.send(content))
    for value in values:
        assert await host.reply() == Reply(WRITTEN, b"")
        assert (await host.reply()).value == value
    await sending
    sending = cocotb.start_soon(host.send(read_packet(MAGIC) * 40))
    for _ in range(40):
        assert (await host.reply()).value == 0x53504B46
    await sending
    for _ in range(4):
        await network.classify(host, network.any())
    # Frame, then reads while its result goes out.
    index = network.any()
    await host.send(network.frame(index) + read_packet(VERSION) * 6)
    replies = [await host.reply() for _ in range(7)]
    (result,) = (reply for reply in replies if reply.kind == RESULT)
    network.check(result, index)
    assert [reply.value for reply in replies if reply.kind == VALUE] == [1] * 6


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def short_pulses(dut: HierarchyObject) -> None:
    """Pulses shorter than a bit before a packet do not matter."""
    host, network = await begin(dut, PERIOD_PS, BIT_PS), Network()
    for _ in range(6):
        for _ in range(random.randrange(1, 30)):
            for level in (0, 1):
                dut.rx.value = level
                await Timer(random.randrange(1, 4 * PERIOD_PS), unit="ps")
        await host.silence(random.uniform(2.5, 20))
        await network.classify(host, network.any())
