"""Means and spreads over seeds: what a figure draws as one line or one row of bars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import fmean

from sca_train.config import SCORES, STRUCTURES
from sca_train.figures.runs import RunResult, Setting

PAPER_METHOD = ("prune-regrow", "membrane")


@dataclass(frozen=True)
class Point:
    """One ratio of a series: mean, lowest and highest value over the runs with that ratio."""

    ratio: float
    mean: float
    low: float
    high: float
    runs: int


def group_ratios(runs: Iterable[RunResult]) -> dict[float, list[RunResult]]:
    """The runs by ratio, in rising order; ratios of a budget that agree to a thousandth count as one."""
    groups: dict[float, list[RunResult]] = {}
    for run in sorted(runs, key=lambda run: run.ratio):
        groups.setdefault(round(run.ratio, 3), []).append(run)
    return groups


def points(runs: Iterable[RunResult], value: Callable[[RunResult], float]) -> list[Point]:
    """One point for each ratio among the runs."""
    made = []
    for ratio, group in group_ratios(runs).items():
        values = [value(run) for run in group]
        made.append(Point(ratio, fmean(values), min(values), max(values), len(values)))
    return made


def main_method(setting: Setting) -> tuple[str, str]:
    """Structure and score of the figures that show one method: the paper's, else that with the most runs."""
    counts = Counter(run.method for run in setting.runs if run.ratio > 0.0) or Counter(
        run.method for run in setting.runs
    )
    return PAPER_METHOD if PAPER_METHOD in counts else counts.most_common(1)[0][0]


def runs_of(setting: Setting, method: tuple[str, str]) -> list[RunResult]:
    """The runs of one method, with the unpruned networks, which all methods share."""
    return [run for run in setting.runs if run.ratio == 0.0 or run.method == method]


def compared_structures(setting: Setting) -> dict[str, list[RunResult]]:
    """Runs of each structure with the score of the main method; random scores nothing, so any of its runs counts."""
    score = main_method(setting)[1]
    made = {}
    for structure in STRUCTURES:
        pruned = [
            run
            for run in setting.runs
            if run.ratio > 0.0
            and run.config.structure == structure
            and (structure == "random" or run.config.score == score)
        ]
        if pruned:
            made[structure] = [*(run for run in setting.runs if run.ratio == 0.0), *pruned]
    return made


def compared_scores(setting: Setting) -> dict[str, list[RunResult]]:
    """Runs of each score with the structure of the main method."""
    structure = main_method(setting)[0]
    made = {}
    for score in SCORES:
        pruned = [run for run in setting.runs if run.ratio > 0.0 and run.method == (structure, score)]
        if pruned and structure != "random":
            made[score] = [*(run for run in setting.runs if run.ratio == 0.0), *pruned]
    return made
