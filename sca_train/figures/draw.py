"""How each figure is drawn: functions from measured values to a matplotlib figure.

Colours are those of Okabe and Ito (2008), told apart by colour-blind readers too; ordered values use ``viridis``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from sca_train.figures.series import Point

SKY, BLUE, GREEN, VERMILION, PURPLE, ORANGE = "#56b4e9", "#0072b2", "#009e73", "#d55e00", "#cc79a7", "#e69f00"
MUTED = "#8a949b"
METHOD_COLOURS = (BLUE, VERMILION, GREEN, PURPLE)
METHOD_MARKERS = ("o", "s", "^", "D")
LINE_STYLES = ("-", "--", ":", "-.")
LAYERS_IN_A_COLUMN = 14
LETTERS_IN_A_ROW = 64
SKEWED = 12
"""A largest score of so many medians squeezes the others on a linear axis; a logarithmic one shows them."""
SHOWN_POINTS = 4000
"""Scores drawn as points for one ratio; a larger network is thinned out evenly."""


def accuracy_params_synops(
    figure: Figure, accuracy: Sequence[Point], params: Sequence[Point], synops: Sequence[Point]
) -> None:
    """Fig. 2: bars of accuracy over lines of parameters and SynOps, against the pruning ratio."""
    bars, lines = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    places = range(len(accuracy))
    heights = [100 * point.mean for point in accuracy]
    bars.bar(places, heights, color=SKY, width=0.62)
    _whiskers(bars, places, accuracy, 100)
    floor = _floor(100 * min(point.low for point in accuracy), 100 * max(point.high for point in accuracy))
    top = 100 * max(point.high for point in accuracy)
    bars.set_ylim(floor, top + 0.16 * (top - floor))
    for place, point, height in zip(places, accuracy, heights, strict=True):
        above = 100 * point.high
        bars.annotate(f"{height:.2f}", (place, above), (0, 4), textcoords="offset points", ha="center", fontsize=9)
    bars.set_ylabel("test accuracy (%)" + (f"\naxis from {floor:g} %" if floor else ""))
    other = lines.twinx()
    for axes, series, colour, marker, name in (
        (lines, params, GREEN, "o", "parameters"),
        (other, synops, VERMILION, "s", "SynOps per image"),
    ):
        unit, scale = _unit(max(point.high for point in series))
        means = [point.mean / scale for point in series]
        axes.plot(places, means, color=colour, marker=marker)
        _whiskers(axes, places, series, 1 / scale)
        axes.set_ylim(0, 1.12 * max(point.high for point in series) / scale)
        axes.set_ylabel(name + (f" ({unit})" if unit else ""), color=colour)
        axes.tick_params(axis="y", colors=colour)
        axes.yaxis.set_major_locator(MaxNLocator(5))
    other.grid(False)
    other.spines["right"].set_visible(True)
    lines.set_xticks(list(places), [f"{point.ratio:g}" for point in accuracy])
    lines.set_xlabel("pruning ratio")


def channels_by_ratio(axes: Axes, channels: dict[float, list[dict[str, tuple[int, int]]]]) -> None:
    """Fig. 3a: channels of each layer in the compact networks, a line for each ratio, its range over seeds shaded."""
    ratios = [ratio for ratio in channels if ratio > 0.0]
    layers = list(next(iter(channels.values()))[0])
    places = np.arange(len(layers))
    dense = [next(iter(channels.values()))[0][layer][0] for layer in layers]
    axes.plot(places, dense, color=MUTED, linestyle="--", marker="_", label="dense")
    for ratio, colour in zip(ratios, _ordered(len(ratios)), strict=True):
        kept = np.array([[run[layer][1] for layer in layers] for run in channels[ratio]])
        axes.plot(places, kept.mean(axis=0), color=colour, marker="o", markersize=4, label=f"ratio {ratio:g}")
        if len(kept) > 1:
            axes.fill_between(places, kept.min(axis=0), kept.max(axis=0), color=colour, alpha=0.18, linewidth=0)
    _layer_ticks(axes, layers)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("layer, from input to output")
    axes.set_ylabel("channels")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    _legend_outside(axes)


def channels_by_epoch(axes: Axes, epochs: Sequence[int], channels: dict[str, list[int]], search: int) -> None:
    """Fig. 3b: channels that each layer keeps after each epoch; ``search``: the last epoch that changes them."""
    for place, ((layer, kept), colour) in enumerate(zip(channels.items(), _ordered(len(channels)), strict=True)):
        style = LINE_STYLES[place % len(LINE_STYLES)] if len(channels) > 4 else "-"
        axes.plot(epochs, kept, color=colour, linestyle=style, linewidth=1.5, label=layer)
    if epochs[0] <= search < epochs[-1]:
        axes.axvline(search, color=MUTED, linewidth=1)
        axes.annotate(
            "end of the search",
            (search, 1),
            (-4, 3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="right" if search > (epochs[0] + epochs[-1]) / 2 else "left",
            color=MUTED,
            fontsize=8,
        )
    axes.set_ylim(bottom=0)
    axes.set_xlabel("epoch")
    axes.set_ylabel("channels kept")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    _legend_outside(axes, columns=1 + (len(channels) - 1) // LAYERS_IN_A_COLUMN)


def score_distribution(axes: Axes, scores: Mapping[str, np.ndarray], groups: str, what: str) -> None:
    """Fig. 4a: the score of every channel by group (ratios or layers), removed channels at 0, the others' quartiles.

    ``groups`` says what the groups are, ``what`` what the score is.
    """
    random = np.random.default_rng(0)
    positive = np.concatenate([values[values > 0] for values in scores.values()])
    wide = positive.size > 0 and positive.max() > SKEWED * np.median(positive)
    linear = float(np.quantile(positive, 0.05)) if wide else 0.0
    if wide:
        axes.set_yscale("symlog", linthresh=linear, linscale=0.5)
    for place, values in enumerate(scores.values()):
        shown = values[np.linspace(0, len(values) - 1, min(len(values), SHOWN_POINTS)).astype(int)]
        kept = values[values > 0]
        across = place + random.uniform(-0.3, 0.3, len(shown))
        alpha = float(np.clip(60 / len(shown), 0.12, 0.6))
        colours = np.where(shown > 0, BLUE, MUTED)
        axes.scatter(across, shown, s=9, color=colours, alpha=alpha, linewidths=0, rasterized=True)
        if len(kept):
            low, middle, high = np.quantile(kept, (0.25, 0.5, 0.75))
            axes.vlines(place, low, high, color=VERMILION, linewidth=4)
            axes.plot(place, middle, marker="o", markersize=7, color=VERMILION, markeredgecolor="white")
    labels = [f"{name}\n{(values <= 0).mean():.0%}" for name, values in scores.items()]
    _layer_ticks(axes, labels)
    axes.set_xlim(-0.6, len(scores) - 0.4)
    axes.set_xlabel(f"{groups}, and the share of channels with score 0")
    axes.set_ylabel(f"channel score\n({what}{', log scale' if wide else ''})")
    axes.set_ylim(bottom=-0.3 * linear if wide else -0.03 * axes.get_ylim()[1])  # points at 0 are seen whole


def accuracy_and_params(
    figure: Figure, accuracy: Mapping[str, Sequence[Point]], params: Mapping[str, Sequence[Point]]
) -> None:
    """Fig. 4b and 4c: accuracy and parameters against the ratio, a line for each way to choose channels."""
    left, right = figure.subplots(1, 2)
    unit, scale = _unit(max(point.high for series in params.values() for point in series))
    for axes, many, factor in ((left, accuracy, 100.0), (right, params, 1 / scale)):
        for (name, series), colour, marker in zip(many.items(), METHOD_COLOURS, METHOD_MARKERS, strict=False):
            ratios = [point.ratio for point in series]
            means = [factor * point.mean for point in series]
            axes.plot(ratios, means, color=colour, marker=marker, label=name)
            if any(point.runs > 1 for point in series):
                lows, highs = ([factor * getattr(point, end) for point in series] for end in ("low", "high"))
                axes.fill_between(ratios, lows, highs, color=colour, alpha=0.15, linewidth=0)
        axes.set_xlabel("pruning ratio")
        axes.set_xticks(sorted({point.ratio for series in many.values() for point in series}))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    left.set_ylabel("test accuracy (%)")
    right.set_ylabel("parameters" + (f" ({unit})" if unit else ""))
    right.set_ylim(bottom=0)
    left.set_title("(b)", loc="left")
    right.set_title("(c)", loc="left")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=len(accuracy))


def _whiskers(axes: Axes, places: Sequence[int], series: Sequence[Point], factor: float) -> None:
    """Lowest and highest value over the runs of each point that has several."""
    several = [(place, point) for place, point in zip(places, series, strict=True) if point.runs > 1]
    if several:
        axes.vlines(
            [place for place, _ in several],
            [factor * point.low for _, point in several],
            [factor * point.high for _, point in several],
            color="#333a3f",
            linewidth=1.4,
            zorder=3,
        )


def _layer_ticks(axes: Axes, labels: Sequence[str]) -> None:
    """One tick for each label, turned where they would touch."""
    letters = sum(max(map(len, label.split("\n"))) + 1 for label in labels)
    axes.set_xticks(range(len(labels)), labels)
    if letters > LETTERS_IN_A_ROW:
        axes.tick_params(axis="x", rotation=60)


def _floor(low: float, high: float) -> float:
    """Where an axis of accuracies in % starts: a round number that leaves the differences visible."""
    spread = high - low
    step = 10.0 if spread > 25 else 5.0 if spread > 10 else 2.0
    return max(0.0, step * math.floor((low - spread / 2 - 0.5) / step))


def _unit(largest: float) -> tuple[str, float]:
    """The unit in which counts up to ``largest`` have few digits, and its size."""
    return ("M", 1e6) if largest >= 5e5 else ("k", 1e3) if largest >= 5e3 else ("", 1.0)


def _ordered(count: int) -> list[tuple[float, float, float, float]]:
    """Colours of ordered values, dark to light, without the ends, which black and white paper swallow."""
    return [tuple(colour) for colour in matplotlib.colormaps["viridis"](np.linspace(0.12, 0.85, max(count, 1)))[:count]]


def _legend_outside(axes: Axes, columns: int = 1) -> None:
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0, fontsize=9, ncols=columns)
