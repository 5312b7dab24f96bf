"""What later stages say of an imported run: where its network came from, and what to do where a file is gone."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from float_networks import images, vector_network

from codegen.importing.stage import ImportOptions, Source, import_network
from codegen.importing.user_data import DataOptions
from codegen.report.stage import write_report
from codegen.run_folder import RunFolder
from sca_train.made_again import was_imported
from spikefold.command import main


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of <theirs>.nir with four weight bits, which leaves a note."""
    run = tmp_path_factory.mktemp("runs") / "theirs"
    import_network(vector_network(), run, ImportOptions(4), Source("nir", "<their> net.nir", "ab" * 32))
    return run


@pytest.fixture
def run(imported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(imported, tmp_path / "theirs"))


def _provenance(run: Path, **changed: object) -> None:
    file = run / "metrics.json"
    metrics = json.loads(file.read_text())
    metrics["imported"] |= changed
    file.write_text(json.dumps(metrics))


def test_the_report_says_where_the_network_came_from(run: Path) -> None:
    page = write_report(RunFolder(run)).read_text()
    report = json.loads((run / "report.json").read_text())
    assert report["imported"]["file"] == "<their> net.nir" and report["imported"]["notes"]
    assert "Where the network came from" in page and "NIR file <code>&lt;their&gt; net.nir</code>" in page
    assert "abababababababab" in page and "weights have 4 bits" in page and "original network, in floats" in page
    assert "<h2>Training</h2>" not in page and "<h2>Pruning</h2>" not in page


def test_a_network_in_memory_is_named_by_its_framework(run: Path) -> None:
    _provenance(run, kind="snntorch", file="", sha256="", notes=[])
    page = write_report(RunFolder(run)).read_text()
    assert "An snnTorch module, imported and not trained here" in page and "What the import decided" not in page


def _error(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    assert main([*command]) == 2
    *_, last = capsys.readouterr().err.splitlines()
    return last


@pytest.mark.parametrize("file", ["compact.safetensors", "config.toml"])
def test_a_damaged_run_is_to_be_imported_again(run: Path, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    again = f"import its network again (`spikefold import '<their> net.nir' --run {run}`)"
    (run / file).write_bytes((run / file).read_bytes()[:100])
    assert again in _error(capsys, "export", str(run))
    (run / file).unlink()
    assert f"has no {file}; {again}" in _error(capsys, "export", str(run))


def test_without_metrics_the_folder_has_to_go_first(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    again = f"(remove {run}, then `spikefold import theirs.nir --run {run}`)"
    (run / "metrics.json").write_text("{")
    assert again in _error(capsys, "report", str(run))
    file = run.parent / "x.onnx"
    file.write_bytes(b"\x08\x09")
    damaged = f"metrics.json of run folder {run} is damaged, which says whose network it holds"
    assert damaged in _error(capsys, "import", str(file), "--run", str(run))
    (run / "metrics.json").unlink()
    assert again in _error(capsys, "report", str(run))
    gone = f"run folder {run} has no metrics.json, which says whose network it holds; give another run"
    assert gone in _error(capsys, "import", str(file), "--run", str(run))


def test_an_imported_model_is_not_exported(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _provenance(run, kind="onnx", file="theirs.onnx")
    (run / "compact.safetensors").unlink()
    sentence = _error(capsys, "export", str(run))
    assert f"is all there is of its network; `spikefold import theirs.onnx --run {run}` imports it again" in sentence
    (run / "model.onnx").unlink()
    sentence = _error(capsys, "hls", str(run))
    assert f"has no model.onnx; import its network again (`spikefold import theirs.onnx --run {run}`)" in sentence
    assert "train" not in sentence


def test_make_is_told_the_target_of_make(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPIKEFOLD_CALLER", "make")
    (run / "compact.safetensors").unlink()
    assert "(`make import NIR='<their> net.nir' RUN=theirs`)" in _error(capsys, "export", str(run))


def test_a_training_that_went_on_from_an_import_is_trained_again(run: Path) -> None:
    assert was_imported(run)
    (run / "checkpoint.pt").write_bytes(b"")
    assert not was_imported(run)


def test_an_import_warns_of_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    network = vector_network()
    height, width, channels = network.input_shape
    for split, count in (("train", 40), ("test", 20)):
        np.save(folder / f"{split}_images.npy", images(count)[:, :height, :width, :channels])
        np.save(folder / f"{split}_labels.npy", np.zeros(count, np.int64))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="The given NumPy array is not writable")
        import_network(network, tmp_path / "r", ImportOptions(2, data=DataOptions(data=folder)))
