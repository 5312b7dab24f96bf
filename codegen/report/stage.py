"""The report stage: report.json, report.html and plots/ from what the other stages measured."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import jinja2

from codegen.report.collect import collect
from codegen.report.content import Measured, Report
from codegen.report.energy import ADD_FLOAT32, MULTIPLY_FLOAT32
from codegen.report.pictures import class_names, confusion_of, raster_picture, sample_chart
from codegen.report.plots import draw_plots, inline
from codegen.run_folder import RunFolder, made_aside, replace_in
from sca_train.command_line import one_line
from sca_train.files import write_text
from sca_train.measure.metrics_file import Reduction

WRITTEN = ("plots", "report.json", "report.html")
MEASURED_HERE = ("results/predictions.json",)
"""Written where no stage before has."""
TEMPLATES = Path(__file__).parent
CHECKS = (
    ("float", "float network, torch"),
    ("onnx", "integer network, ONNX Runtime"),
    ("csim", "HLS C++, g++"),
    ("rtl", "RTL, Verilator"),
)
ORIGINAL = "original network, in floats"
PASSAGES = {"rates": "as rates, before the conversion, torch", "converted": "converted, before more training, torch"}
RESOURCES = (("LUT", "lut"), ("FF", "ff"), ("BRAM36", "bram36"), ("DSP", "dsp"))


@dataclass(frozen=True)
class ResourceRow:
    """One resource in the page's table; None where not measured."""

    name: str
    used: float | None
    budget: float | None

    @property
    def share(self) -> float | None:
        if self.used is None or not self.budget:
            return None
        return self.used / self.budget


@dataclass(frozen=True)
class ReductionRow:
    """One count before and after pruning in the page's table."""

    name: str
    dense: float | None
    compact: float | None

    @property
    def left(self) -> float | None:
        if self.compact is None or not self.dense:
            return None
        return self.compact / self.dense


def write_report(run: RunFolder, data: Path | None = None) -> Path:
    """Write report.json, report.html and plots/*.svg; returns the page's path.

    ``data``: where the test set lies, for what is measured on it here (``codegen.report.collect.collect``). Raises
    RunFolderError when the run has not been trained or a result file is damaged.
    """
    measured = collect(run, data)
    plots = draw_plots(measured)
    page = render_page(run, measured, plots)
    with made_aside(run) as made:
        folder = made.path / "plots"
        folder.mkdir()
        for name, svg in plots.items():
            (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
        write_text(made.path / "report.json", json.dumps(measured.report.as_json(), indent=2) + "\n")
        write_text(made.path / "report.html", page)
        replace_in(run, made, WRITTEN, stale=())
    return run.path / "report.html"


def render_page(run: RunFolder, measured: Measured, plots: dict[str, str]) -> str:
    """One HTML page that needs nothing else: styles and plots are inside."""
    report = measured.report
    predictions = measured.predictions
    names = class_names(predictions) if predictions else ()
    samples = [sample_chart(sample, names) for sample in predictions.samples] if predictions else []
    used, budget = report.resources, report.resources.budget
    return page_template("page.html.j2").render(
        run=one_line(run.name),
        toggles_command=one_line(run.command("rtlsim", TOGGLES="4")),
        report=report,
        plots={name: inline(svg, name) for name, svg in plots.items()},
        checks=[(key, ORIGINAL if key == "float" and report.imported else title) for key, title in CHECKS],
        passages=[(PASSAGES[key], accuracy) for key, accuracy in measured.passages.items()],
        speed=measured.images_per_second,
        rtl_speed=measured.rtl_cycles_per_second,
        routed_clock=measured.routed_clock,
        shipped={stage: share for stage, share in measured.shipped.items() if share is not None},
        resources=[ResourceRow(title, getattr(used, key), budget[key]) for title, key in RESOURCES],
        reductions=[_row("parameters", report.params), _row("SynOps per image", report.synops)],
        training_seconds=measured.training_seconds,
        predictions=predictions,
        no_predictions=one_line(measured.no_predictions),
        confusion=confusion_of(predictions) if predictions else None,
        samples=samples,
        wrong_samples=sum(not sample.right for sample in samples),
        raster=raster_picture(predictions.raster) if predictions and predictions.raster else None,
        rates=measured.rates,
        too_slow=_too_slow(report),
        slowest=max(measured.rates, key=lambda rate: rate.cycles, default=None),
        float_ac=ADD_FLOAT32,
        float_mac=round(MULTIPLY_FLOAT32 + ADD_FLOAT32, 6),
    )


def page_template(name: str) -> jinja2.Template:
    """A template of this folder; what it is given is text, not markup."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    return environment.get_template(name)


def _too_slow(report: Report) -> list[str]:
    """The cores whose estimated period is longer than that of the board's clock."""
    limit = report.timing
    if limit is None:
        return []
    return [node.name for node in report.layers if node.period_ns is not None and node.period_ns > limit.target_ns]


def _row(name: str, counts: Reduction | None) -> ReductionRow:
    return ReductionRow(name, counts.dense, counts.compact) if counts else ReductionRow(name, None, None)
