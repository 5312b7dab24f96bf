"""The width multiplier, which scales every layer of a network."""

from __future__ import annotations

from sca_train.config import TrainConfig


def widened(channels: int, config: TrainConfig) -> int:
    """``channels`` times ``config.width``, rounded, at least one."""
    return max(1, round(channels * config.width))
