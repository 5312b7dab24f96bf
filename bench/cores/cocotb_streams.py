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
        self.sources = [
            AxiStreamSource(AxiStreamBus.from_prefix(dut, f"{name}_in{port}"), dut.clk, dut.rst_n, False)
            for port in range(len(core["in_bytes"]))
        ]
        self.sinks = [
            AxiStreamSink(AxiStreamBus.from_prefix(dut, f"{name}_out{port}"), dut.clk, dut.rst_n, False)
            for port in range(len(core["out_bytes"]))
        ]
        for end in (*self.sources, *self.sinks):
            end.log.setLevel("WARNING")

    async def stream(self, gaps: bool) -> list[list[str]]:
        """Send all input words and collect as many words of each output as the plan expects."""
        if gaps:
            for index, end in enumerate((*self.sources, *self.sinks)):
                end.set_pause_generator(random_gaps(self.seed + 1000 * index))
        for source, words, width in zip(self.sources, self.core["in_words"], self.core["in_bytes"], strict=True):
            for word in words:
                source.send_nowait(int(word, 16).to_bytes(width, "little"))
        outputs: list[list[str]] = [[] for _ in self.sinks]
        tasks = [
            cocotb.start_soon(self.collect(sink, words, count))
            for sink, words, count in zip(self.sinks, outputs, self.core["out_counts"], strict=True)
        ]
        await Combine(*tasks)
        for source in self.sources:
            await source.wait()
        return outputs

    async def collect(self, sink: AxiStreamSink, words: list[str], count: int) -> None:
        while len(words) < count:
            frame = await sink.recv()
            words.append(f"{int.from_bytes(frame.tdata, 'little'):x}")

    async def watch(self, port: int, cycles: list[int]) -> None:
        """Note the cycle number of each transfer of an output."""
        valid, ready = (getattr(self.dut, f"{self.core['name']}_out{port}_{part}") for part in ("tvalid", "tready"))
        cycle = 0
        while len(cycles) < self.core["out_counts"][port]:
            await RisingEdge(self.dut.clk)
            cycle += 1
            if valid.value == 1 and ready.value == 1:
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

    results: dict[str, dict] = {bench.core["name"]: {"free_cycles": [[] for _ in bench.sinks]} for bench in benches}

    async def one_pass(key: str, gaps: bool) -> None:
        async def run(bench: CoreBench) -> None:
            results[bench.core["name"]][key] = await bench.stream(gaps)

        tasks = [cocotb.start_soon(run(bench)) for bench in benches]
        await with_timeout(Combine(*tasks), TIMEOUT_CYCLES * PERIOD_NS, "ns")

    for bench in benches:
        for port, cycles in enumerate(results[bench.core["name"]]["free_cycles"]):
            cocotb.start_soon(bench.watch(port, cycles))
    await one_pass("free_words", gaps=False)
    await one_pass("stalled_words", gaps=True)
    for _ in range(50):
        await RisingEdge(dut.clk)
    await ReadOnly()
    for bench in benches:
        surplus = max(sink.count() for sink in bench.sinks)
        assert surplus <= bench.core["leading_words"], f"{bench.core['name']} wrote more words than its frames have"
    (plan_file.parent / "rtl_results.json").write_text(json.dumps(results))
