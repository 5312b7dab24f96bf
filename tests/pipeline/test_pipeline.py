"""The commands of the README on a small network: one run folder from training to the report."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False
    )


def succeed(*arguments: object) -> str:
    done = command(*arguments)
    assert done.returncode == 0, f"{arguments}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder after every stage, of a convolutional network with a few channels."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    preset = ROOT / "configs" / "mini.toml"
    short = ("--epochs", 2, "--finetune", 1, "--ratio", 0.8, "--timesteps", 2)
    succeed("sca_train", "--config", preset, *short, "--run", folder)
    succeed("codegen", "export", folder)
    succeed("codegen", "hls", folder, "--board", "Pynq-Z2", "--target-cycles", 5000)
    succeed("codegen", "csim", folder)
    succeed("codegen", "rtlsim", folder)
    succeed("codegen", "synth", folder, "--board", "Pynq-Z2")
    assert succeed("codegen", "report", folder).strip().endswith("report.html")
    return folder


def test_report_holds_the_measured_figures(run: Path) -> None:
    report = json.loads((run / "report.json").read_text())
    assert report["model"] == "mini"
    assert report["mismatches"] == {"csim": 0, "rtl": 0}
    assert report["images"]["csim"] == report["images"]["onnx"] == report["images"]["float"] > 300
    assert report["images"]["rtl"] == 32
    assert report["accuracy"]["csim"] == report["accuracy"]["onnx"]
    assert report["cycles"]["interval"] <= 1.05 * report["cycles"]["bound"]
    assert report["cycles"]["latency"] > report["cycles"]["interval"] / 2
    assert report["params"]["compact"] < report["params"]["dense"]
    assert report["resources"]["fits"] is True
    assert 0 < report["resources"]["lut"] < report["resources"]["budget"]["lut"]


def test_all_back_ends_give_the_same_logits(run: Path, tmp_path: Path) -> None:
    """Images that no data set holds, through every backend of the fixed command."""
    images = np.random.default_rng(7).integers(0, 256, (5, 16, 16, 1), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    logits = {}
    for backend in ("onnx", "finn", "csim", "rtl"):
        out = tmp_path / f"{backend}.npy"
        succeed("codegen", "simulate", run, "--backend", backend, "--images", tmp_path / "images.npy", "--out", out)
        logits[backend] = np.load(out)
        assert logits[backend].dtype == np.int32
        assert logits[backend].shape == (5, 10)
    for backend in ("finn", "csim", "rtl"):
        np.testing.assert_array_equal(logits[backend], logits["onnx"], err_msg=backend)


def test_a_refused_image_file_leaves_no_output(run: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", np.zeros((2, 8, 8, 1), np.uint8))
    out = tmp_path / "logits.npy"
    done = command("codegen", "simulate", run, "--backend", "csim", "--images", tmp_path / "images.npy", "--out", out)
    assert done.returncode == 2
    assert "[2, 8, 8, 1]" in done.stderr
    assert not out.exists()


def test_a_network_that_does_not_fit_says_so_and_keeps_the_sources(run: Path, tmp_path: Path) -> None:
    before = (run / "graph.onnx").read_bytes()
    done = command("codegen", "hls", run, "--board", "Pynq-Z1", "--target-cycles", 1)
    assert done.returncode == 2
    assert done.stderr.count("error:") == 1
    assert (run / "graph.onnx").read_bytes() == before


def test_stalls_are_counted_per_stream(run: Path) -> None:
    table = [line.split() for line in succeed("codegen", "rtlsim", run, "--images", 3, "--stalls").splitlines()]
    header = table.index(["stream", "moved", "stalled", "starved"])
    moved = [int(row[-3]) for row in table[header + 1 :]]
    assert moved[0] == 3 * 16 * 16
    assert all(moved)
