"""The report shows where a run's folding stands among those that its board could be given."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from run_folders import change, complete_run

from codegen.report.stage import write_report
from codegen.results import FoldingResult

POINTS = [
    {"cycles": 2304, "lut": 4100, "bram36": 1.5, "dsp": 0},
    {"cycles": 9216, "lut": 2222, "bram36": 1.0, "dsp": 0},
    {"cycles": 36864, "lut": 1234, "bram36": 0.5, "dsp": 0},
]


@pytest.mark.parametrize("statistic", [None, "mean"])
def test_the_front_is_in_page_plot_and_json(tmp_path: Path, statistic: str | None) -> None:
    run = complete_run(tmp_path)
    spread = {"mean": 1100.6, "p99": 2000, "worst": 2100} if statistic else None
    change(run, "folding", front=POINTS, statistic=statistic, spread=spread)
    folding = FoldingResult.load(run)
    assert folding is not None
    page = write_report(run).read_text()
    front = json.loads((run.path / "report.json").read_text())["front"]
    assert front["points"] == POINTS and front["statistic"] == statistic
    assert front["chosen"]["cycles"] == (1101 if statistic else folding.bound)
    assert front["chosen"]["lut"] == folding.estimate.lut
    assert "What else the board could be given" in page and "36,864" in page and "1,234" in page
    svg = (run.path / "plots" / "front.svg").read_text()
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert "this run" in svg and ("mean over images" in svg) == (statistic is not None)


def test_without_a_front_nothing_is_said(tmp_path: Path) -> None:
    run = complete_run(tmp_path)
    page = write_report(run).read_text()
    assert json.loads((run.path / "report.json").read_text())["front"] is None
    assert "What else" not in page and not (run.path / "plots" / "front.svg").exists()
