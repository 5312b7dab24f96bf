"""cocotb tests of the AXI shell around an accelerator that reads weights from memory."""

from __future__ import annotations

import os
import random

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import ClockCycles, ReadOnly, RisingEdge
from cocotbext.axi import AxiResp

from tests.fpga.shells.axi_bench import BUSY, FRAMES_IN, FRAMES_OUT, INTERVAL, RESETTING, STATUS
from tests.fpga.shells.weight_bench import (
    BASES,
    WEIGHT_BYTES,
    WEIGHTS_BASE,
    WEIGHTS_BASE_HIGH,
    WEIGHTS_ERROR,
    WEIGHTS_SET,
    WeightBench,
    begin_with_weights,
    until_quiet,
)

OUTSTANDING = 8
CHANNEL_BURSTS = 2
"""Bursts of a layer that are there before they are used."""
PORT_BURSTS = 4
"""Bursts that are on their way to the pins when an error comes."""


def some_frames(bench: WeightBench, count: int) -> list[int]:
    return [random.randrange(len(bench.words)) for _ in range(count)]


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def base_registers(dut: HierarchyObject) -> None:
    """The base is set by its lower half, once, to a multiple of 4 KB; a reset takes it back."""
    bench = await begin_with_weights(dut)
    bench.stall(random.randrange(1 << 20))
    bench.memory.base = 0xABCD_5A5A_5000
    assert await bench.read(WEIGHT_BYTES) == len(bench.memory.content)
    for _ in range(2):
        assert [await bench.read(offset) for offset in (WEIGHTS_BASE, WEIGHTS_BASE_HIGH, STATUS)] == [0, 0, 0]
        for misaligned in (1, 8, 0x80, 0x800, 0x5A5A_5FFF, 0x5A5A_5800):
            await bench.write(WEIGHTS_BASE, misaligned)
            assert await bench.read(STATUS) == 0
            assert await bench.read(WEIGHTS_BASE) == 0
        await bench.write(WEIGHTS_BASE_HIGH, 0xABCD)
        assert await bench.read(STATUS) == 0
        await until_quiet(bench)
        assert not bench.memory.reads.bursts, "the memory was read before the base was set"
        await bench.write(WEIGHTS_BASE, 0x5A5A_5000)
        assert await bench.read(STATUS) == WEIGHTS_SET
        for offset in (WEIGHTS_BASE_HIGH, WEIGHTS_BASE, WEIGHT_BYTES):
            await bench.write(offset, 0x1357_9000)
        assert await bench.read(WEIGHTS_BASE) == 0x5A5A_5000
        assert await bench.read(WEIGHTS_BASE_HIGH) == 0xABCD
        assert await bench.read(WEIGHT_BYTES) == len(bench.memory.content)
        await bench.classify(some_frames(bench, 2))
        await bench.reset()
        bench.memory.reads.bursts.clear()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def no_start_without_a_base(dut: HierarchyObject) -> None:
    """A start before the base is set is none, and not kept for later."""
    bench = await begin_with_weights(dut)
    bench.source.send_nowait(bench.packet([3, 4]))
    await bench.start(2)
    await ClockCycles(dut.aclk, 300)
    assert not bench.taken.cycles
    assert await bench.read(STATUS) == 0
    await bench.set_base(BASES[1])
    await ClockCycles(dut.aclk, 300)
    assert not bench.taken.cycles
    await bench.start(2)
    await bench.receive([3, 4])


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def stalled_packets(dut: HierarchyObject) -> None:
    """Packets of several frames, the weights at several places, through random stalls on all channels."""
    bench = await begin_with_weights(dut)
    bench.stall(random.randrange(1 << 20))
    for base, count in zip(BASES, (2, 3, 1, 2, 2), strict=True):
        bench.memory.reads.bursts.clear()
        bench.memory.latency = random.randrange(60)
        await bench.set_base(base)
        await bench.classify(some_frames(bench, count))
        await bench.classify(some_frames(bench, 1))
        assert await bench.read(FRAMES_IN) == await bench.read(FRAMES_OUT) == count + 1
        assert await bench.read(STATUS) == WEIGHTS_SET
        await until_quiet(bench, 1000)
        for read, region in zip(bench.frames_read(), bench.regions, strict=True):
            assert count + 1 <= read <= count + 2 + CHANNEL_BURSTS * 16 / region.beats, "weights are read once a frame"
        await bench.reset()
    assert 1 < bench.memory.reads.most_under_way <= OUTSTANDING


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def full_speed(dut: HierarchyObject) -> None:
    """A memory that gives a beat a cycle adds nothing to the accelerator's own interval."""
    bench = await begin_with_weights(dut)
    await bench.set_base(BASES[0])
    await bench.classify(list(range(6)))
    assert await bench.read(INTERVAL) <= int(os.environ["SPIKEFOLD_INTERVAL"])


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def reads_that_fail(dut: HierarchyObject) -> None:
    """A beat that is not OKAY sets its flag, no result of wrong weights leaves, and after a reset all is well."""
    bench = await begin_with_weights(dut)
    bench.stall(random.randrange(1 << 20))
    for bad in (AxiResp.SLVERR, AxiResp.DECERR, AxiResp.SLVERR, AxiResp.EXOKAY):
        base = random.choice(BASES)
        after = random.randrange(1, 3 * sum(region.beats for region in bench.regions))
        begun, bench.memory.reads.after_error = bench.memory.reads.beats, None
        bench.memory.response = lambda _, bad=bad, end=begun + after: (
            bad if bench.memory.reads.beats == end else AxiResp.OKAY
        )
        await bench.set_base(base)
        frames = some_frames(bench, 5)
        await bench.start(5)
        bench.source.send_nowait(bench.packet(frames))
        status = await bench.until(STATUS, WEIGHTS_ERROR, WEIGHTS_ERROR)
        assert status & WEIGHTS_SET
        await bench.source.wait()  # what is sent is taken and dropped
        await until_quiet(bench, 1000)
        assert bench.memory.reads.after_error in range(PORT_BURSTS + 1)
        given, asked = len(bench.given.cycles), len(bench.memory.reads.bursts)
        await bench.start(1)
        bench.source.send_nowait(bench.packet([0]))
        await bench.source.wait()
        await ClockCycles(dut.aclk, 2000)
        assert (len(bench.given.cycles), len(bench.memory.reads.bursts)) == (given, asked)
        assert await bench.read(STATUS) & (WEIGHTS_ERROR | BUSY) == WEIGHTS_ERROR | BUSY
        bench.memory.response = lambda _: AxiResp.OKAY
        await bench.reset()
        assert await bench.read(STATUS) == 0
        await bench.set_base(random.choice(BASES))
        await bench.classify(some_frames(bench, 2))
        await bench.reset()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def a_wrong_base(dut: HierarchyObject) -> None:
    """Where there is no memory, the first read says so."""
    bench = await begin_with_weights(dut)
    bench.memory.base = BASES[1]
    await bench.write(WEIGHTS_BASE, BASES[1] + 0x10_0000)
    await bench.until(STATUS, WEIGHTS_ERROR, WEIGHTS_ERROR)
    await bench.start(1)
    await ClockCycles(dut.aclk, 300)
    assert not bench.given.cycles
    await bench.reset()
    await bench.set_base(BASES[1])
    await bench.classify([1, 2])


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def resets_in_mid_burst(dut: HierarchyObject) -> None:
    """A reset at any time ends once all data that were asked for have come, and the next frame is right."""
    bench = await begin_with_weights(dut)
    bench.stall(random.randrange(1 << 20))
    interval = int(os.environ["SPIKEFOLD_INTERVAL"])
    for _ in range(12):
        await bench.set_base(random.choice(BASES))
        await bench.start(3)
        bench.source.send_nowait(bench.packet([0, 1, 2]))
        await ClockCycles(dut.aclk, random.randrange(1, interval))
        await bench.reset()
        asked = sum(beats for _, beats in bench.memory.reads.bursts)
        assert bench.memory.reads.beats == asked, "the reset ended before all data had come"
        assert [await bench.read(offset) for offset in (STATUS, FRAMES_IN, FRAMES_OUT)] == [0, 0, 0]
        await bench.set_base(random.choice(BASES))
        await bench.classify(some_frames(bench, 2))
        assert await bench.read(FRAMES_OUT) == 2
        await bench.reset()


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def a_reset_waits_for_the_memory(dut: HierarchyObject) -> None:
    """Addresses that wait and data that are late hold a reset up; what they bring then is dropped, errors too."""
    bench = await begin_with_weights(dut)
    for paused in ("addresses", "data"):
        channel = getattr(bench.memory, paused)
        channel.pause = True
        bench.memory.response = lambda _: AxiResp.SLVERR
        await bench.set_base(BASES[3])
        await ClockCycles(dut.aclk, 100)
        reset = cocotb.start_soon(bench.reset())
        for _ in range(20):
            await ClockCycles(dut.aclk, 20)
            await ReadOnly()
            assert dut.acc_aresetn.value == 0 or not reset.done()
            assert not reset.done()
            assert (dut.m_axi_weights_arvalid.value == 1) == (paused == "addresses"), "an address does not go away"
        await RisingEdge(dut.aclk)
        assert await bench.read(STATUS) == RESETTING
        await bench.write(WEIGHTS_BASE, BASES[1])
        assert await bench.read(STATUS) == RESETTING, "no base is set in a reset"
        channel.pause = False
        await reset
        assert await bench.read(STATUS) == 0
        bench.memory.response = lambda _: AxiResp.OKAY
        await bench.set_base(BASES[2])
        await bench.classify(some_frames(bench, 2))
        await bench.reset()


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def hard_reset(dut: HierarchyObject) -> None:
    """aresetn in mid-burst resets the memory's side too, and takes the base back."""
    bench = await begin_with_weights(dut)
    await bench.set_base(BASES[1])
    await bench.start(3)
    bench.source.send_nowait(bench.packet([0, 1, 2]))
    await ClockCycles(dut.aclk, int(os.environ["SPIKEFOLD_INTERVAL"]) // 2)
    dut.aresetn.value = 0
    await ClockCycles(dut.aclk, 3)
    bench.source.clear()
    bench.memory.power_up()
    dut.aresetn.value = 1
    bench.sink.clear()
    await ClockCycles(dut.aclk, 20)
    assert await bench.read(STATUS) == 0
    await bench.set_base(BASES[4])
    await bench.classify([9, 10])
