"""The runs as rows in the form of the paper's Table 1, next to the paper's own."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from sca_train.config import SCORES, STRUCTURES
from sca_train.figures.paper import METHOD, PAPER_ROWS, PaperRow
from sca_train.figures.runs import RunResult, Setting, architecture, dataset
from sca_train.figures.series import group_ratios

HEADINGS = (
    "Dataset",
    "Method",
    "Architecture",
    "Granularity",
    "ACC. (%)",
    "ACC. loss (%)",
    "Connectivity (%)",
    "Parameters (M)",
    "Integer ACC. (%)",
)
NOTE = (
    "ACC. is the accuracy before pruning (ratio 0), and the loss what pruning changes, as in the paper; without a run "
    "at ratio 0 only the accuracy after pruning is known, marked with *. Values with several runs are means. Integer "
    "ACC. is that of the exported integer network in ONNX Runtime. – stands for what was not measured, and for values "
    "that the text of the paper at hand lacks."
)
UNKNOWN = "–"


@dataclass(frozen=True)
class Row:
    """One row; the cells stand under ``HEADINGS``. ``ours``: not the paper's."""

    cells: tuple[str, ...]
    ours: bool


def rows_of(settings: list[Setting]) -> list[Row]:
    """The paper's rows and ours, by data set: first the paper's data sets, then the others."""
    ours = [(dataset(setting.runs[0].config), row) for setting in settings for row in _setting_rows(setting)]
    paper = [(row.dataset, _paper_row(row)) for row in PAPER_ROWS]
    order = list(dict.fromkeys([name for name, _ in paper] + [name for name, _ in ours]))
    return [row for name in order for where, row in [*paper, *ours] if where == name]


def _paper_row(row: PaperRow) -> Row:
    params = UNKNOWN if row.params is None else f"{row.params / 1e6:.2f}"
    known = (row.dataset, METHOD, row.architecture, "Channel", f"{row.base_accuracy:.2f}")
    return Row((*known, UNKNOWN, UNKNOWN, params, UNKNOWN), ours=False)


def _setting_rows(setting: Setting) -> list[Row]:
    base = [run.accuracy for run in setting.runs if run.ratio == 0.0]
    made = [_row(setting, "unpruned", [run for run in setting.runs if run.ratio == 0.0], base)] if base else []
    methods = {run.method for run in setting.runs if run.ratio > 0.0}
    for structure, score in sorted(methods, key=lambda pair: (STRUCTURES.index(pair[0]), SCORES.index(pair[1]))):
        pruned = [run for run in setting.runs if run.ratio > 0.0 and run.method == (structure, score)]
        chosen = structure if structure == "random" else f"{structure}, {score}"
        for ratio, group in group_ratios(pruned).items():
            made.append(_row(setting, f"{chosen}, ratio {ratio:g}", group, base))
    return made


def _row(setting: Setting, method: str, group: list[RunResult], base: list[float]) -> Row:
    after = fmean(run.accuracy for run in group)
    before = fmean(base) if base else None
    integer = [run.integer_accuracy for run in group if run.integer_accuracy is not None]
    seeds = f", {len(group)} runs" if len(group) > 1 else ""
    return Row(
        (
            dataset(setting.runs[0].config),
            f"spikefold, {method}{seeds}",
            architecture(setting.runs[0].config),
            "Channel",
            f"{100 * after:.2f}*" if before is None else f"{100 * before:.2f}",
            UNKNOWN if before is None else f"{100 * (after - before):+.2f}" if group[0].ratio else "0.00",
            f"{100 * fmean(run.params.left for run in group):.2f}",
            _millions(fmean(run.params.compact for run in group)),
            # A mean over some of the runs would stand beside a mean over all of them.
            f"{100 * fmean(integer):.2f}" if len(integer) == len(group) else UNKNOWN,
        ),
        ours=True,
    )


def _millions(count: float) -> str:
    return f"{count / 1e6:.2f}" if count >= 1e5 else f"{count / 1e6:.2g}"


def markdown(rows: list[Row]) -> str:
    """The table and its note as Markdown."""
    lines = [HEADINGS, ("---",) * 4 + ("---:",) * (len(HEADINGS) - 4), *(row.cells for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + f"\n{NOTE}\n"
