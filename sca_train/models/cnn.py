"""cnn: a chain of 3x3 convolutions as the option ``stages`` names them, read out behind a global sum."""

from __future__ import annotations

from dataclasses import replace

from sca_train.config import TrainConfig
from sca_train.models.chain import chain
from sca_train.models.width import widened
from sca_train.specs import LayerSpec
from sca_train.stages import parse_stages


def cnn(config: TrainConfig) -> tuple[LayerSpec, ...]:
    """The configured chain; ``width`` scales it like any other network."""
    layers = chain(
        [
            (f"conv{number}", "conv", widened(channels, config), pool)
            for number, (channels, pool) in enumerate(parse_stages(config.stages), start=1)
        ]
    )
    return (*layers[:-1], replace(layers[-1], global_sum=True))
