"""Sweeps: which trials there are, that one failure loses nothing, and that finished trials are not trained again."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sca_train.config import TrainConfig, config_to_toml
from sca_train.errors import TrainError
from sca_train.sweep import sweep
from sca_train.sweep.sweep import Trial, is_finished, main, plan
from sca_train.sweep.trial import failure
from tests.train.conftest import SMALL, small

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray (the extra `sweep`) is absent")
TOO_MUCH = "0.995"
"""A ratio that mini's 112 channels cannot reach with one channel left in each of its 3 layers."""


def names(trials: list[Trial]) -> list[str]:
    return [trial.name for trial in trials]


def test_one_trial_for_each_combination(tmp_path: Path) -> None:
    trials = plan(small(seed=3), tmp_path, [0.2, 0.5], ["prune-regrow", "prune-only"], ["membrane", "spikes"], 2)
    assert len(names(trials)) == len(set(names(trials))) == 16
    last = trials[-1]
    assert last.name == "ratio0.5-prune-only-spikes-seed4"
    assert last.folder == tmp_path / last.name
    assert last.config == small(name=last.name, ratio=0.5, structure="prune-only", score="spikes", seed=4)


def test_combinations_that_train_the_same_are_trained_once(tmp_path: Path) -> None:
    trials = plan(small(), tmp_path, [0.0, 0.5], ["prune-only", "random"], ["spikes", "gamma"], 1)
    assert names(trials) == [
        "ratio0-prune-only-spikes-seed0",
        "ratio0.5-prune-only-spikes-seed0",
        "ratio0.5-prune-only-gamma-seed0",
        "ratio0.5-random-spikes-seed0",
    ]


def test_without_lists_the_options_themselves_are_trained(tmp_path: Path) -> None:
    assert names(plan(small(ratio=0.3), tmp_path, [], [], [], 1)) == ["ratio0.3-prune-regrow-membrane-seed0"]
    assert names(plan(small(budget="Pynq-Z2"), tmp_path, [], [], [], 1)) == ["Pynq-Z2-prune-regrow-membrane-seed0"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--ratios", "0.2 much"], "ratios is '0.2 much'; it must list numbers"),
        (["--ratios", "1.5"], "ratio is 1.5; it must be at least 0 and less than 1"),
        (["--structures", "best"], "unknown structure 'best'"),
        (["--scores", "best"], "unknown score 'best'"),
        (["--seeds", "0"], "seeds is 0; it must be from 1 to 10000"),
        (["--jobs", "0"], "jobs is 0; it must be from 1 to 1024"),
        (["--budget", "Pynq-Z2", "--ratios", "0.5"], "give ratios or a budget, not both"),
        (["--config", "absent.toml"], "there is no configuration file absent.toml"),
    ],
)
def test_wrong_requests_are_refused_in_one_sentence(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    monkeypatch.setattr(sweep, "require_ray", lambda: None)
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and sentence in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_without_ray_the_command_says_how_to_install_it(capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main([]) == 2
    assert "pip install 'spikefold[sweep]'" in capsys.readouterr().err


def test_only_whole_results_of_the_same_options_are_skipped(tmp_path: Path) -> None:
    (trial,) = plan(small(), tmp_path, [], [], [], 1)
    assert not is_finished(trial)
    trial.folder.mkdir()
    (trial.folder / "config.toml").write_text(config_to_toml(trial.config))
    assert not is_finished(trial)
    (trial.folder / "metrics.json").write_text('{"accuracy": 0.')
    assert not is_finished(trial)
    (trial.folder / "metrics.json").write_text('{"accuracy": 0.9}')
    assert not is_finished(trial)
    counts = {"params": {"dense": 9, "compact": 7}, "synops": {"dense": 9.0, "compact": 8.0}, "channels": {}}
    whole = {"accuracy": 0.9, "images": 9, "seconds": 1, "ratio": 0.5, "history": [], **counts}
    (trial.folder / "metrics.json").write_text(json.dumps(whole))
    assert is_finished(trial)
    (other,) = plan(small(epochs=9), tmp_path, [], [], [], 1)
    with pytest.raises(TrainError, match="was trained with other values of epochs; use another folder"):
        is_finished(other)


@pytest.mark.parametrize(
    ("log", "code", "sentence"),
    [
        ("epoch 1\nerror: ratio is bad\n", 2, "ratio is bad"),
        ("epoch 1\n", -9, "the training was killed by SIGKILL; its last line: epoch 1"),
        (
            "  0%\r 50%\rImportError: none\n\n",
            1,
            "the training ended with exit code 1; its last line: ImportError: none",
        ),
        ("", 1, "the training ended with exit code 1; its last line: none"),
    ],
)
def test_why_a_training_failed(log: str, code: int, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "train.log").write_text(log)
    assert failure(tmp_path / "train.log", code) == sentence


def run_sweep(out: Path, preset: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sca_train.sweep", "--config", str(preset), "--out", str(out), *arguments]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=environment)


@needs_ray
def test_a_failed_trial_loses_nothing_and_finished_ones_are_skipped(tmp_path: Path) -> None:
    preset, out = tmp_path / "small.toml", tmp_path / "sweep"
    preset.write_text(config_to_toml(TrainConfig(**{**vars(SMALL), "epochs": 2, "finetune": 1})))
    done = run_sweep(out, preset, "--ratios", f"0.5 {TOO_MUCH}")
    assert done.returncode == 1, done.stderr
    good, bad = "ratio0.5-prune-regrow-membrane-seed0", f"ratio{TOO_MUCH}-prune-regrow-membrane-seed0"
    assert [line for line in done.stderr.splitlines() if line] == [done.stderr.strip()]
    assert done.stderr.startswith(f"error: {bad}: ratio {TOO_MUCH} leaves 1 of 112 channels")
    assert f"{good}: trained" in done.stdout and f"{bad}: failed" in done.stdout
    rows = json.loads((out / "sweep.json").read_text())["trials"]
    metrics = json.loads((out / good / "metrics.json").read_text())
    assert [(row["trial"], row["state"]) for row in rows] == [(good, "trained"), (bad, "failed")]
    assert rows[0]["accuracy"] == metrics["accuracy"] and rows[0]["params"] == metrics["params"]["compact"]
    assert rows[1]["accuracy"] is None and "leaves 1 of 112 channels" in rows[1]["error"]
    with (out / "sweep.csv").open(newline="") as lines:
        assert [row["trial"] for row in csv.DictReader(lines)] == [good, bad]
    # Nothing is left to train, so Ray is not even started.
    again = run_sweep(out, preset, "--ratios", "0.5")
    assert (again.returncode, again.stderr) == (0, "")
    assert "1 trials, 1 of them finished before" in again.stdout
    assert json.loads((out / good / "metrics.json").read_text()) == metrics
