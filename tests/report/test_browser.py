"""The pages in a real browser, at the width of a phone and of a desk, in light and dark."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser import DESKTOP, PHONE, Browser, needs_browser, open_browser
from run_folders import RESULTS, change, complete_run, trained_run

from codegen.report.compare import compare_runs
from codegen.report.stage import write_report

pytestmark = needs_browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with open_browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def _report(folder: Path) -> Path:
    return write_report(complete_run(folder))


def _trained_only(folder: Path) -> Path:
    return write_report(trained_run(folder))


def _many_classes(folder: Path) -> Path:
    """200 classes with long names, 32 time steps, and the spikes of a large layer."""
    run, names = complete_run(folder), [f"a class with a long name, number {number}" for number in range(200)]
    sample = RESULTS["predictions"]["samples"][0]
    logits = [[(7 * number * step) % 500 - 90 for number in range(200)] for step in range(1, 33)]
    confusion = [[50 if label == decided else (label + decided) % 3 for decided in range(200)] for label in range(200)]
    samples = [
        {**sample, "number": 10**6 + place, "label": 3 * place, "decided": 9, "logits": logits} for place in range(12)
    ]
    change(run, "predictions", classes=names, confusion=confusion, samples=samples)
    return write_report(run)


def _compared(folder: Path) -> Path:
    runs = []
    for number, (accuracy, interval) in enumerate([(0.96, 2500), (0.94, 900), (0.9, 3000), (None, 100)]):
        (folder / str(number)).mkdir()
        run = complete_run(folder / str(number))
        change(run, "onnx", accuracy=accuracy)
        change(run, "rtl", interval=interval)
        write_report(run)
        runs.append(run.path)
    return compare_runs(runs, folder / "compare")


PAGES: dict[str, Callable[[Path], Path]] = {
    "report": _report,
    "of a run that is only trained": _trained_only,
    "of many classes": _many_classes,
    "comparison": _compared,
}


@pytest.fixture(scope="module", params=PAGES.values(), ids=PAGES)
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return request.param(tmp_path_factory.mktemp("runs"))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_a_page_is_whole_and_fits(browser: Browser, page: Path, width: int, dark: bool) -> None:
    shown = browser.show(page, width, dark)
    assert shown.console == [] and shown.requests == []
    assert (shown.overflow, shown.wide, shown.boxes) == (0, [], 0)
    assert (shown.broken, shown.tiny) == ([], 0)
    assert browser.faults() == []


def test_the_browser_tells_a_bad_page(browser: Browser, tmp_path: Path) -> None:
    """What the tests above would not pass."""
    page = tmp_path / "bad.html"
    page.write_text(
        "<!DOCTYPE html><html><body><p style='width: 2000px; color: #bbb; font-size: 8px'>pale</p>"
        "<img src='missing.png'><script>console.error('told')</script></body></html>"
    )
    shown = browser.show(page, PHONE)
    assert shown.overflow > 1000 and shown.wide and shown.tiny == 1
    assert any("told" in message for message in shown.console)
    assert [address.rsplit("/", 1)[1] for address in shown.requests] == ["missing.png"] and len(shown.broken) == 1
    told = json.dumps(browser.faults())
    for fault in ("contrast 1.9", "no alternative text", "no language", "no one heading"):
        assert fault in told, fault
