"""Residual networks for CIFAR: resnet20/18 (neurons behind the additions), preresnet20/18 (neurons before them).

ResNet: He et al., "Deep Residual Learning for Image Recognition" (2016); depth 20 is its CIFAR network, depth 18 its
ImageNet one with a 3x3 stem and no first pooling, as usual on CIFAR. PreResNet: He et al., "Identity Mappings in Deep
Residual Networks" (2016). A shortcut that halves the map is a 1x1 convolution.

With x the spikes behind the block before, s its sum, BN batch norm and SN spiking neurons, a block computes

    ResNet      spikes = SN(BN(conv2(SN(BN(conv1(x)))) + x))
    PreResNet   sum    = conv2(SN(BN(conv1(x)))) + s,   x = SN(BN(s))

so both have two layers a block: ``block1a`` is what follows conv1, ``block1`` what follows conv2 and the addition. In a
PreResNet ``stem`` and each ``blockN`` thereby hold the first batch norm and neurons of the block after them.
"""

from __future__ import annotations

from dataclasses import replace

from sca_train.config import TrainConfig
from sca_train.models.width import widened
from sca_train.specs import IMAGE, ConnectionSpec, LayerSpec

# Channels of each stage, and its blocks.
_STAGES = {
    "20": ((16, 3), (32, 3), (64, 3)),
    "18": ((64, 2), (128, 2), (256, 2), (512, 2)),
}


def resnet(config: TrainConfig) -> tuple[LayerSpec, ...]:
    """The configured ResNet or PreResNet; an average pooling of the whole map closes it.

    All layers that add to, or read, the sums of one stage prune the same channels.
    """
    stages = _STAGES[config.model[-2:]]
    before_addition = config.model.startswith("pre")
    channels = [widened(width, config) for width, _ in stages]
    layers = [LayerSpec("stem", channels[0], (ConnectionSpec("stem", IMAGE),), group="stage1")]
    blocks = 0
    for stage, (_, count) in enumerate(stages):
        for position in range(count):
            blocks += 1
            halves = stage > 0 and position == 0
            layers += _block(f"block{blocks}", layers[-1].name, channels[stage], stage + 1, halves, before_addition)
    side = config.image_size // 2 ** (len(stages) - 1)
    layers[-1] = replace(layers[-1], pool=side, pool_kind="avg")
    return tuple(layers)


def _block(
    name: str, source: str, channels: int, stage: int, halves: bool, before_addition: bool
) -> tuple[LayerSpec, LayerSpec]:
    """The two layers of one block behind ``source``."""
    stride = 2 if halves else 1
    inner = LayerSpec(f"{name}a", channels, (ConnectionSpec(f"{name}a", source, stride=stride),))
    inputs = [ConnectionSpec(name, inner.name)]
    residual = ""
    if halves:
        inputs.append(ConnectionSpec(f"{name}_shortcut", source, kernel=1, stride=2))
    elif before_addition:
        residual = source
    else:
        inputs.append(ConnectionSpec(f"{name}_identity", source, "identity"))
    return inner, LayerSpec(name, channels, tuple(inputs), residual, group=f"stage{stage}")
