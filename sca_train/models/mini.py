"""mini: 16C3-MP2-32C3-MP2-64C3-MP2-FC, small enough for a demonstration on two cores."""

from __future__ import annotations

from sca_train.config import TrainConfig
from sca_train.models.chain import chain
from sca_train.specs import LayerSpec


def mini(config: TrainConfig) -> tuple[LayerSpec, ...]:
    """Three convolutions with 2x2 max pooling; the image side is a multiple of 8."""
    return chain([(f"conv{i}", "conv", channels, 2) for i, channels in enumerate((16, 32, 64), start=1)])
