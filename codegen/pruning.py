"""How far a run's network is pruned: what advice on fitting a board is scaled from, and what the report calls ratio."""

from __future__ import annotations

from dataclasses import dataclass

from codegen.run_folder import RunFolder
from sca_train.measure.metrics_file import Metrics, read_metrics
from sca_train.run_config import load_run_config


@dataclass(frozen=True)
class Pruning:
    """Fraction of the channels that pruning removed, in [0, 1), and bits of a weight."""

    ratio: float
    weight_bits: int


UNPRUNED = Pruning(ratio=0.0, weight_bits=4)
"""What a network without a configuration is taken for."""


def pruning_of(run: RunFolder) -> Pruning:
    """Pruning of a run's network, from config.toml and, where a board's memory decided, metrics.json.

    Raises TrainError where one of them is damaged.
    """
    file, metrics = run.path / "config.toml", run.path / "metrics.json"
    if not file.exists():
        return UNPRUNED
    config = load_run_config(run.path)
    ratio = config.ratio
    if config.budget and metrics.exists():
        ratio = reached_ratio(ratio, config.budget, read_metrics(run.path))
    return Pruning(ratio, config.weight_bits)


def reached_ratio(configured: float, budget: str, metrics: Metrics) -> float:
    """The configured ratio, or under a budget (a board's name) the one that the training came to."""
    return metrics.ratio if budget else configured
