"""``compare``: the reports of several runs on one page that needs nothing else, with Pareto plots."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from codegen.errors import RunFolderError
from codegen.report.colours import ACCENT, MUTED, SECOND
from codegen.report.comparison import (
    PUBLISHED,
    ComparedRun,
    Front,
    Published,
    find_run,
    front_of,
    pareto_fronts,
    points,
    read_run,
)
from codegen.report.plots import draw_figure, inline
from codegen.report.stage import page_template
from sca_train.command_line import one_line
from sca_train.files import check_writable, write_text

PAGE_FILE, DATA_FILE = "compare.html", "compare.json"
COST_TITLES = {"lut": "LUTs", "cycles": "cycles from frame to frame"}


@dataclass(frozen=True)
class Plot:
    """Accuracy against one cost, of the runs of one data set."""

    title: str
    svg: str
    front: tuple[str, ...]
    left_out: tuple[str, ...]
    """Runs of which one of the two was not measured."""


def compare_runs(runs: Sequence[Path], out: Path) -> Path:
    """Write compare.html and compare.json of some runs into a folder; returns the page's path.

    ``runs``: run folders, names of some in runs/, or kept networks as zoo/NAME. Only their report.json is read.
    Raises RunFolderError where a run has no report, or one that is damaged or older than the run, and ZooError for a
    kept network that there is none of.
    """
    compared = _compared(runs)
    if not compared:
        raise RunFolderError('no run is named; name some, as in `make compare RUNS="mini zoo/cnn-board"`')
    fronts = pareto_fronts(compared)
    datasets = {run.dataset for run in compared}
    published = tuple(peer for peer in PUBLISHED if peer.dataset in datasets)
    page = page_template("compare.html.j2").render(
        runs=compared,
        fronts={(front.dataset, front.cost): front.runs for front in fronts},
        plots=[plot for front in fronts if (plot := _plot(front, compared, published))],
        published=published,
        datasets=list(dict.fromkeys(run.dataset for run in compared)),
    )
    content = {"runs": [asdict(run) for run in compared], "fronts": [asdict(front) for front in fronts]}
    out.mkdir(parents=True, exist_ok=True)
    for name in (PAGE_FILE, DATA_FILE):
        check_writable(out / name)
    write_text(out / DATA_FILE, json.dumps(content, indent=2) + "\n")
    write_text(out / PAGE_FILE, page)
    return out / PAGE_FILE


def _compared(runs: Sequence[Path]) -> list[ComparedRun]:
    """A row for each run, once; runs of the same name are called by their paths."""
    found = {run.path.resolve(): run for run in map(find_run, runs)}
    names = Counter(run.name for run in found.values())
    rows = [(run, read_run(run)) for run in found.values()]
    return [replace(row, name=str(run.path)) if names[run.name] > 1 else row for run, row in rows]


def _plot(front: Front, runs: Sequence[ComparedRun], published: Sequence[Published]) -> Plot | None:
    """None where no run of the data set has both figures."""
    measured = points(runs, front.dataset, front.cost)
    if not measured:
        return None
    peers = [peer for peer in published if peer.dataset == front.dataset]
    name = f"{front.cost}-{[run.dataset for run in runs].index(front.dataset)}"
    svg = draw_figure(name, 3.8, lambda figure: _draw(figure, front.cost, measured, peers))
    known = {point[0] for point in measured}
    return Plot(
        title=f"Accuracy against {COST_TITLES[front.cost]}, {front.dataset}",
        svg=inline(svg, name),
        front=front.runs,
        left_out=tuple(run.name for run in runs if run.dataset == front.dataset and run.name not in known),
    )


def _draw(figure: Figure, cost: str, measured: Sequence[tuple[str, float, float]], peers: Sequence[Published]) -> None:
    axes: Axes = figure.subplots()
    best = front_of(measured)
    axes.step([paid for _, paid, _ in best], [share for *_, share in best], where="post", color=SECOND, linewidth=1.2)
    for point in measured:
        on_front = point in best
        axes.scatter(point[1], point[2], color=SECOND if on_front else ACCENT, s=34, zorder=3)
        axes.annotate(
            one_line(point[0]).replace("$", r"\$"), point[1:], (6, -11), textcoords="offset points", fontsize=8
        )
    for peer in peers:
        paid = getattr(peer, cost)
        axes.scatter(paid, peer.accuracy, facecolors="none", edgecolors=MUTED, marker="D", s=30, zorder=2)
        named = f"{peer.name} (not measured here)"
        axes.annotate(named, (paid, peer.accuracy), (6, 5), textcoords="offset points", fontsize=8)
    axes.margins(0.2)
    axes.set_xlabel(COST_TITLES[cost])
    axes.set_ylabel("accuracy, integer network")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.3f}")
