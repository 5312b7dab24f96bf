"""The comparison of runs: what each report.json says, the fronts, and reports that are missing, damaged or stale."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from run_folders import change, complete_run, trained_run

from codegen.cli.main import main
from codegen.report.compare import compare_runs
from codegen.report.comparison import CIFAR10_CLASSES, PUBLISHED, find_run, front_of, read_run
from codegen.report.stage import write_report
from codegen.run_folder import RunFolder
from sca_train.command_line import USER_ERROR


def _reported(folder: Path, name: str, accuracy: float = 0.96, lut: int = 4200, interval: int = 2500) -> RunFolder:
    (folder / "runs").mkdir(exist_ok=True)
    (folder / f"made-{name}").mkdir()
    made = complete_run(folder / f"made-{name}")
    run = RunFolder(made.path.rename(folder / "runs" / name))
    change(run, "onnx", accuracy=accuracy)
    change(run, "rtl", interval=interval)
    total = {"lut": lut, "ff": 3900, "bram36": 1.5, "dsp": 0}
    change(run, "synth", total=total)
    write_report(run)
    return run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs with reports in runs/."""
    folder = tmp_path_factory.mktemp("made")
    _reported(folder, "small", accuracy=0.90, lut=1000, interval=2500)
    _reported(folder, "beaten", accuracy=0.89, lut=1500, interval=2400)
    _reported(folder, "a $large_1$ <one>", accuracy=0.97, lut=9000, interval=900)
    return folder / "runs"


@pytest.fixture
def runs(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them, the working folder above it."""
    shutil.copytree(made, tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def test_rows_and_fronts_are_those_of_the_reports(runs: Path, tmp_path: Path) -> None:
    names = ["small", "beaten", "a $large_1$ <one>"]
    page = compare_runs([runs / name for name in names], tmp_path / "out")
    content = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert [row["name"] for row in content["runs"]] == names
    for row in content["runs"]:
        report = json.loads((runs / row["name"] / "report.json").read_text())
        assert row["accuracy"] == report["accuracy"]["onnx"] and row["cycles"] == report["cycles"]["interval"]
        assert row["latency"] == report["cycles"]["latency"] and row["fps"] == report["cycles"]["fps"]
        assert [row[key] for key in ("lut", "ff", "bram36", "dsp", "board", "fits")] == [
            report["resources"][key] for key in ("lut", "ff", "bram36", "dsp", "board", "fits")
        ]
        assert row["params"] == report["params"]["compact"] and row["synops"] == report["synops"]["compact"]
        assert [row["csim_mismatches"], row["rtl_mismatches"]] == [0, 1] and row["energy_nj"] == report["energy"]["nj"]
    # The large one has the fewest cycles and the best accuracy; of LUTs each of two has its place.
    assert content["fronts"] == [
        {"dataset": "digits", "cost": "lut", "runs": ["small", "a $large_1$ <one>"]},
        {"dataset": "digits", "cost": "cycles", "runs": ["a $large_1$ <one>"]},
    ]
    text = page.read_text()
    for shown in ("0.9700", "9,000", "111,111", "a $large_1$ &lt;one&gt;", "Pynq-Z2"):
        assert shown in text, shown
    assert "http" not in text and "<script" not in text and "<one>" not in text
    assert not any(peer.name in text for peer in PUBLISHED), "of another data set"


def test_runs_are_found_by_name_path_and_in_the_zoo(runs: Path) -> None:
    assert find_run(Path("small")).path == Path("runs/small")
    assert find_run(runs / "small").path == runs / "small"
    assert find_run(Path("runs/small")).name == "small"


def test_a_run_named_twice_is_one_row(runs: Path, tmp_path: Path) -> None:
    compare_runs([Path("small"), runs / "small"], tmp_path / "out")
    assert len(json.loads((tmp_path / "out" / "compare.json").read_text())["runs"]) == 1


@pytest.mark.parametrize(
    ("measured", "front"),
    [
        ([("a", 1, 0.5)], "a"),
        ([("a", 1, 0.5), ("b", 2, 0.5)], "a"),
        ([("a", 1, 0.5), ("b", 1, 0.6)], "b"),
        ([("a", 1, 0.5), ("b", 1, 0.5)], "ab"),
        ([("c", 3, 0.9), ("b", 2, 0.4), ("a", 1, 0.5)], "ac"),
        ([], ""),
    ],
)
def test_a_front_holds_what_no_other_beats(measured: list[tuple[str, float, float]], front: str) -> None:
    assert "".join(name for name, *_ in front_of(measured)) == front


def test_published_networks_are_named_as_such(runs: Path, tmp_path: Path) -> None:
    for name in ("small", "beaten"):
        file = runs / name / "report.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "dataset": "cifar10"}))
    text = compare_runs([runs / "small", runs / "beaten"], tmp_path / "out").read_text()
    assert "None of these was measured here" in text and "FINN CNV-w2a2 (not measured here)" in text
    content = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert {name for front in content["fronts"] for name in front["runs"]} == {"small", "beaten"}


@pytest.mark.parametrize(
    ("classes", "dataset"),
    [
        (None, "folder"),
        (["cat", "dog"], "folder of 2 classes (cat, dog)"),
        (["a", "b", "c", "d"], "folder of 4 classes (a, b, c, ...)"),
        (sorted(CIFAR10_CLASSES), "cifar10"),
    ],
)
def test_folders_of_images_are_the_same_where_their_classes_are(
    runs: Path, classes: list[str] | None, dataset: str
) -> None:
    _edit(dataset="folder", classes=classes)(runs / "small")
    assert read_run(find_run(Path("small"))).dataset == dataset


def _edit(**values: object) -> Callable[[Path], None]:
    def edit(run: Path) -> None:
        file = run / "report.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **values}))

    return edit


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "no report": (lambda run: (run / "report.json").unlink(), "has no report.json; run `make report RUN=small` first"),
    "damaged": (lambda run: (run / "report.json").write_text("{"), "report.json is damaged .* run `make report"),
    "of an earlier version": (
        _edit(made_of=None),
        "report.json has None as made_of, .* run `make report RUN=small` again",
    ),
    "wrong field": (_edit(accuracy={"onnx": "high"}), "report.json has 'high' as accuracy.onnx, which is not a number"),
    "not finite": (
        lambda run: (run / "report.json").write_text('{"ratio": NaN}'),
        "report.json is damaged .* run `make report RUN=small` again",
    ),
    "another network": (
        lambda run: (run / "model.onnx").write_bytes(b"another"),
        "report.json is older than the model.onnx that is there now; run `make report RUN=small` again",
    ),
    "other sources": (
        lambda run: (run / "rtl" / "accelerator.sv").write_text("// another"),
        "report.json is older than the rtl that is there now; run `make report",
    ),
    "another result": (
        lambda run: change(RunFolder(run), "csim", mismatches=3),
        "report.json is older than the results/csim.json that is there now",
    ),
}


@pytest.mark.parametrize(("spoil", "sentence"), WRONG.values(), ids=WRONG)
def test_a_wrong_report_is_one_sentence(
    runs: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], object], sentence: str
) -> None:
    spoil(runs / "small")
    assert main(["compare", "beaten", "small", "--out", "out"]) == USER_ERROR
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and re.search(sentence, told), told
    assert not Path("out").exists()


def test_a_result_that_only_took_another_time_is_the_same(runs: Path, tmp_path: Path) -> None:
    change(RunFolder(runs / "small"), "csim", seconds=99.0, images_per_second=1.0)
    compare_runs([runs / "small"], tmp_path / "out")


def test_a_report_is_kept_without_its_run(runs: Path, tmp_path: Path) -> None:
    alone = tmp_path / "runs" / "alone"
    alone.mkdir()
    (alone / "report.json").write_bytes((runs / "small" / "report.json").read_bytes())
    assert main(["compare", "alone", "small", "--out", str(tmp_path / "out")]) == 0


def test_a_network_of_which_nobody_counted_operations_has_a_row(runs: Path, tmp_path: Path) -> None:
    energy = {"nj": None, "float32_nj": None}
    _edit(params=None, synops=None, energy=energy, classes=None)(runs / "small")
    text = compare_runs([runs / "small"], tmp_path / "out").read_text()
    assert text.count("not measured") == 3


def test_no_such_run(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "none"]) == USER_ERROR
    assert "there is neither a run folder none nor runs/none" in capsys.readouterr().err
    assert main(["compare", "zoo/none"]) == USER_ERROR
    assert "there is no kept network zoo/none" in capsys.readouterr().err


def test_a_run_without_measurements_has_a_row_and_no_plot(tmp_path: Path) -> None:
    run = trained_run(tmp_path)
    write_report(run)
    text = compare_runs([run.path], tmp_path / "out").read_text()
    assert "no run has an accuracy beside LUTs or cycles" in text and text.count("not measured") > 10


def test_runs_of_one_name_are_told_apart_by_their_paths(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "small", tmp_path / "a" / "net")
    shutil.copytree(runs / "beaten", tmp_path / "b" / "net")
    compare_runs([tmp_path / "a" / "net", tmp_path / "b" / "net"], tmp_path / "out")
    content = json.loads((tmp_path / "out" / "compare.json").read_text())
    names = [str(tmp_path / folder / "net") for folder in ("a", "b")]
    assert [row["name"] for row in content["runs"]] == names
    assert [front["runs"] for front in content["fronts"]] == [[names[0]], [names[1], names[0]]]


def test_arrays_of_other_classes_are_another_data_set(runs: Path, tmp_path: Path) -> None:
    _edit(dataset="arrays", classes=["cat", "dog"])(runs / "small")
    _edit(dataset="arrays", classes=["0", "1", "2"])(runs / "beaten")
    compare_runs([runs / "small", runs / "beaten"], tmp_path / "out")
    fronts = json.loads((tmp_path / "out" / "compare.json").read_text())["fronts"]
    assert [front["runs"] for front in fronts] == [["small"], ["small"], ["beaten"], ["beaten"]]
