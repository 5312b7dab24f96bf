"""cocotb tests of the AXI shell without an accelerator, whose place the test takes: the streams, and many frames."""

from __future__ import annotations

import random

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiStreamBus, AxiStreamSink, AxiStreamSource

from fpga.shells import stream_bytes
from tests.fpga.shells.axi_bench import (
    BUSY,
    FRAMES_IN,
    FRAMES_OUT,
    INTERVAL,
    LATENCY,
    STATUS,
    AxiBench,
    begin,
    random_stalls,
)

MOST_FRAMES = 16
"""Frames that are under way at a time."""


class StandIn:
    """In the accelerator's place: what it got, and a way to give results."""

    def __init__(self, bench: AxiBench) -> None:
        dut = bench.dut
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "acc_s_axis"), dut.aclk, dut.acc_aresetn, False)
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "acc_m_axis"), dut.aclk, dut.acc_aresetn, False)
        for end in (self.sink, self.source):
            end.log.setLevel("ERROR")
        self.input, self.output = bench.input, bench.output

    def give(self, words: list[bytes]) -> None:
        for word in words:
            self.source.send_nowait(word)

    async def got(self) -> list[bytes]:
        """The next frame's words."""
        return [bytes((await self.sink.recv()).tdata) for _ in range(self.input.words)]


def random_words(count: int, width: int) -> list[bytes]:
    return [random.randbytes(width) for _ in range(count)]


def padded(words: list[bytes], width: int) -> bytes:
    return b"".join(word.ljust(width, b"\0") for word in words)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def many_frames_under_way(dut: HierarchyObject) -> None:
    """The 17th frame waits for the first to leave; the times of each are those at the pins."""
    bench = await begin(dut)
    stand_in = StandIn(bench)
    frames = 20
    inputs = random_words(frames * bench.input.words, stream_bytes(bench.input))
    await bench.start(frames)
    bench.source.send_nowait(b"".join(inputs))
    await ClockCycles(dut.aclk, 3 * len(inputs) + 50)
    assert len(bench.taken.cycles) == MOST_FRAMES * bench.input.words
    outputs = []
    for index in range(frames):
        got = await stand_in.got()
        begun = index * bench.input.words
        assert got == [word[: bench.input.bytes] for word in inputs[begun : begun + bench.input.words]]
        outputs += (words := random_words(bench.output.words, bench.output.bytes))
        stand_in.give(words)
        await bench.until(FRAMES_OUT, 0xFFFF, index + 1)
        ends = bench.given.cycles[bench.output.words - 1 :: bench.output.words]
        assert await bench.read(LATENCY) == ends[index] - bench.taken.cycles[begun] + 1
        assert await bench.read(INTERVAL) == (ends[index] - ends[index - 1] if index else 0)
        await ClockCycles(dut.aclk, random.randrange(3 * bench.input.words))
        entered = min(frames, MOST_FRAMES + index + 1) * bench.input.words
        assert entered - bench.input.words <= len(bench.taken.cycles) <= entered
    packet = await bench.sink.recv()
    assert bytes(packet.tdata) == padded(outputs, stream_bytes(bench.output))
    assert bench.given.lasts == [False] * (len(outputs) - 1) + [True]
    assert await bench.read(STATUS) == 0


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def random_traffic(dut: HierarchyObject) -> None:
    """Packets of any number of frames, through stalls on every stream: nothing is lost, doubled or changed."""
    bench = await begin(dut)
    stand_in = StandIn(bench)
    bench.stall(random.randrange(1 << 20))
    for end in (stand_in.sink, stand_in.source):
        end.set_pause_generator(random_stalls(random.randrange(1 << 20)))
    total = 0
    for _ in range(6):
        frames = random.choice([1, 2, 3, random.randrange(1, 40)])
        inputs = random_words(frames * bench.input.words, stream_bytes(bench.input))
        outputs = random_words(frames * bench.output.words, bench.output.bytes)
        await bench.start(frames)
        assert await bench.read(STATUS) == BUSY
        bench.source.send_nowait(b"".join(inputs))

        async def work(frames: int, outputs: list[bytes]) -> list[bytes]:
            got = []
            for index in range(frames):
                got += await stand_in.got()
                if random.randrange(4) == 0:
                    await ClockCycles(dut.aclk, random.randrange(100))
                stand_in.give(outputs[index * bench.output.words : (index + 1) * bench.output.words])
            return got

        got = await work(frames, outputs)
        packet = await bench.sink.recv()
        assert got == [word[: bench.input.bytes] for word in inputs]
        assert bytes(packet.tdata) == padded(outputs, stream_bytes(bench.output))
        await bench.until(STATUS, BUSY, 0)
        total += frames
        assert await bench.read(FRAMES_IN) == await bench.read(FRAMES_OUT) == total
    ends = [index for index, last in enumerate(bench.given.lasts) if last]
    assert len(ends) == 6
    assert all((end + 1) % bench.output.words == 0 for end in ends)
