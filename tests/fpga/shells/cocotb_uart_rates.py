"""cocotb tests of the UART at many baud rates and clocks, with an accelerator that inverts words."""

from __future__ import annotations

import os
import random

import cocotb
from cocotb.clock import Clock
from cocotb.handle import HierarchyObject
from cocotb.triggers import ClockCycles, Timer

from tests.fpga.shells.axi_bench import CONTROL, MAGIC, NETWORK, RESET
from tests.fpga.shells.uart_host import FRAME, RESULT, Reply, UartHost, begin, packet

BAUDS = (115_200, 230_400, 460_800, 921_600, 1_500_000, 2_000_000, 3_000_000)
CLOCKS_MHZ = (25.0, 27.0, 33.333, 48.0, 66.667, 100.0, 120.0)
HOST_ERRORS = (-0.02, 0.0, 0.02)
RANDOM_PAIRS = 8
MANY_CYCLES = 200
"""Of a bit: above that a frame takes long to simulate."""
LONGEST_SILENCE = 1 << 18


async def exchange(host: UartHost, frame_bytes: int, frames: int) -> None:
    assert await host.read(MAGIC) == 0x53504B46
    for _ in range(frames):
        payload = random.randbytes(frame_bytes)
        reply = await host.ask(packet(FRAME, payload))
        assert reply == Reply(RESULT, bytes(255 - byte for byte in payload))


@cocotb.test(timeout_time=500, timeout_unit="ms")
async def rates(dut: HierarchyObject) -> None:
    """Every baud rate at the slowest and the fastest clock, pairs drawn between, and a host that is 2% off."""
    frame_bytes = int(os.environ["SPIKEFOLD_FRAME_BYTES"])
    pairs = [(baud, clock) for baud in BAUDS for clock in (CLOCKS_MHZ[0], CLOCKS_MHZ[-1])]
    pairs += [(random.choice(BAUDS), random.choice(CLOCKS_MHZ)) for _ in range(RANDOM_PAIRS)]
    pairs += [(random.randrange(150_000, 3_000_000), random.uniform(25, 120)) for _ in range(RANDOM_PAIRS)]
    dut.rx.value = 1
    dut.rst_n.value = 0
    clock = Clock(dut.clk, 10, unit="ns")
    clock.start()
    await ClockCycles(dut.clk, 5)
    dut.rst_n.value = 1
    for baud, mhz in pairs:
        clock.stop()
        clock = Clock(dut.clk, 2 * round(5e5 / mhz), unit="ps")
        clock.start()
        await ClockCycles(dut.clk, 30)
        cycles = mhz * 1e6 / baud
        for error in HOST_ERRORS if cycles < MANY_CYCLES else (random.choice(HOST_ERRORS),):
            host = UartHost(dut, 1e12 / baud / (1 + error))
            try:
                await exchange(host, frame_bytes, int(cycles < MANY_CYCLES))
            except AssertionError as failure:
                raise AssertionError(f"{baud} baud at {mhz} MHz, host off by {error}: {failure}") from failure
            host.stop()


@cocotb.test(timeout_time=500, timeout_unit="ms")
async def rates_that_change(dut: HierarchyObject) -> None:
    """Each packet may have a baud rate of its own, and its reply has the same."""
    frame_bytes = int(os.environ["SPIKEFOLD_FRAME_BYTES"])
    host = await begin(dut, 20_000, 1)
    for _ in range(20):
        host.stop()
        host = UartHost(dut, 1e12 / random.randrange(500_000, 3_000_000))
        await exchange(host, frame_bytes, random.randrange(2))
        assert await host.read(NETWORK) == 0x12345678


@cocotb.test(timeout_time=500, timeout_unit="ms")
async def noise_of_any_kind(dut: HierarchyObject) -> None:
    """Whatever was on the line, bytes, another baud rate or random levels: after a long silence a packet is read."""
    frame_bytes = int(os.environ["SPIKEFOLD_FRAME_BYTES"])
    period_ps = 10_000
    host = await begin(dut, period_ps, 8.7 * period_ps)
    for kind in range(3):
        if kind == 0:
            await host.send(random.randbytes(random.randrange(1, 60)))
        elif kind == 1:
            slow = UartHost(dut, host.bit_ps * random.uniform(0.5, 5))
            slow.stop()
            await slow.send(b"\x55" + random.randbytes(20))
        else:
            for _ in range(random.randrange(1, 400)):
                dut.rx.value = random.randrange(2)
                await Timer(random.randrange(1, 20 * period_ps), unit="ps")
            dut.rx.value = 1
        host.stop()  # what comes now may be at any baud rate
        await ClockCycles(dut.clk, LONGEST_SILENCE)
        host = UartHost(dut, host.bit_ps)
        await exchange(host, frame_bytes, 1)


@cocotb.test(timeout_time=500, timeout_unit="ms")
async def resets_by_register(dut: HierarchyObject) -> None:
    """A reset right behind a frame, with its result on its way or not, loses at most that result."""
    frame_bytes = int(os.environ["SPIKEFOLD_FRAME_BYTES"])
    host = await begin(dut, 10_000, 87_000)
    for _ in range(8):
        payload = random.randbytes(frame_bytes)
        await host.send(packet(FRAME, payload))
        await host.silence(random.uniform(0, 10 * (frame_bytes + 9)))
        await host.send(packet(2, bytes([CONTROL, RESET, 0, 0, 0])))
        replies = [await host.reply()]
        if replies[0].kind == RESULT:
            assert replies[0].payload == bytes(255 - byte for byte in payload)
            replies.append(await host.reply())
        assert replies[-1] == Reply(0x82, b"")
        await host.quiet(200)
        await exchange(host, frame_bytes, 1)
