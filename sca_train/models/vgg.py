"""vgg16, vgg11, vgg9, vgg7: the CIFAR forms of VGG with batch norm (Simonyan and Zisserman, 2015), 3x3 convolutions."""

from __future__ import annotations

from dataclasses import replace

from sca_train.config import TrainConfig
from sca_train.models.chain import chain
from sca_train.models.width import widened
from sca_train.specs import LayerSpec

# Convolutions of each stage, which 2x2 max pooling closes.
_STAGES = {
    "vgg16": ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512)),
    "vgg11": ((64,), (128,), (256, 256), (512, 512), (512, 512)),
    "vgg9": ((64, 64), (128, 128), (256, 256)),
    "vgg7": ((64, 64), (128, 128), (208, 208)),
}
# Fully connected spiking layers between the convolutions and the read-out; the CIFAR forms of the deep ones have none.
_HIDDEN = {"vgg16": (), "vgg11": (), "vgg9": (256, 256), "vgg7": ()}
_GLOBAL_SUM = ("vgg7",)
"""Networks whose read-out has one weight per channel and class and reads the mean over the map."""


def vgg(config: TrainConfig) -> tuple[LayerSpec, ...]:
    """The configured VGG: vgg16 and vgg11 leave a 32x32 image one pixel for the read-out, the others 4x4."""
    convolutions = [
        (widened(channels, config), 2 if position == len(stage) - 1 else 1)
        for stage in _STAGES[config.model]
        for position, channels in enumerate(stage)
    ]
    hidden = [widened(neurons, config) for neurons in _HIDDEN[config.model]]
    layers = chain(
        [
            *((f"conv{i}", "conv", channels, pool) for i, (channels, pool) in enumerate(convolutions, start=1)),
            *((f"fc{i}", "linear", neurons, 1) for i, neurons in enumerate(hidden, start=1)),
        ]
    )
    return (*layers[:-1], replace(layers[-1], global_sum=config.model in _GLOBAL_SUM))
