"""cocotb tests of the AXI shell around a real accelerator."""

from __future__ import annotations

import os
import random
from pathlib import Path

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiResp

from fpga.shells import network_digits
from tests.fpga.shells.axi_bench import (
    BUSY,
    BUSY_CYCLES,
    CONTROL,
    FRAMES,
    FRAMES_IN,
    FRAMES_OUT,
    IN_BYTES,
    IN_WORDS,
    INTERVAL,
    LATENCY,
    LONG,
    MAGIC,
    NETWORK,
    OUT_BYTES,
    OUT_WORDS,
    SHORT,
    STATUS,
    VERSION,
    WIRE_ERRORS,
    begin,
)

SHELL_CYCLES = 2
"""What the registers of both streams add to a frame's latency."""


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def registers(dut: HierarchyObject) -> None:
    """What a driver reads before it does anything, and what writes change."""
    bench = await begin(dut)
    bench.stall(random.randrange(1 << 20))
    expected = {
        CONTROL: 0,
        STATUS: 0,
        FRAMES: 1,
        FRAMES_IN: 0,
        FRAMES_OUT: 0,
        LATENCY: 0,
        INTERVAL: 0,
        MAGIC: 0x53504B46,
        VERSION: 1,
        NETWORK: int(network_digits(Path(os.environ["SPIKEFOLD_RTL"])), 16),
        IN_WORDS: bench.input.words,
        IN_BYTES: bench.input.bytes,
        OUT_WORDS: bench.output.words,
        OUT_BYTES: bench.output.bytes,
        BUSY_CYCLES: 0,
        WIRE_ERRORS: 0,
    }
    for offset, value in expected.items():
        assert await bench.read(offset) == value, f"register {offset:#x}"
    for offset in expected:
        await bench.write(offset, 0xABCD1234 if offset != CONTROL else 0)
    for offset, value in (expected | {FRAMES: 0x1234}).items():
        assert await bench.read(offset) == value, f"register {offset:#x} after it was written"
    part = await bench.registers.write(FRAMES, b"\x07")
    assert part.resp == AxiResp.SLVERR
    assert await bench.read(FRAMES) == 0x1234, "a write of one byte does nothing"
    await bench.reset()
    assert await bench.read(FRAMES) == 1


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def stalled_packets(dut: HierarchyObject) -> None:
    """Packets of several frames through random stalls; registers are read all the while."""
    bench = await begin(dut)
    bench.stall(random.randrange(1 << 20))
    sent = 0
    for count in (1, 3, 2, 7, 1):
        frames = [random.randrange(len(bench.words)) for _ in range(count)]
        first_in, first_out = len(bench.taken.cycles), len(bench.given.cycles)
        await bench.classify(frames)
        sent += count
        assert await bench.read(FRAMES_IN) == sent
        assert await bench.read(FRAMES_OUT) == sent
        assert await bench.read(STATUS) == 0
        taken, given = bench.taken.cycles[first_in:], bench.given.cycles[first_out:]
        assert len(taken) == count * bench.input.words
        lasts = bench.given.lasts[first_out:]
        assert lasts == [False] * (count * bench.output.words - 1) + [True], "last stands at the packet's end only"
        assert await bench.read(LATENCY) == given[-1] - taken[(count - 1) * bench.input.words] + 1
        ends = bench.given.cycles[bench.output.words - 1 :: bench.output.words]
        assert await bench.read(INTERVAL) == (ends[-1] - ends[-2] if sent > 1 else 0)
        assert await bench.read(BUSY_CYCLES) > given[-1] - taken[0]


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def full_speed(dut: HierarchyObject) -> None:
    """Without stalls the shell adds nothing to the interval, and its registers at most a few cycles to the latency."""
    bench = await begin(dut)
    await bench.classify(list(range(8)))
    ends = bench.given.cycles[bench.output.words - 1 :: bench.output.words]
    assert await bench.read(INTERVAL) == ends[-1] - ends[-2]
    assert int(os.environ["SPIKEFOLD_INTERVAL"]) == ends[-1] - ends[-2]
    latency = bench.given.cycles[bench.output.words - 1] - bench.taken.cycles[0] + 1
    assert latency <= int(os.environ["SPIKEFOLD_LATENCY"]) + SHELL_CYCLES


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def starts(dut: HierarchyObject) -> None:
    """Input waits for a start; a start of no frames, or while busy, is none."""
    bench = await begin(dut)
    bench.source.send_nowait(bench.packet([3, 4]))
    await ClockCycles(dut.aclk, 200)
    assert not bench.taken.cycles
    await bench.start(0)
    await ClockCycles(dut.aclk, 200)
    assert not bench.taken.cycles
    assert await bench.read(STATUS) == 0
    await bench.start(2)
    await bench.start(5)
    assert await bench.read(STATUS) == BUSY
    await bench.receive([3, 4])
    bench.source.send_nowait(bench.packet([5]))
    await ClockCycles(dut.aclk, 200)
    assert len(bench.taken.cycles) == 2 * bench.input.words, "the second start was kept for later"
    await bench.start(1)
    await bench.receive([5])
    assert await bench.read(FRAMES_IN) == 3


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def short_packets(dut: HierarchyObject) -> None:
    """A packet that ends early is flagged, what follows is dropped, and after a reset all is well."""
    bench = await begin(dut)
    bench.stall(random.randrange(1 << 20))
    width = len(bench.packet([0])) // bench.input.words
    for words in (1, bench.input.words - 1, bench.input.words, random.randrange(2, 2 * bench.input.words)):
        await bench.start(2)
        bench.source.send_nowait(bench.packet([1, 2])[: words * width])
        await bench.until(STATUS, SHORT, SHORT)
        bench.source.send_nowait(bench.packet([3, 4]))
        await bench.source.wait()
        await bench.start(1)
        assert await bench.read(STATUS) & (SHORT | LONG) == SHORT
        assert await bench.read(FRAMES_IN) == words // bench.input.words
        await bench.reset()
        assert await bench.read(STATUS) == 0
        await bench.classify([random.randrange(len(bench.words))])
        await bench.reset()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def long_packets(dut: HierarchyObject) -> None:
    """A packet that goes on too long is flagged and cut; its frames are right, and the next start waits for a reset."""
    bench = await begin(dut)
    bench.stall(random.randrange(1 << 20))
    width = len(bench.packet([0])) // bench.input.words
    for surplus in (1, random.randrange(2, bench.input.words), bench.input.words):
        await bench.start(2)
        bench.source.send_nowait(bench.packet([5, 6, 7])[: (2 * bench.input.words + surplus) * width])
        await bench.receive([5, 6])
        await bench.source.wait()
        assert await bench.read(STATUS) == LONG
        await bench.start(1)
        bench.source.send_nowait(bench.packet([8]))
        await bench.source.wait()
        assert await bench.read(STATUS) == LONG
        assert await bench.read(FRAMES_IN) == 2
        assert bench.sink.empty()
        await bench.reset()
        assert await bench.read(STATUS) == 0
        await bench.classify([random.randrange(len(bench.words))])
        await bench.reset()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def resets_in_mid_frame(dut: HierarchyObject) -> None:
    """A reset at any time leaves an accelerator that computes the next frame right."""
    bench = await begin(dut)
    latency = int(os.environ["SPIKEFOLD_LATENCY"])
    for index in range(10):
        stalled = index % 3 == 2
        bench.sink.pause = stalled
        await bench.start(3)
        bench.source.send_nowait(bench.packet([0, 1, 2]))
        await ClockCycles(dut.aclk, random.randrange(1, 3 * latency))
        await bench.reset()
        bench.sink.pause = False
        assert [await bench.read(offset) for offset in (STATUS, FRAMES_IN, FRAMES_OUT)] == [0, 0, 0]
        await bench.classify([random.randrange(len(bench.words)) for _ in range(2)])
        assert await bench.read(FRAMES_OUT) == 2


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def hard_reset(dut: HierarchyObject) -> None:
    """aresetn in mid-frame does what the register does."""
    bench = await begin(dut)
    await bench.start(3)
    bench.source.send_nowait(bench.packet([0, 1, 2]))
    await ClockCycles(dut.aclk, int(os.environ["SPIKEFOLD_LATENCY"]) // 2)
    dut.aresetn.value = 0
    await ClockCycles(dut.aclk, 3)
    bench.source.clear()
    dut.aresetn.value = 1
    bench.sink.clear()
    await ClockCycles(dut.aclk, 20)
    assert await bench.read(STATUS) == 0
    assert await bench.read(FRAMES) == 1
    await bench.classify([9, 10])
