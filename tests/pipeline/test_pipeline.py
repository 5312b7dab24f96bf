"""The commands of the README on a small network: one run folder from training to the report."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from codegen.arithmetic.fold_batchnorm import fold_network
from codegen.run_folder import RunFolder
from codegen.run_inputs import load_network_description, load_test_set
from codegen.verify.reference import run_layers
from codegen.verify.rtl_model import ModelOptions
from codegen.verify.rtlsim import simulate
from codegen.verify.toggles import read_saif

ROOT = Path(__file__).parents[2]
TOGGLE_IMAGES = 2


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
    succeed("codegen", "rtlsim", folder, "--toggles", TOGGLE_IMAGES)
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


def test_the_report_shows_what_the_reference_model_decides(run: Path) -> None:
    """Confusion matrix, counts over time and spikes: of the integer network in plain numpy."""
    network = fold_network(load_network_description(RunFolder(run)))
    tests = load_test_set(RunFolder(run))
    logits, trains = run_layers(network, tests.images)
    report = json.loads((run / "report.json").read_text())
    confusion = np.zeros((10, 10), int)
    np.add.at(confusion, (tests.labels, logits.argmax(axis=1)), 1)
    assert report["confusion"] == confusion.tolist()
    assert np.trace(confusion) / confusion.sum() == pytest.approx(report["accuracy"]["onnx"])
    predictions = json.loads((run / "results" / "predictions.json").read_text())
    read_out, page = network.layers[-1], (run / "report.html").read_text()
    assert read_out.inputs[0].weights is not None and read_out.map_pixels == 1
    for sample in predictions["samples"]:
        number = sample["number"]
        assert sample["label"] == tests.labels[number] and sample["decided"] == logits[number].argmax()
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(sample["png"]))))
        np.testing.assert_array_equal(pixels, tests.images[number, :, :, 0])
        last = _pooled(trains[-1][:, number], network.layers[-2].pool).reshape(network.timesteps, -1)
        steps = (last @ read_out.inputs[0].weights.reshape(10, -1).T + read_out.bias).cumsum(axis=0)
        assert sample["logits"] == steps.tolist()
        best = int(np.argmax(steps[-1]))
        assert f"{report['classes'][best]}: {steps[-1][best]}</text>" in page
    raster = predictions["raster"]
    layer = [layer.name for layer in network.layers].index(raster["layer"])
    spikes = trains[layer][:, raster["number"]].reshape(network.timesteps, raster["all_channels"], -1)
    shape = raster["steps"], raster["channels"], raster["positions"]
    bits = np.unpackbits(np.frombuffer(base64.b64decode(raster["bits"]), np.uint8))[: np.prod(shape)].reshape(shape)
    np.testing.assert_array_equal(bits, spikes[:, : shape[1], : shape[2]])
    for step, plane in enumerate(bits, start=1):
        assert f"step {step}: {plane.sum():,} of {plane.size:,}" in page


def _pooled(spikes: np.ndarray, pool: int) -> np.ndarray:
    """Spikes [T, channels, h, w] behind max pooling."""
    steps, channels, height, width = spikes.shape
    rows, columns = height // pool, width // pool
    return spikes[:, :, : rows * pool, : columns * pool].reshape(steps, channels, rows, pool, columns, pool).max((3, 5))


def test_each_core_has_its_work_and_its_toggles(run: Path) -> None:
    report = json.loads((run / "report.json").read_text())
    multiplying = [layer for layer in report["layers"] if layer["op"].startswith("SpikingMVAU")]
    assert len(multiplying) == 4
    for layer in multiplying:
        assert layer["lanes"] == layer["simd"] * layer["pe"] * layer["tp"]
        assert layer["cycles"] == layer["work"] / layer["lanes"]
        assert layer["utilisation"] == layer["cycles"] / report["cycles"]["interval"] <= 1
    # Products of the first layer on 16x16 images: 3x3 taps of one channel.
    first = report["channels"]["conv1"][1]
    assert multiplying[0]["work"] == report["timesteps"] * 16 * 16 * 9 * first
    assert report["toggles"]["images"] == TOGGLE_IMAGES
    assert all(layer["toggles"] > 0 for layer in report["layers"])
    assert report["toggles"]["per_frame"] == pytest.approx(sum(layer["toggles"] for layer in report["layers"]))


def test_toggles_are_those_of_the_words(run: Path, tmp_path: Path) -> None:
    """Verilator's counts of the input stream, of which the test bench says each word; another image, other toggles."""
    images = load_test_set(RunFolder(run)).images[:TOGGLE_IMAGES]
    saif = tmp_path / "toggles.saif"
    result, _ = simulate(RunFolder(run), images, ModelOptions(assertions=False, toggles=True), waveform=saif)
    with saif.open() as lines:
        signals = {(signal.scope, signal.name): signal for signal in read_saif(lines)}
    words = np.concatenate([[0], images.reshape(-1)]).astype(np.uint8)
    changed = np.unpackbits((words[1:] ^ words[:-1])[:, np.newaxis], axis=1, bitorder="little").sum(axis=0)
    data = signals[("accelerator",), "s_axis_0_tdata"]
    assert data.toggles == tuple(changed)
    clock = signals[("accelerator",), "ap_clk"]
    assert result.cycles < clock.toggles[0] <= 2 * result.cycles + 2


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
