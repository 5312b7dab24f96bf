"""Where the folding of a run stands among those that its board could be given instead."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes

from codegen.report.colours import ACCENT, MUTED, SECOND
from codegen.results import FoldingResult, FrontPoint
from codegen.statistic import Statistic


@dataclass(frozen=True)
class Front:
    """Foldings of fewest LUTs for their cycles a frame, fastest first, and the one that the run has; all by estimate.

    ``statistic``: of the cycles over images, where cores may be event-driven.
    """

    points: tuple[FrontPoint, ...]
    chosen: FrontPoint
    statistic: Statistic | None


def front_of(folding: FoldingResult | None) -> Front | None:
    """None where the folding had no board, or a file named it."""
    if folding is None or not folding.front:
        return None
    cycles = folding.bound
    if folding.statistic is not None and folding.spread is not None:
        cycles = round(getattr(folding.spread, folding.statistic))
    needed = folding.estimate
    chosen = FrontPoint(cycles, needed.lut, needed.bram36, needed.dsp)
    return Front(folding.front, chosen, folding.statistic)


def draw_front(axes: Axes, front: Front, luts: float | None) -> None:
    """LUTs against cycles, both logarithmic, with the board's ``luts``."""
    cycles = [point.cycles for point in front.points]
    axes.plot(cycles, [point.lut for point in front.points], "o-", color=ACCENT, linewidth=1, markersize=4)
    axes.scatter(front.chosen.cycles, front.chosen.lut, color=SECOND, s=60, zorder=3)
    axes.annotate("this run", (front.chosen.cycles, front.chosen.lut), (6, 6), textcoords="offset points", fontsize=8)
    if luts is not None:
        axes.axhline(luts, color=MUTED, linewidth=1, linestyle="--")
        axes.annotate(
            "the board's LUTs", (cycles[-1], luts), (0, -10), textcoords="offset points", fontsize=8, ha="right"
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axis.set_minor_formatter(lambda value, _: "")
    axes.set_xlabel(f"cycles per frame{f' ({front.statistic} over images)' if front.statistic else ''}")
    axes.set_ylabel("LUTs, by estimate")
