"""Two processes under torchrun on the CPU (Gloo): the same masks in both, and the result of one process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.train.two_processes import CONFIG, normalised, trained

ROOT = Path(__file__).parents[2]
ACTIVITY = ("potential", "spike_count", "samples", "gamma_gradient")


def torchrun(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the two processes saved."""
    out = tmp_path_factory.mktemp("ranks")
    done = torchrun("-m", "tests.train.two_processes", str(out))
    assert done.returncode == 0, done.stderr
    return [torch.load(out / f"{rank}.pt", weights_only=True) for rank in (0, 1)]


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    return trained(CONFIG)


def test_batch_norm_is_that_of_the_whole_batch(both: list[dict[str, Any]]) -> None:
    first, second = (saved["norm"] for saved in both)
    whole = normalised(1)
    assert len(first["y"]) == 3
    assert len(second["y"]) == 4
    for key, expected in whole.items():
        if key in ("y", "x"):
            found = torch.cat([first[key], second[key]])
        elif key.startswith("buffer"):
            found = first[key]
            assert torch.equal(first[key], second[key])
        else:
            found = first[key] + second[key]
        assert torch.allclose(found, expected, rtol=1e-12, atol=1e-12), key


def test_every_process_has_the_same_network(both: list[dict[str, Any]]) -> None:
    first, second = (saved["network"] for saved in both)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)
    averages = [saved["average"] for saved in both]
    assert all(torch.equal(averages[0][key], averages[1][key]) for key in averages[0])
    assert both[0]["scores"] == both[1]["scores"]
    assert both[0]["figures"] == both[1]["figures"]


def test_two_processes_train_as_one(both: list[dict[str, Any]], alone: dict[str, Any]) -> None:
    masks = [key for key in alone["network"] if key.endswith(".mask")]
    assert len(masks) == 3
    assert sum(float(alone["network"][key].sum()) for key in masks) == 56
    for key, expected in alone["network"].items():
        found = both[0]["network"][key]
        if key in masks:
            assert torch.equal(found, expected)
        else:
            assert torch.allclose(found.double(), expected.double(), rtol=1e-6, atol=1e-9), key
    for key, expected in alone["average"].items():
        assert torch.allclose(both[0]["average"][key].double(), expected.double(), rtol=1e-6, atol=1e-9), key
    assert torch.allclose(torch.tensor(both[0]["figures"]), torch.tensor(alone["figures"]), rtol=1e-9)
    for layer, scores in alone["scores"].items():
        assert both[0]["scores"][layer] == pytest.approx(scores, rel=1e-6)


def test_the_command_writes_and_tells_once(finished_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    options = ["--image-size", "8", "--train-images", "100", "--eval-images", "50", "--epochs", "2", "--finetune", "1"]
    options += ["--run-folder", str(run), "--batch-size", "25", "--update-every", "2"]
    options += ["--ema", "0.9", "--teacher", str(finished_run)]
    paused = torchrun("-m", "sca_train", *options, "--stop-after", "1")
    assert paused.returncode == 0, paused.stderr
    done = torchrun("-m", "sca_train", *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("epoch   2/2") == done.stdout.count("2 processes") == done.stdout.count("accuracy") == 1
    metrics = json.loads((run / "metrics.json").read_text())
    assert [entry["epoch"] for entry in metrics["history"]] == [1, 2]
    assert metrics["processes"] == 2
    assert sum(left for _, left in metrics["channels"].values()) == 56
    assert len(list((run / "tensorboard").iterdir())) == 2  # one file for each start of the training
