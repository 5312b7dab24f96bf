"""cocotb test of the AXI rules: one sequence of signals, named by the environment, right or with one fault."""

from __future__ import annotations

import os

import cocotb
from cocotb.clock import Clock
from cocotb.handle import HierarchyObject
from cocotb.triggers import FallingEdge

Step = dict[str, int]


def burst(addr: int, length: int = 1, kind: int = 1, ready: int = 1) -> Step:
    """The address of a burst of so many beats."""
    return {"burst_valid": 1, "burst_addr": addr, "burst_len": length - 1, "burst_kind": kind, "burst_ready": ready}


def beat(last: int = 1, ready: int = 1, data: int = 0) -> Step:
    return {"beat_valid": 1, "beat_last": last, "beat_ready": ready, "data": data}


RIGHT: list[Step] = [
    {"tvalid": 1, "tdata": 5},
    {"tvalid": 1, "tdata": 5, "tready": 1},
    {"tvalid": 1, "tdata": 6, "tready": 1},
    {},
    {"tvalid": 1, "tdata": 7, "tlast": 1},
    {"tvalid": 1, "tdata": 7, "tlast": 1, "tready": 1},
    {"awvalid": 1, "addr": 8},
    {"awvalid": 1, "addr": 8, "wvalid": 1, "ready": 1},
    {"bvalid": 1},
    {"bvalid": 1, "ready": 1},
    {"arvalid": 1, "ready": 1},
    {"rvalid": 1, "data": 3},
    {"rvalid": 1, "data": 3, "ready": 1},
    burst(0x1F80, 16, ready=0),
    burst(0x1F80, 16),
    burst(0xFFF8),
    *(beat(last=0) for _ in range(15)),
    beat(ready=0),
    beat(),
    {**beat(), **burst(0x8_0000_0000)},
    beat(),
]
FAULTS: dict[str, tuple[str, list[Step]]] = {
    "valid falls": ("valid fell before its word was taken", [{"tvalid": 1}, {}]),
    "word changes": ("the word changed before it was taken", [{"tvalid": 1, "tdata": 1}, {"tvalid": 1, "tdata": 2}]),
    "last appears": ("the word changed before it was taken", [*RIGHT[:4], {"tvalid": 1}, {"tvalid": 1, "tlast": 1}]),
    "last within a frame": ("last stands within a frame", [{"tvalid": 1, "tready": 1, "tlast": 1}]),
    "address changes": ("the write address changed", [{"awvalid": 1, "addr": 8}, {"awvalid": 1, "addr": 4}]),
    "write data change": (
        "the write data changed",
        [{"awvalid": 1, "wvalid": 1, "data": 1}, {"awvalid": 1, "wvalid": 1, "data": 2}],
    ),
    "read address changes": ("the read address changed", [{"arvalid": 1, "addr": 8}, {"arvalid": 1, "addr": 4}]),
    "read data change": (
        "the read data changed",
        [{"arvalid": 1, "ready": 1}, {"rvalid": 1, "data": 1}, {"rvalid": 1, "data": 2}],
    ),
    "response falls": ("the write response changed", [{"awvalid": 1, "wvalid": 1, "ready": 1}, {"bvalid": 1}, {}]),
    "response before its data": ("a write response without a request", [{"awvalid": 1, "ready": 1}, {"bvalid": 1}]),
    "second response": ("read data without a request", [*RIGHT[10:13], {"rvalid": 1}]),
    "no write response": (
        "a write got no response",
        [{"awvalid": 1, "wvalid": 1, "ready": 1}, *({} for _ in range(20))],
    ),
    "burst address changes": ("the address changed before", [burst(0, ready=0), burst(8, ready=0)]),
    "burst falls": ("the address changed before", [burst(0, ready=0), {}]),
    "beat changes": ("the data changed before", [burst(0), beat(ready=0, data=1), beat(ready=0, data=2)]),
    "beat falls": ("the data changed before", [burst(0), beat(ready=0), {}]),
    "burst of one address": ("not of whole beats", [burst(0, kind=0)]),
    "burst of 17 beats": ("not of whole beats", [burst(0, 17)]),
    "burst between beats": ("not of whole beats", [burst(4)]),
    "burst into the next page": ("crosses a 4 KB boundary", [burst(0xFF8, 2)]),
    "three bursts": ("more bursts are under way", [burst(0), burst(8), burst(16)]),
    "beat without a burst": ("data that nobody asked for", [burst(0), beat(), beat()]),
    "last too early": ("last does not stand at the end", [burst(0, 2), beat()]),
    "last too late": ("last does not stand at the end", [burst(0, 2), beat(last=0), beat(last=0)]),
    "beat is not taken": ("data were not taken", [burst(0), *(beat(ready=0) for _ in range(20))]),
    "no read response": ("a read got no response", [{"arvalid": 1, "ready": 1}, *({} for _ in range(20))]),
}


@cocotb.test()
async def sequence(dut: HierarchyObject) -> None:
    signals = sorted({name for step in RIGHT for name in step})
    fault = os.environ["SPIKEFOLD_FAULT"]
    for name in signals:
        getattr(dut, name).value = 0
    dut.rst_n.value = 0
    cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
    for _ in range(3):
        await FallingEdge(dut.clk)
    dut.rst_n.value = 1
    for step in [{}, *(FAULTS[fault][1] if fault else RIGHT), {}, {}]:
        for name in signals:
            getattr(dut, name).value = step.get(name, 0)
        await FallingEdge(dut.clk)
