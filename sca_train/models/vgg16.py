"""vgg16: the CIFAR form of VGG16 with batch norm, thirteen 3x3 convolutions and one fully connected layer."""

from __future__ import annotations

from sca_train.config import TrainConfig
from sca_train.network import LayerSpec

_STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def vgg16(config: TrainConfig) -> tuple[LayerSpec, ...]:
    """Five stages, each closed by 2x2 max pooling; 32x32 images leave 512 single pixels to the read-out."""
    layers: list[LayerSpec] = []
    for stage in _STAGES:
        for position, channels in enumerate(stage):
            pool = 2 if position == len(stage) - 1 else 1
            layers.append(LayerSpec(f"conv{len(layers) + 1}", "conv", channels, pool=pool))
    return tuple(layers)
