"""`codegen import` into a run folder: what it leaves, what it refuses, and what a kill leaves of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from float_networks import images, layer, residual_network, vector_network
from killed_imports import SURVIVED, THEIRS

import codegen.importing.stage as stage
from codegen.cli.main import main
from codegen.errors import CodegenError, ImportingError
from codegen.importing.float_network import FloatConnection, FloatNetwork
from codegen.importing.interpreter import run as run_float
from codegen.importing.stage import ImportOptions, Source, import_network
from codegen.importing.user_data import DataOptions
from codegen.report.collect import collect
from codegen.results import OnnxResult
from codegen.run_folder import RunFolder
from codegen.run_inputs import load_test_set
from sca_train.__main__ import main as train_main
from sca_train.errors import TrainError
from sca_train.pruning.compact import load_compact
from sca_train.run_config import load_run_config


@pytest.fixture
def arrays(tmp_path: Path) -> Path:
    """Labelled images as two files: the labels are what the residual network decides."""
    np.save(tmp_path / "x.npy", images(60, seed=3))
    np.save(tmp_path / "y.npy", run_float(residual_network(), images(60, seed=3)).argmax(1))
    return tmp_path


def files(run: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}


def test_an_import_leaves_what_a_training_and_an_export_leave(arrays: Path) -> None:
    run = arrays / "runs" / "theirs"
    data = DataOptions(images=arrays / "x.npy", labels=arrays / "y.npy", classes=tuple("abcdefghij"))
    summary = import_network(residual_network(), run, ImportOptions(8, data=data), THEIRS)
    assert summary.original == 1.0 and summary.integer is not None and summary.integer > 0.85
    assert summary.agreement == summary.integer and summary.images == 60
    config = load_run_config(run)
    assert (config.model, config.dataset, config.timesteps, config.weight_bits) == ("imported", "arrays", 4, 8)
    tests = load_test_set(RunFolder(run))
    np.testing.assert_array_equal(tests.images, images(60, seed=3))
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["accuracy"] == 1.0 and metrics["imported"]["sha256"] == "0" * 64
    assert metrics["imported"]["notes"] == list(summary.notes)
    measured = collect(RunFolder(run))
    assert measured.report.accuracy["onnx"] == summary.integer and measured.report.params is not None
    assert not [path for path in run.iterdir() if path.name.startswith(".")]


def test_without_data_nothing_claims_an_accuracy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "bare"
    summary = import_network(residual_network(), run, ImportOptions(8), THEIRS)
    assert summary.original is None and summary.integer is None and summary.agreement is not None
    assert "random images" in summary.outcome and "no accuracy" in summary.outcome
    result = OnnxResult.load(RunFolder(run))
    assert result is not None and result.accuracy is None and result.shipped_accuracy is None
    report = collect(RunFolder(run)).report
    assert report.accuracy["float"] is None and report.synops is None
    tests = load_test_set(RunFolder(run))
    assert tests.random and tests.accuracy(np.zeros((64, 10), np.int32)) is None
    assert "came without data" in capsys.readouterr().out


def test_a_folder_of_arrays_needs_no_names(arrays: Path) -> None:
    folder = arrays / "mine"
    folder.mkdir()
    for split, count in (("train", 80), ("test", 30)):
        np.save(folder / f"{split}_images.npy", images(count))
        np.save(folder / f"{split}_labels.npy", np.zeros(count, np.int64))
    summary = import_network(residual_network(), arrays / "r", ImportOptions(4, data=DataOptions(data=folder)), THEIRS)
    assert summary.images == 30
    assert any("calibrated on 80 images" in note for note in summary.notes), "on the training images"
    assert len(load_test_set(RunFolder(arrays / "r")).labels) == 30


def test_the_same_network_again_keeps_later_stages_and_another_does_not(tmp_path: Path) -> None:
    run = tmp_path / "r"
    import_network(residual_network(), run, ImportOptions(8), THEIRS)
    (run / "graph.onnx").write_bytes(b"made of it")
    import_network(residual_network(), run, ImportOptions(8), THEIRS)
    assert (run / "graph.onnx").exists()
    import_network(vector_network(), run, ImportOptions(8), THEIRS)
    assert not (run / "graph.onnx").exists()


def test_a_run_of_another_network_is_not_written_over(tmp_path: Path) -> None:
    run = tmp_path / "r"
    import_network(vector_network(), run, ImportOptions(8), THEIRS)
    before = files(run)
    with pytest.raises(ImportingError, match=r"holds another network, of theirs\.nir, not of other\.nir; give another"):
        import_network(vector_network(), run, ImportOptions(8), Source("nir", "other.nir"))
    (run / "checkpoint.pt").write_bytes(b"a training's")
    with pytest.raises(ImportingError, match="holds a network that was trained there"):
        import_network(vector_network(), run, ImportOptions(8), THEIRS)
    (run / "checkpoint.pt").unlink()
    assert files(run) == before


@pytest.mark.parametrize("moment", ["quantise", "write_model", "save_compact", "run_float", "replace_in"])
def test_what_fails_in_the_middle_leaves_the_old_run(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, fresh = tmp_path / "r", tmp_path / "fresh"
    import_network(vector_network(), run, ImportOptions(8), THEIRS)
    before = files(run)

    def fails(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stage, moment, fails)
    for folder in (run, fresh):
        with pytest.raises(KeyboardInterrupt):
            import_network(residual_network(), folder, ImportOptions(8), THEIRS)
    assert files(run) == before
    assert not fresh.exists() or not files(fresh)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``killed_imports.py`` left."""
    folder = tmp_path_factory.mktemp("killed")
    program = Path(__file__).with_name("killed_imports.py")
    paths = {**os.environ, "PYTHONPATH": str(program.parents[2]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, program, folder], env=paths, stdout=subprocess.PIPE, text=True, timeout=600, check=True
    )
    exits = [line for line in done.stdout.splitlines() if line in ("0", "9")]
    assert len(exits) == len(SURVIVED) and exits[0] == "9", done.stdout
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of an import that nothing disturbed."""
    run = tmp_path_factory.mktemp("whole") / "r"
    import_network(residual_network(), run, ImportOptions(8), THEIRS)
    return run


@pytest.mark.parametrize("survived", SURVIVED)
def test_a_kill_while_files_move_is_mended_by_the_same_import(killed: Path, survived: int, whole: Path) -> None:
    """The process dies after some renames: the run folder never passes for a whole one of either network."""
    run = killed / str(survived)
    import_network(residual_network(), run, ImportOptions(8), THEIRS)
    assert (run / "model.onnx").read_bytes() == (whole / "model.onnx").read_bytes()
    assert (run / "metrics.json").read_bytes() == (whole / "metrics.json").read_bytes()
    assert not list(run.glob(".made.*"))


def shaped(path: Path, array: np.ndarray) -> Path:
    np.save(path, array)
    return path


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("calibrate", np.zeros((5, 8, 7, 1), np.uint8), r"calibration file .* is uint8 \[5, 8, 7, 1\], but"),
        ("calibrate", np.zeros((5, 8, 8, 1), np.float32), r"holds float32 .* not images uint8"),
        ("images", np.zeros((5, 9, 8, 1), np.uint8), r"is uint8 \[5, 9, 8, 1\], but the network takes"),
        ("labels", np.zeros(4, np.int64), r"not a whole number for each of 60 images"),
        ("labels", np.full(60, 10), r"goes up to 10, but the network knows 10 classes, from 0 on"),
        ("labels", np.zeros(60), r"holds float64 \[60\], not a whole number"),
        ("labels", np.full(60, -1), r"holds labels from -1 to -1"),
    ],
)  # fmt: skip
def test_wrong_arrays_are_one_sentence(arrays: Path, name: str, value: np.ndarray, sentence: str) -> None:
    given = {"images": arrays / "x.npy", "labels": arrays / "y.npy", name: shaped(arrays / "wrong.npy", value)}
    with pytest.raises((ImportingError, TrainError), match=sentence):
        import_network(residual_network(), arrays / "r", ImportOptions(8, data=DataOptions(**given)), THEIRS)
    assert not (arrays / "r").exists()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"images": Path("x.npy")}, "images and labels belong together"),
        ({"calibrate": Path("nothing")}, "there are no calibration images nothing"),
        ({"data": Path("nothing")}, "needs --data .DATA., a folder"),
        ({"dataset": "mnist"}, "unknown dataset 'mnist'"),
        ({"dataset": "events-digits"}, "the network reads one image"),
        ({"classes": ("a", "b")}, "2 classes are named, but the network knows 10"),
    ],
)
def test_wrong_options_are_one_sentence(given: dict, sentence: str, tmp_path: Path) -> None:
    with pytest.raises((CodegenError, TrainError), match=sentence):
        import_network(residual_network(), tmp_path / "r", ImportOptions(8, data=DataOptions(**given)), THEIRS)
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"", "is neither a NIR file"), (b"GIF89a", "is neither a NIR file"), (b"\x08\x09 no model", "is damaged")],
)
def test_files_of_another_kind_exit_2(content: bytes, sentence: str, tmp_path: Path, capsys) -> None:
    (tmp_path / "file.nir").write_bytes(content)
    assert main(["import", str(tmp_path / "file.nir"), "--run", str(tmp_path / "r")]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and sentence in told
    assert main(["import", str(tmp_path / "absent.nir"), "--run", str(tmp_path / "r")]) == 2
    assert "there is no file" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_a_model_of_ours_comes_back_as_it_was(tmp_path: Path) -> None:
    import_network(residual_network(), tmp_path / "a", ImportOptions(4), THEIRS)
    summary = stage.import_file(tmp_path / "a" / "model.onnx", tmp_path / "b")
    assert summary.agreement is None and not (tmp_path / "b" / "compact.safetensors").exists()
    ours, theirs = (onnx.load(str(tmp_path / name / "model.onnx")) for name in "ab")
    assert ours.graph == theirs.graph and ours.functions == theirs.functions
    report = collect(RunFolder(tmp_path / "b")).report
    assert report.params is None and report.synops is None and report.accuracy["onnx"] is None


def test_training_goes_on_from_an_imported_run_without_a_model(arrays: Path) -> None:
    run, half = arrays / "theirs", arrays / "half"
    options = ["--epochs", "2", "--finetune", "1", "--threads", "1", "--run", str(half)]
    data = DataOptions(dataset="digits")
    import_network(residual_network(), run, ImportOptions(8, data=data), THEIRS)
    assert train_main(["--init", str(run), "--ratio", "0.5", *options]) == 0
    config = load_run_config(half)
    assert (config.model, config.ratio, config.weight_bits, config.dataset) == ("imported", 0.5, 8, "digits")
    before, after = (sum(spec.channels for spec in load_compact(folder)[1].specs) for folder in (run, half))
    assert after < before
    assert main(["export", str(half)]) == 0
    metrics = json.loads((half / "metrics.json").read_text())
    assert metrics["init"] and metrics["params"]["compact"] < metrics["params"]["dense"]


@pytest.mark.parametrize("shape", [(1, 600, 1), (600, 1, 1)])
def test_a_row_longer_than_any_image_of_a_data_set_is_a_run_too(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(0)
    layers = (
        layer("fc", 4, FloatConnection("fc", "image", "linear", rng.normal(size=(4, 600)))),
        layer("out", 3, FloatConnection("out", "fc", "linear", rng.normal(size=(3, 4))), neuron=None),
    )
    import_network(FloatNetwork(shape, 1 / 255, True, 4, 3, layers), tmp_path / "r")
    assert load_test_set(RunFolder(tmp_path / "r")).images.shape[1:] == shape
