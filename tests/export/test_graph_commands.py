"""``python -m codegen`` on an event network with residual additions."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from random_graphs import residual_description

import codegen.export.stage as stage
import sca_train.describe  # noqa: F401 - what its imports print must not be taken for an error message
from codegen.arithmetic.fold_batchnorm import fold_network
from codegen.cli.main import main
from codegen.run_folder import RunFolder
from codegen.run_inputs import LabelledImages
from codegen.verify.reference import run_layers

COUNT = 11


@pytest.fixture
def description():
    return residual_description(3, before_addition=True, events=True, timesteps=5)


@pytest.fixture
def frames():
    return np.random.default_rng(4).integers(0, 4, (COUNT, 5, 8, 8, 2)).astype(np.uint8)


@pytest.fixture
def run(tmp_path, monkeypatch, description, frames):
    """A run folder as training leaves it, already exported."""
    run = RunFolder(tmp_path / "events")
    run.path.mkdir()
    (run.path / "compact.safetensors").write_bytes(b"read through the description above")
    monkeypatch.setattr(stage, "load_network_description", lambda run: description)
    monkeypatch.setattr(stage, "load_test_set", lambda run, data=None: LabelledImages(frames, np.arange(COUNT) % 5))
    assert main(["export", str(run.path)]) == 0
    return run


def test_export_measures_accuracy_and_sparsity_by_layer(run, description, frames):
    logits, trains = run_layers(fold_network(description), frames)
    result = json.loads((run.path / "results" / "onnx.json").read_text())
    assert result["accuracy"] == pytest.approx((logits.argmax(1) == np.arange(COUNT) % 5).mean())
    names = [layer.name for layer in description.layers[:-1]]
    expected = {name: 1 - train.mean() for name, train in zip(names, trains, strict=True)}
    assert result["spike_sparsity"] == pytest.approx(expected)


def test_simulate_takes_event_frames(run, tmp_path, description, frames, capsys):
    np.save(tmp_path / "x.npy", frames)
    arguments = ["simulate", str(run.path), "--backend", "onnx", "--images"]
    assert main([*arguments, str(tmp_path / "x.npy"), "--out", str(tmp_path / "logits.npy")]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "logits.npy"), run_layers(fold_network(description), frames)[0])
    np.save(tmp_path / "short.npy", frames[:, :4])
    capsys.readouterr()
    assert main([*arguments, str(tmp_path / "short.npy"), "--out", str(tmp_path / "none.npy")]) == 2
    assert capsys.readouterr().err == (
        f"error: image file {tmp_path / 'short.npy'}: the images have the shape [11, 4, 8, 8, 2], but the network "
        "takes uint8 [N, 5, 8, 8, 2] (5 event frames each)\n"
    )
    assert not (tmp_path / "none.npy").exists()


def test_hls_names_what_it_cannot_map_and_writes_nothing(run, capsys):
    path = run.path / "model.onnx"
    model = onnx.load(str(path))
    pool = next(node for node in model.graph.node if node.op_type == "LpPool")
    next(entry for entry in pool.attribute if entry.name == "p").i = 2
    onnx.save(model, str(path))
    before = sorted(path.name for path in run.path.rglob("*"))
    capsys.readouterr()
    assert main(["hls", str(run.path)]) == 2
    assert capsys.readouterr().err == (
        f"error: 1 node of the ONNX graph cannot be mapped to hardware: LpPool {pool.name!r}: a norm of p=2 is not "
        "supported, only sums (p=1)\n"
    )
    assert sorted(path.name for path in run.path.rglob("*")) == before
