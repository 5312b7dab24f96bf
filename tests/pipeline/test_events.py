"""A trained event network with average pooling: the HLS C++ and the RTL give ONNX Runtime's logits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from test_pipeline import ROOT, command, succeed

from codegen.arithmetic.fold_batchnorm import fold_network
from codegen.run_folder import RunFolder
from codegen.run_inputs import load_network_description, load_test_set
from codegen.verify.reference import run_layers

RTL_FRAMES = 3
CSIM_FRAMES = 20
SHORT = ("--epochs", 2, "--finetune", 1, "--train-images", 320, "--eval-images", 100, "--threads", 1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run folder with model.onnx and the sources of both trees, of the preset trained for two short epochs."""
    folder = tmp_path_factory.mktemp("runs") / "events"
    succeed("sca_train", "--config", ROOT / "configs" / "dvs-digits.toml", *SHORT, "--run", folder)
    succeed("codegen", "export", folder, "--images", CSIM_FRAMES)
    succeed("codegen", "hls", folder, "--board", "none", "--target-cycles", 30000)
    return RunFolder(folder)


def test_the_integer_network_reads_every_step(run: RunFolder) -> None:
    network = fold_network(load_network_description(run))
    assert not network.static_input
    assert {layer.pool_kind for layer in network.layers[:-1]} == {"avg"}
    frames = load_test_set(run).images[:CSIM_FRAMES]
    assert frames.shape == (CSIM_FRAMES, 8, 32, 32, 2)
    logits, trains = run_layers(network, frames)
    np.testing.assert_array_equal(np.load(run.path / "results" / "onnx_logits.npy"), logits)
    assert sum(0.005 < train.mean() < 0.995 for train in trains) >= 3
    assert len(np.unique(logits, axis=0)) > CSIM_FRAMES // 2


def test_csim_and_verilator_give_the_same_logits(run: RunFolder) -> None:
    succeed("codegen", "csim", run.path, "--images", CSIM_FRAMES)
    succeed("codegen", "rtlsim", run.path, "--images", RTL_FRAMES)
    for name, images in (("csim", CSIM_FRAMES), ("rtl", RTL_FRAMES)):
        result = json.loads((run.path / "results" / f"{name}.json").read_text())
        assert (result["images"], result["mismatches"]) == (images, 0), name
    rtl = json.loads((run.path / "results" / "rtl.json").read_text())
    bound = json.loads((run.path / "results" / "folding.json").read_text())["bound"]
    assert rtl["interval"] <= 1.05 * bound


def test_simulate_takes_event_frames(run: RunFolder, tmp_path: Path) -> None:
    """Counts up to 255, which no data set holds, through both simulators; frames of another number are refused."""
    frames = np.random.default_rng(1).integers(0, 256, (2, 8, 32, 32, 2), dtype=np.uint8)
    np.save(tmp_path / "frames.npy", frames)
    logits = {}
    for backend in ("onnx", "csim", "rtl"):
        out = tmp_path / f"{backend}.npy"
        succeed(
            "codegen", "simulate", run.path, "--backend", backend, "--images", tmp_path / "frames.npy", "--out", out
        )
        logits[backend] = np.load(out)
    np.testing.assert_array_equal(logits["csim"], logits["onnx"])
    np.testing.assert_array_equal(logits["rtl"], logits["onnx"])
    arguments = ("--images", tmp_path / "frames.npy", "--out", tmp_path / "none.npy")
    done = command("codegen", "simulate", run.path, "--backend", "finn", *arguments)
    assert done.returncode == 2
    assert done.stderr.strip().endswith("hold elements of at most 24 bits exactly; the input has 64")
    np.save(tmp_path / "frames.npy", frames[:, :4])
    done = command("codegen", "simulate", run.path, "--backend", "rtl", *arguments)
    assert done.returncode == 2
    assert "the network takes uint8 [N, 8, 32, 32, 2] (8 event frames each)" in done.stderr
