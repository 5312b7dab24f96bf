"""What the cocotb tests of the shell with weights in memory have beside those of the AXI shell: the memory."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiResp
from cocotbext.axi.stream import define_stream

from codegen.render.manifest import read_manifest
from codegen.render.weight_image import WEIGHT_IMAGE
from tests.fpga.shells.axi_bench import CONTROL, RESET, STATUS, AxiBench, begin, random_stalls

WEIGHTS_BASE, WEIGHTS_BASE_HIGH, WEIGHT_BYTES = 0x40, 0x44, 0x48
WEIGHTS_ERROR, WEIGHTS_SET = 16, 32
BEAT_BYTES = 8
BASES = (0x1000, 0x1234_5000, 0xFFFF_F000, 0x7_8000_0000, 0xFEDC_BA98_7654_3000)
"""Where weights lie: pages, one at the end of 32 bits, and beyond."""

AddressBus, _, _, AddressSink, _ = define_stream(
    "ReadAddress", signals=["araddr", "arlen", "arsize", "arburst", "arvalid", "arready"]
)
DataBus, DataBeat, DataSource, _, _ = define_stream("ReadData", signals=["rdata", "rresp", "rlast", "rvalid", "rready"])


@dataclass
class Reads:
    """Bursts that were asked for (first address and beats), and beats that were given."""

    bursts: list[tuple[int, int]] = field(default_factory=list)
    beats: int = 0
    most_under_way: int = 0
    after_error: int | None = None
    """Addresses that were taken since a beat was not OKAY; None before that."""


class ReadMemory:
    """The memory behind an AXI4 read master without IDs: it holds ``content`` from ``base`` on, and nothing else.

    Addresses are taken as they come, data follow in their order, ``latency`` cycles behind the address at first. What
    lies outside is answered with DECERR, and ``response`` says what else is not OKAY.
    """

    def __init__(self, dut: HierarchyObject, prefix: str, content: bytes) -> None:
        self.content, self.base, self.latency = content, 0, 20
        self.response: Callable[[int], AxiResp] = lambda address: AxiResp.OKAY
        self.reads = Reads()
        self._clock = dut.aclk
        self.addresses = AddressSink(AddressBus.from_prefix(dut, prefix), dut.aclk, dut.aresetn, False)
        self.data = DataSource(DataBus.from_prefix(dut, prefix), dut.aclk, dut.aresetn, False)
        self.data.queue_occupancy_limit = 2
        for channel in (self.addresses, self.data):
            channel.log.setLevel("ERROR")
        self._taken = 0
        self._serving = cocotb.start_soon(self._serve())
        cocotb.start_soon(self._watch())

    def power_up(self) -> None:
        """Forget what is under way, as by the reset of all that the port is connected to."""
        self._serving.cancel()
        self.addresses.clear()
        self.data.clear()
        self._serving = cocotb.start_soon(self._serve())

    async def _watch(self) -> None:
        asked, came = self.addresses.bus, self.data.bus
        while True:
            await RisingEdge(self._clock)
            if self.reads.after_error is not None and asked.arvalid.value == 1 and asked.arready.value == 1:
                self.reads.after_error += 1
            if self.reads.after_error is None and came.rvalid.value == 1 and came.rresp.value != AxiResp.OKAY:
                self.reads.after_error = 0

    async def _serve(self) -> None:
        while True:
            request = await self.addresses.recv()
            first, beats = int(request.araddr), int(request.arlen) + 1
            self.reads.bursts.append((first, beats))
            self.reads.most_under_way = max(self.reads.most_under_way, 1 + self.addresses.count())
            if self.data.idle():
                await ClockCycles(self._clock, self.latency)
            for beat in range(beats):
                await self.data.send(self._beat(first + beat * BEAT_BYTES, last=beat == beats - 1))
                self.reads.beats += 1

    def _beat(self, address: int, last: bool) -> DataBeat:
        place = address - self.base
        inside = 0 <= place <= len(self.content) - BEAT_BYTES
        word = self.content[place : place + BEAT_BYTES] if inside else b"\xa5" * BEAT_BYTES
        response = self.response(address) if inside else AxiResp.DECERR
        return DataBeat(rdata=int.from_bytes(word, "little"), rresp=response, rlast=last)


class WeightBench(AxiBench):
    """The shell's streams and registers, and the memory that its accelerator reads weights from."""

    def __init__(self, dut: HierarchyObject) -> None:
        super().__init__(dut)
        rtl = Path(os.environ["SPIKEFOLD_RTL"])
        self.regions = read_manifest(rtl).weights
        self.memory = ReadMemory(dut, "m_axi_weights", (rtl / WEIGHT_IMAGE).read_bytes())

    def stall(self, seed: int) -> None:
        """Random stalls on all nine channels."""
        super().stall(seed)
        self.memory.addresses.set_pause_generator(random_stalls(seed + 100_000))
        self.memory.data.set_pause_generator(random_stalls(seed + 101_000))

    async def set_base(self, base: int) -> None:
        """Say where the weights lie, and have them there."""
        self.memory.base = base
        await self.write(WEIGHTS_BASE_HIGH, base >> 32)
        await self.write(WEIGHTS_BASE, base & 0xFFFFFFFF)
        await self.until(STATUS, WEIGHTS_SET, WEIGHTS_SET)

    async def soft_reset(self) -> None:
        """Write the reset, and return while it goes on."""
        await self.write(CONTROL, RESET)

    def frames_read(self) -> list[float]:
        """How often each region was read, in frames, by the beats that were asked for."""
        asked = Counter[int]()
        for first, beats in self.memory.reads.bursts:
            burst, rest = divmod(first - self.memory.base, 16 * BEAT_BYTES)
            assert rest == 0, "a burst does not begin at a multiple of its length"
            asked[burst] += beats
        return [
            sum(asked[region.first_burst + index] for index in range(region.bursts)) / region.beats
            for region in self.regions
        ]


async def begin_with_weights(dut: HierarchyObject) -> WeightBench:
    """As ``axi_bench.begin``."""
    return await begin(dut, WeightBench)


async def until_quiet(bench: WeightBench, cycles: int = 200) -> None:
    """Wait until no address has been offered for so many cycles."""
    quiet = 0
    while quiet < cycles:
        await RisingEdge(bench.dut.aclk)
        quiet = 0 if bench.dut.m_axi_weights_arvalid.value == 1 else quiet + 1
