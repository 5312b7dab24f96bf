"""The script of docs/bring-your-own-onnx.md, and what its file becomes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from float_networks import images

from codegen import stages
from codegen.cli.main import main
from codegen.errors import CodegenError
from codegen.importing.stage import import_onnx
from codegen.run_folder import RunFolder
from codegen.verify.onnx_runtime import run_onnx

ROOT = Path(__file__).parents[2]
SCRIPT, PAGE = ROOT / "docs" / "write_model.py", ROOT / "docs" / "bring-your-own-onnx.md"
LINES = 40


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """digits.onnx as the script writes it, in a process that could not import this project."""
    folder = tmp_path_factory.mktemp("theirs")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run([sys.executable, "-P", str(SCRIPT)], cwd=folder, env=environment, check=True)
    return folder / "digits.onnx"


def test_the_script_is_short_stands_in_the_docs_and_needs_nothing_of_ours() -> None:
    text = SCRIPT.read_text()
    assert len(text.splitlines()) <= LINES
    assert text in PAGE.read_text()
    imports = {line.split()[1].split(".")[0] for line in text.splitlines() if line.startswith(("import ", "from "))}
    assert imports == {"numpy", "onnx"}


def test_the_file_becomes_a_run_that_computes_what_its_integers_say(written: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "r")
    summary = import_onnx(written, run.path)
    assert summary.integer is None and not summary.labelled
    seen = images(20)
    weights = {entry.name: onnx.numpy_helper.to_array(entry) for entry in onnx.load(str(written)).graph.initializer}
    drive = (seen.reshape(20, 64).astype(np.int64) @ weights["fc1_weights"].astype(np.int64)) << 4
    potential, spikes = np.zeros_like(drive), np.zeros_like(drive)
    for _ in range(4):
        potential = potential + drive + weights["bias"]
        fired = potential >= weights["threshold"]
        potential, spikes = potential - fired * weights["threshold"].astype(np.int64), spikes + fired
    expected = spikes @ weights["fc2_weights"].astype(np.int64)
    assert len(np.unique(expected, axis=0)) > 10
    np.testing.assert_array_equal(run_onnx(run.path / "model.onnx", seen), expected)
    stages.hls(run)
    csim = stages.csim(run)
    assert csim.mismatches == 0 and csim.accuracy is None
    assert stages.report(run).is_file()


def edited(source: Path, target: Path, edit) -> Path:
    model = onnx.load(str(source))
    edit(model)
    onnx.save(model, str(target))
    return target


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda model: model.graph.node[3].__setattr__("op_type", "Gemm"), "no network here has such operators"),
        (lambda model: model.graph.node[6].attribute.pop(0), "its function"),
        (lambda model: model.metadata_props.add(key="timesteps", value="7"), "its metadata say timesteps = '7'"),
        (lambda model: model.functions.append(onnx.helper.make_function(
            "spikefold", "IF", ["current", "bias", "threshold"], ["spikes"],
            [onnx.helper.make_node("Identity", ["current"], ["spikes"])], [onnx.helper.make_opsetid("", 18)],
            attributes=["timesteps", "frac_bits", "soft_reset"])), "is not the one that the export writes"),
        (lambda model: model.graph.ClearField("quantization_annotation"), "not annotated as signed integers"),
    ],
)  # fmt: skip
def test_another_form_is_refused_in_one_sentence(edit, sentence: str, written: Path, tmp_path: Path, capsys) -> None:
    file = edited(written, tmp_path / "edited.onnx", edit)
    with pytest.raises(CodegenError, match=sentence):
        import_onnx(file, tmp_path / "r")
    assert main(["import", str(file), "--run", str(tmp_path / "r")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "r").exists()
