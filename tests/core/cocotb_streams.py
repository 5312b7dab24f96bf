"""cocotb test: streams every core of plan.json, first without gaps, then with random gaps on both sides."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.handle import HierarchyObject
from cocotb.triggers import Combine, ReadOnly, RisingEdge, with_timeout
from cocotbext.axi import AxiStreamBus, AxiStreamSink, AxiStreamSource

PERIOD_NS = 10
TIMEOUT_CYCLES = 400_000


def random_gaps(seed: int) -> Iterator[bool]:
    """True where a stream pauses: bursts of gaps and of free running, at a rate that changes."""
    draw = random.Random(seed)
    while True:
        rate = draw.choice([0.0, 0.2, 0.5, 0.9])
        for _ in range(draw.randint(1, 40)):
            yield draw.random() < rate


class CoreBench:
    """Drives one core through its AXI streams and notes what comes out and when."""

    def __init__(self, dut: HierarchyObject, core: dict, seed: int) -> None:
        self.dut = dut
        self.core = core
        self.seed = seed
        name = core["name"]
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, f"{name}_in"), dut.clk, dut.rst_n, False)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, f"{name}_out"), dut.clk, dut.rst_n, False)
        self.source.log.setLevel("WARNING")
        self.sink.log.setLevel("WARNING")
        self.valid = getattr(dut, f"{name}_out_tvalid")
        self.ready = getattr(dut, f"{name}_out_tready")

    async def stream(self, gaps: bool) -> list[str]:
        """Send all input words and collect as many output words as the plan expects."""
        if gaps:
            self.source.set_pause_generator(random_gaps(self.seed))
            self.sink.set_pause_generator(random_gaps(self.seed + 1))
        for word in self.core["in_words"]:
            self.source.send_nowait(int(word, 16).to_bytes(self.core["in_bytes"], "little"))
        words = []
        while len(words) < self.core["out_count"]:
            frame = await self.sink.recv()
            words.append(f"{int.from_bytes(frame.tdata, 'little'):x}")
        await self.source.wait()
        return words

    async def watch(self, cycles: list[int]) -> None:
        """Note the cycle number of each output transfer."""
        cycle = 0
        while len(cycles) < self.core["out_count"]:
            await RisingEdge(self.dut.clk)
            cycle += 1
            if self.valid.value == 1 and self.ready.value == 1:
                cycles.append(cycle)


@cocotb.test()
async def stream_all_cores(dut: HierarchyObject) -> None:
    """Every core gets all its frames twice; outputs and cycles go to rtl_results.json for the comparison."""
    plan_file = Path(os.environ["SPIKEFOLD_PLAN"])
    plan = json.loads(plan_file.read_text())
    cocotb.start_soon(Clock(dut.clk, PERIOD_NS, unit="ns").start())
    dut.rst_n.value = 0
    benches = [CoreBench(dut, core, plan["seed"] + 2 * i) for i, core in enumerate(plan["cores"])]
    for _ in range(5):
        await RisingEdge(dut.clk)
    dut.rst_n.value = 1
    await RisingEdge(dut.clk)

    results: dict[str, dict] = {bench.core["name"]: {"free_cycles": []} for bench in benches}

    async def one_pass(key: str, gaps: bool) -> None:
        async def run(bench: CoreBench) -> None:
            results[bench.core["name"]][key] = await bench.stream(gaps)

        tasks = [cocotb.start_soon(run(bench)) for bench in benches]
        await with_timeout(Combine(*tasks), TIMEOUT_CYCLES * PERIOD_NS, "ns")

    for bench in benches:
        cocotb.start_soon(bench.watch(results[bench.core["name"]]["free_cycles"]))
    await one_pass("free_words", gaps=False)
    await one_pass("stalled_words", gaps=True)
    for _ in range(50):
        await RisingEdge(dut.clk)
    await ReadOnly()
    for bench in benches:
        assert bench.sink.empty(), f"{bench.core['name']} wrote more words than its frames have"
    (plan_file.parent / "rtl_results.json").write_text(json.dumps(results))
