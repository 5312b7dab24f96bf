"""What the cocotb tests of the AXI shell share: masters, sources and sinks with stalls, and a watch on the pins."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.handle import HierarchyObject, Immediate
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiStreamBus, AxiStreamSink, AxiStreamSource
from numpy.typing import NDArray

from codegen.render.manifest import read_manifest
from codegen.verify.stream_words import logits_of_words
from fpga.shells import stream_bytes

CONTROL, STATUS, FRAMES, FRAMES_IN, FRAMES_OUT, LATENCY, INTERVAL = (4 * index for index in range(7))
MAGIC, VERSION, NETWORK, IN_WORDS, IN_BYTES, OUT_WORDS, OUT_BYTES, BUSY_CYCLES, WIRE_ERRORS = range(0x1C, 0x40, 4)
START, RESET = 1, 2
BUSY, SHORT, LONG, RESETTING = 1, 2, 4, 8
PERIOD_NS = 10
PATIENCE = 100_000


def random_stalls(seed: int) -> Iterator[bool]:
    """True where a channel pauses: bursts of pauses and of free running, at a rate that changes."""
    draw = random.Random(seed)
    while True:
        rate = draw.choice([0.0, 0.2, 0.5, 0.9])
        for _ in range(draw.randint(1, 40)):
            yield draw.random() < rate


@dataclass
class Pins:
    """What was seen at a stream's pins: the cycle of each word that moved, and whether it was a packet's last."""

    cycles: list[int] = field(default_factory=list)
    lasts: list[bool] = field(default_factory=list)


class AxiBench:
    """Drives a top with s_axi, s_axis and m_axis."""

    def __init__(self, dut: HierarchyObject) -> None:
        self.dut = dut
        clock, reset = dut.aclk, dut.aresetn
        self.registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), clock, reset, False)
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), clock, reset, False)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), clock, reset, False)
        write, read = self.registers.write_if, self.registers.read_if
        self.register_channels = [write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel]
        for part in (*self.register_channels, self.source, self.sink, write, read):
            part.log.setLevel("ERROR")
        self.taken, self.given = Pins(), Pins()
        self.cycle = 0
        manifest = read_manifest(Path(os.environ["SPIKEFOLD_RTL"]))
        self.input, self.output = manifest.input, manifest.output
        golden_file = Path(os.environ["SPIKEFOLD_GOLDEN"])
        if golden_file.exists():
            with np.load(golden_file) as golden:
                self.words, self.logits = golden["words"], golden["logits"]

    def stall(self, seed: int) -> None:
        """Random stalls on all seven channels."""
        for index, channel in enumerate((*self.register_channels, self.source, self.sink)):
            channel.set_pause_generator(random_stalls(seed + 1000 * index))

    async def ready(self) -> None:
        """Watch the pins from now on, and wait for the end of the reset."""
        cocotb.start_soon(self._watch())
        await self.until(STATUS, RESETTING, 0)

    async def _watch(self) -> None:
        pins = self.dut
        streams = (
            (self.taken, pins.s_axis_tvalid, pins.s_axis_tready, pins.s_axis_tlast),
            (self.given, pins.m_axis_tvalid, pins.m_axis_tready, pins.m_axis_tlast),
        )
        while True:
            await RisingEdge(self.dut.aclk)
            self.cycle += 1
            for seen, valid, ready, last in streams:
                if valid.value == 1 and ready.value == 1:
                    seen.cycles.append(self.cycle)
                    seen.lasts.append(last.value == 1)

    # ---------------------------------------------------------------- registers
    async def read(self, offset: int) -> int:
        return await self.registers.read_dword(offset)

    async def write(self, offset: int, value: int) -> None:
        await self.registers.write_dword(offset, value)

    async def until(self, offset: int, mask: int, value: int) -> int:
        """Read a register until its masked bits are these; returns all of it."""
        for _ in range(PATIENCE):
            found = await self.read(offset)
            if found & mask == value:
                return found
        raise AssertionError(f"register {offset:#x} never became {value:#x}")

    async def reset(self) -> None:
        """Reset by register, and while the shell is in reset what is at its streams, as a driver resets its DMA."""
        writing = cocotb.start_soon(self.write(CONTROL, RESET))
        await FallingEdge(self.dut.acc_aresetn)
        for stream in (self.source, self.sink):
            stream.clear()
            stream.assert_reset(True)
        await ClockCycles(self.dut.aclk, 5)
        for stream in (self.source, self.sink):
            stream.assert_reset(False)
        await writing
        await self.until(STATUS, RESETTING, 0)

    async def start(self, frames: int) -> None:
        await self.write(FRAMES, frames)
        await self.write(CONTROL, START)

    # ---------------------------------------------------------------- frames
    def packet(self, frames: list[int]) -> bytes:
        """The bytes of some images' words, each word extended to the stream's width."""
        width = stream_bytes(self.input)
        words = self.words[frames].reshape(-1, self.input.bytes)
        return np.pad(words, ((0, 0), (0, width - self.input.bytes))).tobytes()

    def logits_of(self, packet: bytes) -> NDArray[np.int32]:
        """Logits of a packet's bytes; padding must be zero."""
        width = stream_bytes(self.output)
        words = np.frombuffer(packet, np.uint8).reshape(-1, self.output.words, width)
        assert not words[..., self.output.bytes :].any(), "a word's padding is not zero"
        return logits_of_words(np.ascontiguousarray(words[..., : self.output.bytes]), self.output)

    async def classify(self, frames: list[int]) -> None:
        """Send some images as one packet; the result must be one packet with ONNX Runtime's logits."""
        await self.start(len(frames))
        self.source.send_nowait(self.packet(frames))
        await self.receive(frames)

    async def receive(self, frames: list[int]) -> None:
        packet = await self.sink.recv()
        np.testing.assert_array_equal(self.logits_of(bytes(packet.tdata)), self.logits[frames])
        await self.until(STATUS, BUSY, 0)


Bench = TypeVar("Bench", bound=AxiBench)


async def begin(dut: HierarchyObject, kind: type[Bench] = AxiBench) -> Bench:  # type: ignore[assignment]
    """Start the clock and reset the top; before that its outputs are random, and no sink must see them."""
    # Before the model is evaluated for the first time: all values are random then, and a clock of 1 is an edge.
    dut.aclk.value = dut.aresetn.value = Immediate(0)
    cocotb.start_soon(Clock(dut.aclk, PERIOD_NS, unit="ns").start())
    dut.aresetn.value = 0
    await ClockCycles(dut.aclk, 5)
    bench = kind(dut)
    await ClockCycles(dut.aclk, 2)
    dut.aresetn.value = 1
    await bench.ready()
    return bench
