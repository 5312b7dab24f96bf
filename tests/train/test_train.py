"""The loop: bit-identical resume, files of a finished run, and checkpoints that are rejected."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from sca_train.checkpoint import load_checkpoint
from sca_train.config import TrainConfig, changed_options
from sca_train.configured import load_config
from sca_train.data import load_dataset
from sca_train.errors import TrainError
from sca_train.measure.measurement import measure
from sca_train.network import Network
from sca_train.optimizer import learning_rate
from sca_train.pruning.compact import COMPACT_FILE, load_compact
from sca_train.train import CHECKPOINT_FILE, METRICS_FILE, train
from tests.train.conftest import small


def equal(left: object, right: object) -> bool:
    """Whether two nested checkpoints hold the same bits."""
    if isinstance(left, torch.Tensor):
        return isinstance(right, torch.Tensor) and torch.equal(left, right)
    if isinstance(left, dict):
        return isinstance(right, dict) and left.keys() == right.keys() and all(equal(left[k], right[k]) for k in left)
    if isinstance(left, list | tuple):
        return isinstance(right, list | tuple) and len(left) == len(right) and all(map(equal, left, right))
    return left == right


def untimed(saved: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint without what depends on the machine's speed and memory."""
    for entry in (saved, *saved["history"]):
        for key in ("seconds", "images_per_second", "peak_memory_mib"):
            entry.pop(key, None)
    return saved


def straight_and_paused(config: TrainConfig, folder: Path, pauses: Iterable[int]) -> tuple[Path, Path]:
    """Runs of a training without and with pauses after so many epochs, which end in the same bits."""
    straight, paused = folder / "straight", folder / "paused"
    train(config, straight)
    for pause in pauses:
        assert train(config, paused, stop_after=pause) is None
    train(config, paused)
    saved = [torch.load(run / CHECKPOINT_FILE, weights_only=True) for run in (straight, paused)]
    assert equal(*map(untimed, saved))
    assert (straight / COMPACT_FILE).read_bytes() == (paused / COMPACT_FILE).read_bytes()
    return straight, paused


@pytest.mark.parametrize("pause", [1, 2, 3])
def test_resume_is_bit_identical(pause: int, finished_run: Path, tmp_path: Path) -> None:
    """Two epochs search and two fine-tune: the pauses lie inside the search, at its end, and behind it."""
    run = tmp_path / "run"
    assert train(small(), run, stop_after=pause) is None
    assert not (run / METRICS_FILE).exists()
    train(small(), run)
    straight, resumed = (torch.load(folder / CHECKPOINT_FILE, weights_only=True) for folder in (finished_run, run))
    assert straight["compacted"]
    assert equal(untimed(straight), untimed(resumed))
    assert (run / "compact.safetensors").read_bytes() == (finished_run / "compact.safetensors").read_bytes()


KILLED_TRAINING = """
import os, signal, sys
from pathlib import Path
import sca_train.train
from tests.train.conftest import small

owner, name, calls = getattr(sca_train.train, sys.argv[1], sca_train.train), sys.argv[2], int(sys.argv[3])
original = getattr(owner, name)

def call(*arguments):
    global calls
    calls -= 1
    if calls == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments)

setattr(owner, name, call)
sca_train.train.train(small(), Path(sys.argv[4]))
"""


@pytest.mark.parametrize(
    ("owner", "function", "calls"),
    [("Tally", "add", step) for step in (1, 6, 8, 11, 16)] + [("", "save_checkpoint", 2), ("", "write_results", 1)],
)
def test_killed_anywhere_it_resumes_to_the_same_network(
    owner: str, function: str, calls: int, finished_run: Path, tmp_path: Path
) -> None:
    """Four steps an epoch, so that the kills lie in the search and in fine-tuning, in, before and behind epochs."""
    run = tmp_path / "run"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_TRAINING, owner or "-", function, str(calls), str(run)],
        capture_output=True, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
    assert not (run / METRICS_FILE).exists()
    train(small(), run)
    for name in ("compact.safetensors", "config.toml"):
        assert (run / name).read_bytes() == (finished_run / name).read_bytes()


def test_finished_run_holds_config_metrics_and_network(finished_run: Path) -> None:
    assert load_config(finished_run / "config.toml") == small()
    metrics = json.loads((finished_run / METRICS_FILE).read_text())
    assert [entry["epoch"] for entry in metrics["history"]] == [1, 2, 3, 4]
    assert [entry["sparsity"] for entry in metrics["history"]] == pytest.approx([0.5] * 4)
    channels = metrics["channels"]
    assert sum(dense for dense, _ in channels.values()) == 112
    assert sum(left for _, left in channels.values()) == 56
    assert metrics["params"]["compact"] < metrics["params"]["dense"]
    assert metrics["synops"]["compact"] == pytest.approx(sum(pair[1] for pair in metrics["synops_per_layer"].values()))
    config, network = load_compact(finished_run)
    dataset = load_dataset(config)
    again = measure(network, dataset.test_images, dataset.test_labels, torch.device("cpu"))
    assert again.accuracy == metrics["accuracy"]
    assert again.images == metrics["images"] == 359
    assert not [path.name for path in finished_run.iterdir() if path.name.startswith(".")]


def test_training_learns(tmp_path: Path) -> None:
    config = small(model="mlp", ratio=0.0, train_images=0, epochs=8, finetune=0, timesteps=8)
    metrics = train(config, tmp_path / "run")
    assert metrics is not None
    assert metrics["accuracy"] > 0.85
    assert metrics["channels"] == {"fc1": [64, 64]}
    assert metrics["params"]["dense"] == metrics["params"]["compact"]


def test_no_epochs_prunes_and_calibrates(tmp_path: Path) -> None:
    metrics = train(small(epochs=0, finetune=0), tmp_path / "run")
    assert metrics is not None
    assert metrics["history"] == []
    assert metrics["accuracies"].keys() == {"dense", "masked", "compact"}
    assert sum(left for _, left in metrics["channels"].values()) == 56
    assert all(0.01 < rate < 0.99 for rate in metrics["firing"].values())


def test_damaged_and_foreign_checkpoints_are_rejected(finished_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    content = (finished_run / CHECKPOINT_FILE).read_bytes()
    (run / CHECKPOINT_FILE).write_bytes(content)
    with pytest.raises(TrainError, match="was trained with other values of lr, seed; use another run folder"):
        train(replace(small(), lr=0.1, seed=3), run)
    (run / CHECKPOINT_FILE).write_bytes(content[: len(content) // 2])
    with pytest.raises(TrainError, match=r"checkpoint .* cannot be read .*--restart trains anew"):
        train(small(), run)


def test_options_younger_than_a_checkpoint_were_at_their_defaults(finished_run: Path) -> None:
    saved = load_checkpoint(finished_run / CHECKPOINT_FILE, small())["config"]
    del saved["channel_multiple"]
    assert changed_options(saved, small()) == []
    assert changed_options(saved, replace(small(), channel_multiple=4)) == ["channel_multiple"]


def test_learning_rate_falls_twice() -> None:
    config = small(epochs=10, finetune=4)
    rates = [learning_rate(config, epoch, 0.5) for epoch in range(10)]
    assert rates[0] > rates[5] > 0
    assert rates[6] > rates[5]
    assert rates[6] > rates[9] > 0


def test_bf16_trains_in_bf16_and_measures_in_float32(tmp_path: Path) -> None:
    seen: set[torch.dtype] = set()

    def note(_module: torch.nn.Module, _inputs: object, output: torch.Tensor) -> None:
        seen.add(output.dtype)

    original = Network.__init__

    def noting(self: Network, *arguments: object) -> None:
        original(self, *arguments)  # type: ignore[arg-type]
        self.layer("conv2").connections["conv2"].register_forward_hook(note)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Network, "__init__", noting)
        metrics = train(small(bf16="on", epochs=2, finetune=1, train_images=100), tmp_path / "run")
    assert metrics is not None
    assert torch.bfloat16 in seen
    assert torch.float32 in seen
