"""How far a run's network is pruned: what advice on fitting a board is scaled from, and what the report calls ratio."""

from __future__ import annotations

from dataclasses import dataclass

from codegen.metrics import METRICS_FILE, Metrics, read_metrics
from codegen.run_folder import RunFolder
from sca_train.config import CONFIG_FILE, TrainConfig, load_config


@dataclass(frozen=True)
class Pruning:
    """Fraction of the channels that pruning removed, in [0, 1), and bits of a weight."""

    ratio: float
    weight_bits: int


UNPRUNED = Pruning(ratio=0.0, weight_bits=4)
"""What a network without a configuration is taken for."""


def pruning_of(run: RunFolder) -> Pruning:
    """Pruning of a run's network, from config.toml and, where a board's memory decided, metrics.json.

    Raises RunFolderError for damaged metrics, TrainError for a damaged configuration.
    """
    file = run.path / CONFIG_FILE
    if not file.exists():
        return UNPRUNED
    config = load_config(file)
    reached = config.budget and (run.path / METRICS_FILE).exists()
    return Pruning(reached_ratio(config, read_metrics(run)) if reached else config.ratio, config.weight_bits)


def reached_ratio(config: TrainConfig, metrics: Metrics) -> float:
    """The configured ratio, or under a budget (a board's name) the one that the training came to."""
    return metrics.ratio if config.budget and metrics.ratio is not None else config.ratio
