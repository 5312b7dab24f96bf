"""How far a run's network is pruned: what advice on fitting a board is scaled from, and what the report calls ratio."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codegen.run_folder import RunFolder, read_json


@dataclass(frozen=True)
class Pruning:
    """Fraction of the channels that pruning removed, in [0, 1), and bits of a weight."""

    ratio: float
    weight_bits: int


UNPRUNED = Pruning(ratio=0.0, weight_bits=4)
"""What a network without a configuration is taken for."""


def pruning_of(run: RunFolder) -> Pruning:
    """Pruning of a run's network, from config.toml and, where a board's memory decided, metrics.json.

    Raises RunFolderError for damaged metrics.
    """
    file, metrics = run.path / "config.toml", run.path / "metrics.json"
    if not file.exists():
        return UNPRUNED
    config = tomllib.loads(file.read_text())
    ratio = float(config.get("ratio", UNPRUNED.ratio))
    if config.get("budget") and metrics.exists():
        ratio = reached_ratio(ratio, str(config["budget"]), read_json(metrics))
    return Pruning(ratio, int(config.get("weight_bits", UNPRUNED.weight_bits)))


def reached_ratio(configured: float, budget: str, metrics: Mapping[str, Any]) -> float:
    """The configured ratio, or under a budget (a board's name) the one that the training came to."""
    return float(metrics.get("ratio", configured)) if budget else configured
