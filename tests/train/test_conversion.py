"""Trainings that begin with the rate-equivalent network: passages, pruning, and resume."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from sca_train.config import TrainConfig
from sca_train.data import load_dataset
from sca_train.measure.measurement import measure
from sca_train.optimizer import learning_rate, phases
from sca_train.pruning.compact import COMPACT_FILE, load_compact
from sca_train.train import CHECKPOINT_FILE, METRICS_FILE, train
from tests.train.conftest import small
from tests.train.test_train import equal, untimed


def rated(**changes: object) -> TrainConfig:
    """Two epochs search and two fine-tune; the first three train rates."""
    return small(**{"reset": "soft", "v_init": 0.5, "rate_epochs": 3, "gradients": "bf16", **changes})


@pytest.fixture(scope="module")
def rated_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "rated"
    train(rated(), run)
    return run


def test_the_accuracy_at_each_passage_is_written(rated_run: Path) -> None:
    metrics = json.loads((rated_run / METRICS_FILE).read_text())
    assert metrics["accuracies"].keys() == {"dense", "masked", "rates", "converted", "compact"}
    config, network = load_compact(rated_run)
    dataset = load_dataset(config)
    again = measure(network, dataset.test_images, dataset.test_labels, torch.device("cpu"))
    assert again.accuracy == metrics["accuracies"]["compact"] == metrics["accuracy"]
    channels = metrics["channels"]
    assert sum(left for _, left in channels.values()) == 56


def test_without_spiking_epochs_the_network_is_converted_at_the_end(tmp_path: Path) -> None:
    metrics = train(rated(rate_epochs=4, kernels="off"), tmp_path / "run")
    assert metrics is not None
    assert metrics["accuracies"]["converted"] == metrics["accuracy"]
    config, network = load_compact(tmp_path / "run")
    dataset = load_dataset(config)
    network.use_rates(True)
    as_rates = measure(network, dataset.test_images, dataset.test_labels, torch.device("cpu"))
    assert as_rates.accuracy == metrics["accuracies"]["rates"]
    assert as_rates.total_synops == pytest.approx(metrics["synops"]["compact"], rel=0.2)


def test_rates_learn_and_most_of_it_survives_the_conversion(tmp_path: Path) -> None:
    config = rated(
        model="mini", image_size=16, ratio=0.0, train_images=0, eval_images=0, epochs=6, rate_epochs=6, finetune=0
    )
    metrics = train(config, tmp_path / "run")
    assert metrics is not None
    accuracies = metrics["accuracies"]
    assert accuracies["rates"] > 0.85
    assert accuracies["converted"] > accuracies["rates"] - 0.15


@pytest.mark.parametrize("pause", [1, 2, 3])
def test_resume_is_bit_identical_around_the_conversion(pause: int, rated_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert train(rated(), run, stop_after=pause) is None
    train(rated(), run)
    straight, resumed = (torch.load(folder / CHECKPOINT_FILE, weights_only=True) for folder in (rated_run, run))
    assert equal(untimed(straight), untimed(resumed))
    assert (run / COMPACT_FILE).read_bytes() == (rated_run / COMPACT_FILE).read_bytes()
    accuracies = [json.loads((folder / METRICS_FILE).read_text())["accuracies"] for folder in (rated_run, run)]
    assert accuracies[0] == accuracies[1]


def test_each_phase_has_its_own_peak() -> None:
    config = rated(epochs=10, finetune=6, rate_epochs=7, lr=0.1, finetune_lr=0.5, spiking_lr=0.1, warm_up=0.0)
    assert [(phase.first, phase.last) for phase in phases(config)] == [(0, 4), (4, 7), (7, 10)]
    assert [phase.peak for phase in phases(config)] == pytest.approx([0.1, 0.05, 0.005])
    assert learning_rate(config, 7, 0.0) == pytest.approx(0.005)
    dense = rated(epochs=10, finetune=0, ratio=0.0, rate_epochs=10, lr=0.1)
    assert [(phase.first, phase.last, phase.peak) for phase in phases(dense)] == [(0, 10, 0.1)]
