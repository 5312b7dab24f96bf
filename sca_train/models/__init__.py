"""The networks: each file returns its layers as a tuple of LayerSpec; adding one is a file and a line here."""

from __future__ import annotations

from sca_train.config import TrainConfig
from sca_train.models.mini import mini
from sca_train.models.mlp import mlp
from sca_train.models.vgg16 import vgg16
from sca_train.network import LayerSpec


def model_layers(config: TrainConfig) -> tuple[LayerSpec, ...]:
    """Spiking layers of the configured network before pruning; the read-out follows them."""
    return {"mini": mini, "mlp": mlp, "vgg16": vgg16}[config.model](config)
