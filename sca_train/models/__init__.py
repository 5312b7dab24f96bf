"""The networks: each family returns its layers as a tuple of LayerSpec; adding one is a file and a line here."""

from __future__ import annotations

from sca_train.config import TrainConfig
from sca_train.models.cnn import cnn
from sca_train.models.dvs import dvs
from sca_train.models.imported import imported
from sca_train.models.mini import mini
from sca_train.models.mlp import mlp
from sca_train.models.resnet import resnet
from sca_train.models.vgg import vgg
from sca_train.specs import LayerSpec

_FAMILIES = {
    "mini": mini,
    "mlp": mlp,
    "cnn": cnn,
    "vgg7": vgg,
    "vgg9": vgg,
    "vgg11": vgg,
    "vgg16": vgg,
    "resnet18": resnet,
    "resnet20": resnet,
    "preresnet18": resnet,
    "preresnet20": resnet,
    "dvs": dvs,
    "imported": imported,
}


def model_layers(config: TrainConfig) -> tuple[LayerSpec, ...]:
    """Spiking layers of the configured network before pruning; the read-out follows them."""
    return _FAMILIES[config.model](config)
