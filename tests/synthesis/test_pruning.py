"""The ratio that advice and report name: the configured one, or under a budget the one that was reached."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codegen.fit import Resources, advise
from codegen.pruning import UNPRUNED, Pruning, pruning_of
from codegen.run_folder import RunFolder
from fpga.boards import get_board
from sca_train.config import TrainConfig, config_to_toml
from sca_train.errors import TrainError
from tests.report.run_folders import METRICS


def reached(ratio: float) -> str:
    return json.dumps({**METRICS, "ratio": ratio})


def folder(path: Path, metrics: str | None = None, **options: object) -> RunFolder:
    (path / "config.toml").write_text(config_to_toml(TrainConfig(**options)))  # type: ignore[arg-type]
    if metrics is not None:
        (path / "metrics.json").write_text(metrics)
    return RunFolder(path)


def test_a_ratio_that_was_asked_for_stays_what_was_asked_for(tmp_path: Path) -> None:
    run = folder(tmp_path, reached(0.7997), ratio=0.8, weight_bits=2)
    assert pruning_of(run) == Pruning(0.8, 2)


def test_under_a_budget_it_is_what_the_training_came_to(tmp_path: Path) -> None:
    run = folder(tmp_path, reached(0.625), budget="Pynq-Z2")
    assert pruning_of(run) == Pruning(0.625, 4)


def test_advice_names_a_ratio_above_the_reached_one(tmp_path: Path) -> None:
    """A network that a budget pruned to 0.625 and that takes 1.13 times the board's LUTs needs 0.65, scaled from there.

    From the configured default of 0.5 the same figures would ask for 0.55: fewer channels pruned than there are.
    """
    pruning = pruning_of(folder(tmp_path, reached(0.625), budget="Pynq-Z2"))
    sentence = advise(Resources(60_000, 0, 0, 0), get_board("Pynq-Z2"), pruning.ratio, pruning.weight_bits)
    assert "RATIO=0.65," in sentence


def test_a_network_without_configuration_is_unpruned(tmp_path: Path) -> None:
    assert pruning_of(RunFolder(tmp_path)) == UNPRUNED


def test_damaged_files_are_one_sentence(tmp_path: Path) -> None:
    run = folder(tmp_path, "{", budget="Pynq-Z2")
    with pytest.raises(
        TrainError, match=r"metrics\.json is damaged \(.*; run `make train RUN=.*` with its options again$"
    ):
        pruning_of(run)
    for content in (b"ratio = ", b"ratio = 'much'", b"\xff"):
        (run.path / "config.toml").write_bytes(content)
        with pytest.raises(TrainError, match=r"config\.toml"):
            pruning_of(run)
