"""A trained network that starts at half its threshold and sums the last map: every backend gives the same logits."""

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

REFERENCE_IMAGES = 24
NETWORKS = {
    "mini": ("--config", ROOT / "configs" / "mini.toml", "--ratio", 0.8),
    "vgg7": ("--model", "vgg7", "--width", 0.125, "--dataset", "digits", "--ratio", 0.3, "--neuron", "LIF"),
    "late": ("--config", ROOT / "configs" / "mini.toml", "--ratio", 0.8, "--neuron", "LateIF"),
}
OPTIONS = ("--epochs", 3, "--finetune", 1, "--timesteps", 4, "--v-init", 0.5, "--reset", "soft")


@pytest.fixture(scope="module", params=NETWORKS)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run folder with model.onnx and the sources of both trees."""
    folder = tmp_path_factory.mktemp("runs") / request.param
    succeed("sca_train", *NETWORKS[request.param], *OPTIONS, "--run", folder)
    succeed("codegen", "export", folder)
    succeed("codegen", "hls", folder, "--board", "none", "--target-cycles", 6000)
    return RunFolder(folder)


def test_the_integer_network_starts_at_half_the_threshold(run: RunFolder) -> None:
    network = fold_network(load_network_description(run))
    assert all(layer.half_start for layer in network.layers[:-1])
    assert network.layers[-1].map_pixels == (4 if run.path.name == "vgg7" else 1)
    images = load_test_set(run).images[:REFERENCE_IMAGES]
    logits, trains = run_layers(network, images)
    np.testing.assert_array_equal(np.load(run.path / "results" / "onnx_logits.npy")[:REFERENCE_IMAGES], logits)
    assert all(0.01 < train.mean() < 0.99 for train in trains)
    assert len(np.unique(logits, axis=0)) > REFERENCE_IMAGES // 2


def test_csim_and_verilator_give_the_same_logits(run: RunFolder) -> None:
    succeed("codegen", "csim", run.path)
    succeed("codegen", "rtlsim", run.path, "--images", 6)
    for name, images in (("csim", 359), ("rtl", 6)):
        result = json.loads((run.path / "results" / f"{name}.json").read_text())
        assert (result["images"], result["mismatches"]) == (images, 0), name
    rtl = json.loads((run.path / "results" / "rtl.json").read_text())
    bound = json.loads((run.path / "results" / "folding.json").read_text())["bound"]
    assert rtl["interval"] <= 1.05 * bound


def test_finns_executor_gives_the_same_logits(run: RunFolder, tmp_path: Path) -> None:
    images = load_test_set(run).images[:2]
    np.save(tmp_path / "images.npy", images)
    out = tmp_path / "logits.npy"
    done = command(
        "codegen", "simulate", run.path, "--backend", "finn", "--images", tmp_path / "images.npy", "--out", out
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(out), np.load(run.path / "results" / "onnx_logits.npy")[:2])
