"""dvs: 64C3-AP2-128C3-AP2-128C3-AP2-256C3-AP2-256C3-AP2-10FC, for event frames (Li et al., ICML 2024, CIFAR10-DVS)."""

from __future__ import annotations

from sca_train.config import TrainConfig
from sca_train.models.chain import chain
from sca_train.models.width import widened
from sca_train.specs import LayerSpec

_CHANNELS = (64, 128, 128, 256, 256)


def dvs(config: TrainConfig) -> tuple[LayerSpec, ...]:
    """Five convolutions, each closed by 2x2 average pooling; the image side is a multiple of 32."""
    return chain([(f"conv{i}", "conv", widened(c, config), 2) for i, c in enumerate(_CHANNELS, start=1)], "avg")
