"""The plots of a report as SVG text; their ink is ``currentColor``, so that they follow the page's colour scheme."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from codegen.report.colours import ACCENT, MUTED, SECOND
from codegen.report.content import STAGES, Measured, Report
from codegen.report.front import draw_front
from codegen.report.roofline import Rate
from sca_train.figures.catalogue import draw_epochs, draw_layer_scores, shows_epochs
from sca_train.measure.metrics_file import Epoch

INK = "#010203"
"""Stands for currentColor while matplotlib draws; no other element has this colour."""
WIDTH_INCHES = 6.4
BAR_INCHES = 0.3
_NEAR = 0.5
"""Points whose logarithms differ by less have names over each other."""
RASTER_DPI = 200
"""Resolution of clouds of points, which an SVG of thousands of elements would draw too slowly."""

_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


def draw_plots(measured: Measured) -> dict[str, str]:
    """SVG text by plot name, only of plots that have something measured to show."""
    report = measured.report
    cycles = [(node.name, node.cycles) for node in report.layers if node.cycles is not None]
    luts = [(node.name, node.lut) for node in report.layers if node.lut is not None]
    plots: dict[str, str] = {}
    if measured.history:
        plots["training"] = draw_figure("training", 2.8, lambda figure: _training(figure, measured.history))
    if any(report.accuracy[stage] is not None for stage in STAGES):
        plots["accuracy"] = draw_figure("accuracy", 2.0, lambda figure: _accuracy(figure.subplots(), report))
    if report.channels:
        height = 0.9 + 1.6 * BAR_INCHES * len(report.channels)
        plots["channels"] = draw_figure(
            "channels", height, lambda figure: _channels(figure.subplots(), report.channels)
        )
    if shows_epochs(measured.history):
        plots["epochs"] = draw_figure(
            "epochs", 3.4, lambda figure: draw_epochs(figure, measured.history, measured.config)
        )
    if measured.scores:
        plots["scores"] = draw_figure(
            "scores", 3.4, lambda figure: draw_layer_scores(figure, measured.scores, measured.config)
        )
    for name, rows, label in (("cycles", cycles, "cycles per frame"), ("luts", luts, "LUTs")):
        if rows:
            height = 0.9 + BAR_INCHES * len(rows)
            bound = report.cycles.bound if name == "cycles" else None
            plots[name] = draw_figure(name, height, _bars_of(rows, label, bound))
    if measured.rates:
        plots["roofline"] = draw_figure("roofline", 3.8, lambda figure: _roofline(figure.subplots(), measured))
    front, budget = report.front, report.resources.budget["lut"]
    if front is not None:
        plots["front"] = draw_figure("front", 3.4, lambda figure: draw_front(figure.subplots(), front, budget))
    return plots


def _roofline(axes: Axes, measured: Measured) -> None:
    """Cycles against lanes, both logarithmic: a core moves down along its line as it is given more lanes."""
    interval, rates = measured.report.cycles.interval, measured.rates
    lanes = np.array([min(rate.lanes for rate in rates) / 2, max(rate.lanes for rate in rates) * 4])
    for rate in rates:
        axes.plot(lanes, rate.work / lanes, color=MUTED, linewidth=0.6, zorder=1)
    slowest = max(rates, key=lambda rate: rate.cycles)
    for rate in rates:
        axes.scatter(rate.lanes, rate.cycles, color=SECOND if rate is slowest else ACCENT, s=30, zorder=3)
    for rate, place in zip(rates, _label_places(rates), strict=True):
        axes.annotate(
            rate.name.replace("SpikingMVAU", "MVAU"),
            (rate.lanes, rate.cycles),
            place,
            textcoords="offset points",
            fontsize=8,
        )
    if interval is not None:
        axes.axhline(interval, color=SECOND, linewidth=1.2, linestyle="--", zorder=2)
        axes.annotate(
            f"{interval:,} cycles from frame to frame",
            (lanes[0], interval),
            (2, 4),
            textcoords="offset points",
            fontsize=8,
        )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlim(*lanes)
    cycles = [rate.cycles for rate in rates]
    axes.set_ylim(min(cycles) / 2.5, max(*cycles, interval or 0) * 2.5)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel("lanes, SIMD * PE * TP")
    axes.set_ylabel("cycles per frame")


def _label_places(rates: Sequence[Rate]) -> list[tuple[int, int]]:
    """Offsets of names from their points, in points: cores that lie together have theirs one below the other."""
    places: list[tuple[int, int]] = []
    for index, rate in enumerate(rates):
        near = sum(
            abs(np.log(rate.lanes / other.lanes)) < _NEAR and abs(np.log(rate.cycles / other.cycles)) < _NEAR
            for other in rates[:index]
        )
        places.append((6, -10 - 10 * int(near)))
    return places


def _bars_of(rows: list[tuple[str, Any]], label: str, bound: int | None) -> Callable[[Figure], None]:
    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.barh([name for name, _ in rows], [value for _, value in rows], color=ACCENT, height=0.7)
        axes.invert_yaxis()
        axes.set_xlabel(label)
        if bound is not None:
            axes.axvline(bound, color=SECOND, linewidth=1.2)
            axes.annotate("bound", (bound, 0), (-4, 10), textcoords="offset points", ha="right")

    return draw


def _training(figure: Figure, history: Sequence[Epoch]) -> None:
    epochs = [entry.epoch for entry in history]
    accuracy, loss = figure.subplots(1, 2)
    accuracy.plot(epochs, [entry.test_accuracy for entry in history], color=ACCENT, label="test accuracy")
    accuracy.plot(epochs, [entry.train_accuracy for entry in history], color=MUTED, label="training accuracy")
    accuracy.plot(epochs, [entry.sparsity for entry in history], color=SECOND, linestyle="--", label="sparsity")
    accuracy.set_ylim(0, 1.02)
    accuracy.set_xlabel("epoch")
    accuracy.legend(fontsize=8, loc="lower right")
    loss.plot(epochs, [entry.loss for entry in history], color=ACCENT)
    loss.set_xlabel("epoch")
    loss.set_ylabel("loss")
    loss.set_ylim(bottom=0)


def _accuracy(axes: Axes, report: Report) -> None:
    for row, stage in enumerate(STAGES):
        value = report.accuracy[stage]
        if value is None:
            axes.text(0.01, row, "not measured", va="center", style="italic")
        else:
            axes.barh(row, value, color=MUTED if stage == "float" else ACCENT, height=0.65)
            axes.text(value + 0.01, row, f"{value:.4f} on {report.images[stage]:,} images", va="center")
    axes.set_yticks(range(len(STAGES)), list(STAGES))
    axes.set_ylim(len(STAGES) - 0.5, -0.5)
    axes.set_xlim(0, 1.4)
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    axes.set_xlabel("test accuracy")


def _channels(axes: Axes, channels: dict[str, tuple[int, int]]) -> None:
    for row, (dense, compact) in enumerate(channels.values()):
        axes.barh(row, dense, color=MUTED, height=0.75, label="before" if row == 0 else None)
        axes.barh(row, compact, color=ACCENT, height=0.45, label="after" if row == 0 else None)
    axes.set_yticks(range(len(channels)), list(channels))
    axes.invert_yaxis()
    axes.set_xlabel("channels")
    axes.legend(fontsize=8, loc="best")


def draw_figure(name: str, height: float, draw: Callable[[Figure], None]) -> str:
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
        draw(figure)
        text = io.StringIO()
        figure.savefig(text, format="svg", dpi=RASTER_DPI, transparent=True, metadata={"Date": None})
    return text.getvalue().replace(INK, "currentColor")


def inline(svg: str, name: str) -> str:
    """The SVG as an element of an HTML page: no prologue, no metadata, no name spaces, ids of its own."""
    element = svg[svg.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    element = re.sub(r'\s+xmlns(:\w+)?="[^"]*"', "", element)
    element = element.replace("xlink:href=", "href=")
    element = re.sub(r'id="', f'id="{name}-', element)
    element = re.sub(r'href="#', f'href="#{name}-', element)
    return re.sub(r"url\(#", f"url(#{name}-", element)
