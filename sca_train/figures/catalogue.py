"""Which figures a setting's runs allow: each drawn, or left out with the reason."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from sca_train.config import TrainConfig
from sca_train.figures import draw
from sca_train.figures.runs import RunResult, Setting
from sca_train.figures.series import (
    compared_scores,
    compared_structures,
    group_ratios,
    main_method,
    points,
    runs_of,
)
from sca_train.measure.metrics_file import Epoch

DOTS_PER_INCH = 150
SCORE_UNITS = {
    "membrane": "membrane potential",
    "spikes": "spikes",
    "gamma": "batch norm gamma",
    "weight-l1": "L1 norm of the weights",
}
_STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#e3e7e9",
    "legend.frameon": False,
    "figure.facecolor": "white",
}


@dataclass(frozen=True)
class DrawnFigure:
    """One figure as a PNG, with the sentence that belongs under it."""

    file: str
    title: str
    caption: str
    png: bytes


@dataclass(frozen=True)
class LeftOut:
    """A figure that the runs do not allow, and why."""

    title: str
    reason: str


def figures_of(setting: Setting) -> list[DrawnFigure | LeftOut]:
    """All figures of the paper for the runs of one setting, in the paper's order."""
    structure, score = main_method(setting)
    runs = runs_of(setting, (structure, score))
    how = f"{setting.title}; channels chosen by {structure}, score {score}."
    return [
        _fig2(setting, runs, how),
        _fig3a(setting, runs, how),
        _fig3b(setting, runs),
        _fig4a(setting, runs, score),
        _fig4bc(setting, "structures", compared_structures(setting), "STRUCTURES"),
        _fig4bc(setting, "scores", compared_scores(setting), "SCORES"),
    ]


def _fig2(setting: Setting, runs: list[RunResult], how: str) -> DrawnFigure | LeftOut:
    title = "Fig. 2: accuracy, parameters and SynOps against the pruning ratio"
    accuracy = points(runs, lambda run: run.accuracy)
    if len(accuracy) < 2:
        return LeftOut(title, f"it compares ratios, and all runs have ratio {accuracy[0].ratio:g}")
    params, synops = points(runs, lambda run: run.params.compact), points(runs, lambda run: run.synops.compact)
    png = _png(6.4, 5.0, lambda figure: draw.accuracy_params_synops(figure, accuracy, params, synops))
    return DrawnFigure(f"fig2-{setting.slug}.png", title, f"{how} {_spread(accuracy)}", png)


def _fig3a(setting: Setting, runs: list[RunResult], how: str) -> DrawnFigure | LeftOut:
    title = "Fig. 3a: channels of each layer against the pruning ratio"
    channels = {ratio: [run.channels for run in group] for ratio, group in group_ratios(runs).items()}
    if not any(channels) or not next(iter(channels.values()))[0]:
        return LeftOut(
            title, "no run has pruned anything" if not any(channels) else "the networks have no layers to prune"
        )
    png = _png(7.6, 3.8, lambda figure: draw.channels_by_ratio(figure.subplots(), channels))
    caption = f"{how} Lines: mean over the runs of a ratio; shaded: their range."
    return DrawnFigure(f"fig3a-{setting.slug}.png", title, caption, png)


def _fig3b(setting: Setting, runs: list[RunResult]) -> DrawnFigure | LeftOut:
    title = "Fig. 3b: channels of each layer over the epochs"
    told = [run for run in runs if run.ratio > 0.0 and shows_epochs(run.history)]
    if not told:
        return LeftOut(title, "no pruned run noted the channels of its layers over several epochs")
    run = min(told, key=lambda run: (abs(run.ratio - 0.5), run.config.seed))  # the paper shows ratio 0.5
    png = _png(7.6, 3.8, lambda figure: draw_epochs(figure, run.history, run.config))
    caption = f"{setting.title}; ratio {run.ratio:g}, seed {run.config.seed}, {run.folder.name}."
    return DrawnFigure(f"fig3b-{setting.slug}.png", title, caption, png)


def shows_epochs(history: Sequence[Epoch]) -> bool:
    """Whether a history tells the channels of each layer over several epochs."""
    return sum(bool(epoch.channels) for epoch in history) > 1


def draw_epochs(figure: Figure, history: Sequence[Epoch], config: TrainConfig) -> None:
    """Draw Fig. 3b of one run."""
    told = [epoch for epoch in history if epoch.channels]
    layers = {name: [epoch.channels[name] for epoch in told] for name in told[0].channels}
    search = config.epochs - config.finetune
    draw.channels_by_epoch(figure.subplots(), [epoch.epoch for epoch in told], layers, search)


def draw_layer_scores(figure: Figure, scores: Mapping[str, Sequence[float]], config: TrainConfig) -> None:
    """Draw Fig. 4a of one run, layer by layer."""
    layers = {name: np.array(values) for name, values in scores.items()}
    draw.score_distribution(figure.subplots(), layers, "layer", SCORE_UNITS[config.score])


def _fig4a(setting: Setting, runs: list[RunResult], score: str) -> DrawnFigure | LeftOut:
    title = "Fig. 4a: distribution of the channel scores"
    scores = {f"{ratio:g}": all_scores(group) for ratio, group in group_ratios(runs).items() if all_scores(group).size}
    if not scores:
        return LeftOut(title, "no run has channel scores")
    png = _png(
        6.4, 4.0, lambda figure: draw.score_distribution(figure.subplots(), scores, "pruning ratio", SCORE_UNITS[score])
    )
    caption = (
        f"{setting.title}; every channel of every run is a point. Removed channels have score 0; the bar spans the "
        "middle half of the others, the dot is their median."
    )
    return DrawnFigure(f"fig4a-{setting.slug}.png", title, caption, png)


def all_scores(runs: list[RunResult]) -> np.ndarray:
    """The scores of all channels of all layers of some runs, in one array."""
    return np.array([value for run in runs for values in run.scores.values() for value in values])


def _fig4bc(setting: Setting, what: str, compared: dict[str, list[RunResult]], variable: str) -> DrawnFigure | LeftOut:
    title = f"Fig. 4b and 4c: accuracy and parameters of the {what}"
    if len(compared) < 2:
        known = f"only {next(iter(compared))} was" if compared else "none was"
        return LeftOut(title, f"it compares {what}, and {known} trained; make sweep {variable}=... trains several")
    accuracy = {name: points(runs, lambda run: run.accuracy) for name, runs in compared.items()}
    params = {name: points(runs, lambda run: run.params.compact) for name, runs in compared.items()}
    if max(map(len, accuracy.values())) < 2:
        return LeftOut(title, "it compares ratios, and all runs have one")
    png = _png(7.6, 3.6, lambda figure: draw.accuracy_and_params(figure, accuracy, params))
    spread = _spread([point for series in accuracy.values() for point in series], "shaded: their range")
    return DrawnFigure(f"fig4bc-{what}-{setting.slug}.png", title, f"{setting.title}. {spread}", png)


def _spread(series: list[Any], means_of: str = "whiskers: lowest and highest") -> str:
    """What the mean and the spread of a figure stand for."""
    counts = sorted({point.runs for point in series})
    if counts == [1]:
        return "One run for each value."
    several = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else str(counts[0])
    return f"Mean over {several} runs; {means_of}."


def _png(width: float, height: float, draw_on: Callable[[Figure], None]) -> bytes:
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        draw_on(figure)
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return content.getvalue()
