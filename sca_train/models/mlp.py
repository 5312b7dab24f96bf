"""mlp: fully connected spiking layers, by default 64-64-10 on the 64 pixels of a digit."""

from __future__ import annotations

from sca_train.config import TrainConfig
from sca_train.models.chain import chain
from sca_train.specs import LayerSpec


def mlp(config: TrainConfig) -> tuple[LayerSpec, ...]:
    """One spiking layer per entry of ``config.hidden``."""
    return chain([(f"fc{i}", "linear", width, 1) for i, width in enumerate(config.hidden, start=1)])
