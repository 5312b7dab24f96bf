"""`python -m bench.pareto`: kept CIFAR-10 networks on a Zynq XC7Z020 at 80 %, beside FINN's examples: table and plot.

Each kept network has its front of foldings (fewest LUTs for their cycles, exact by the estimates), dense and with
event-driven cores, whose cycles are the mean over the test images of results/density.json; the worst of these beside
it. FINN's points are its published foldings by its own estimators (bench/cnv_estimates.py).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from bench.cnv_estimates import EXAMPLES, estimate
from bench.command import run_command
from codegen.dataflow.dataflow import load_model, to_dataflow
from codegen.dataflow.environment import quiet
from codegen.dataflow.folding.choose import offered
from codegen.dataflow.folding.event import EventChoice, core_spread
from codegen.dataflow.folding.front import pareto_plans
from codegen.dataflow.folding.layers import read_layers
from codegen.dataflow.folding.solver import Plan, Solver, plan_cycles, plan_resources
from codegen.event_results import DensityResult
from codegen.fit import find_board
from codegen.report.comparison import PUBLISHED
from codegen.results import OnnxResult
from codegen.run_folder import RunFolder
from sca_train.command_line import Parser

KEPT = ("cnn-dense", "cnn-board", "cnn-half")
BOARD = find_board("Pynq-Z2")
SHARE = 0.8


@dataclass(frozen=True)
class Point:
    """One folding. cycles: a frame, on average over test images; worst: of these; bram36: in blocks of 36 Kbit."""

    network: str
    accuracy: float
    cycles: int
    worst: int
    lut: int
    bram36: float


def kept(name: str, *, events: bool) -> Iterator[Point]:
    """The front of a kept network within ``SHARE`` of the board; nothing where not even the smallest folding fits."""
    run = RunFolder(Path("zoo", name))
    onnx, density = OnnxResult.load(run), DensityResult.load(run)
    assert onnx is not None and onnx.accuracy is not None and density is not None
    with quiet():
        layers = read_layers(to_dataflow(load_model(run.path / "model.onnx"), "rtl", BOARD.part))
    solver = Solver(layers, events=EventChoice.of(density, "mean") if events else None)
    for plan in pareto_plans(solver, offered(BOARD, SHARE, SHARE)):
        needed = plan_resources(plan)
        title = f"{name}, event-driven" if events else name
        yield Point(title, onnx.accuracy, plan_cycles(plan), _worst(plan, density), needed.lut, needed.bram36)


def _worst(plan: Plan, density: DensityResult) -> int:
    """Cycles a frame of the slowest node over the images that the densities were measured on."""
    densities = {entry.layer: entry for entry in density.layers}
    worst = 0
    for part in plan:
        spread = core_spread(densities.get(part.layer.name), part.core)
        others = (node.cycles for node in part.nodes if node is not part.core)
        worst = max(worst, part.core.cycles if spread is None else spread.worst, *others)
    return worst


def examples() -> Iterator[Point]:
    """FINN's, with the accuracy that is published of them."""
    for name, example in EXAMPLES.items():
        found = estimate(example)
        accuracy = next(peer.accuracy for peer in PUBLISHED if peer.name.endswith(name))
        yield Point(f"FINN {name}", accuracy, found.cycles, found.cycles, found.lut, found.bram18 / 2)


def draw(points: list[Point], file: Path) -> None:
    """LUTs against mean cycles, a line for each network."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for name in dict.fromkeys(point.network for point in points):
        own = [point for point in points if point.network == name]
        style = "*" if name.startswith("FINN") else "o--" if name.endswith("event-driven") else "o-"
        label = f"{name}, {own[0].accuracy:.1%}"
        axes.plot([p.cycles for p in own], [p.lut for p in own], style, markersize=4, linewidth=1, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("cycles a frame (mean over test images)")
    axes.set_ylabel("LUTs, by estimate")
    axes.legend(fontsize=8)
    figure.savefig(file, metadata={"Date": None})


def main() -> None:
    made = Parser(prog="python -m bench.pareto", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    made.add_argument("--plot", type=Path, help="SVG file to draw as well")
    given = made.parse_args()
    points: list[Point] = []
    print("| network | accuracy | cycles a frame, mean | worst | LUT | BRAM36 |\n| --- | --- | --- | --- | --- | --- |")
    sources = [kept(name, events=events) for name in KEPT for events in (False, True)]
    for found in (*sources, examples()):
        for p in found:
            points.append(p)
            print(
                f"| {p.network} | {p.accuracy:.2%} | {p.cycles:,} | {p.worst:,} | {p.lut:,} | {p.bram36:g} |",
                flush=True,
            )
    if given.plot:
        draw(points, given.plot)


if __name__ == "__main__":
    raise SystemExit(run_command(main))
