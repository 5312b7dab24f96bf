"""Small networks, folded at random, for the tests of the FINN side."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from bench.networks import integer_layer
from codegen.dialect import FLOAT_BITS, PIXEL_BITS
from codegen.network import IntegerConnection, IntegerLayer, IntegerNetwork
from codegen.neurons import NEURONS, ResetKind
from sca_train.specs import IMAGE


def mini(seed: int = 0, timesteps: int = 4) -> IntegerNetwork:
    """Three convolutions with pooling and a read-out on 8x8 images."""
    rng = np.random.default_rng(seed)
    layers = (
        integer_layer(rng, "conv1", IMAGE, (4, 1, 3, 3), bits=8, padding=1, pool=2),
        integer_layer(rng, "conv2", "conv1", (6, 4, 3, 3), padding=1, pool=2, neuron="LIF", half_start=True),
        integer_layer(rng, "conv3", "conv2", (8, 6, 3, 3), padding=1, reset="soft"),
        integer_layer(rng, "readout", "conv3", (10, 8 * 2 * 2), neuron="none"),
    )
    return IntegerNetwork((8, 8, 1), True, timesteps, 4, 10, layers)


def map_sum(seed: int = 0, timesteps: int = 4) -> IntegerNetwork:
    """A pooled and a plain convolution on 8x8 images, and a read-out that sums the 4x4 map before its weights."""
    rng = np.random.default_rng(seed)
    layers = (
        integer_layer(rng, "conv1", IMAGE, (4, 1, 3, 3), bits=8, padding=1, pool=2, half_start=True),
        integer_layer(rng, "conv2", "conv1", (6, 4, 3, 3), padding=1, reset="soft", half_start=True),
        integer_layer(rng, "readout", "conv2", (10, 6), neuron="none", map_pixels=16),
    )
    return IntegerNetwork((8, 8, 1), True, timesteps, 4, 10, layers)


def summed(seed: int = 0, timesteps: int = 4) -> IntegerNetwork:
    """Convolutions with sum pooling, of kernels 5, 3 and 1 and strides 1 and 2, on 12x12 images."""
    rng = np.random.default_rng(seed)
    layers = (
        integer_layer(rng, "conv1", IMAGE, (4, 1, 5, 5), bits=8, padding=2, pool=2, pool_kind="avg"),
        integer_layer(rng, "conv2", "conv1", (6, 4, 3, 3), padding=1, neuron="LIF", half_start=True),
        integer_layer(rng, "conv3", "conv2", (4, 6, 1, 1), reset="soft", pool=3, pool_kind="avg"),
        integer_layer(rng, "conv4", "conv3", (6, 4, 1, 1), stride=2),
        integer_layer(rng, "readout", "conv4", (10, 6), neuron="none"),
    )
    return IntegerNetwork((12, 12, 1), True, timesteps, 4, 10, layers)


def events(seed: int = 0, timesteps: int = 3) -> IntegerNetwork:
    """A sum-pooled and a plain convolution on 8x8 event frames, and a read-out that sums the 4x4 map."""
    rng = np.random.default_rng(seed)
    layers = (
        integer_layer(rng, "conv1", IMAGE, (4, 2, 3, 3), bits=8, padding=1, pool=2, pool_kind="avg", half_start=True),
        integer_layer(rng, "conv2", "conv1", (6, 4, 3, 3), padding=1, neuron="LIF", reset="soft"),
        integer_layer(rng, "readout", "conv2", (10, 6), neuron="none", map_pixels=16),
    )
    return IntegerNetwork((8, 8, 2), False, timesteps, 4, 10, layers)


def residual(
    seed: int = 0, *, before_addition: bool, timesteps: int = 4, static: bool = True, neuron: str = "IF",
    reset: ResetKind = "hard", half_start: bool = False,
) -> IntegerNetwork:  # fmt: skip
    """Two residual blocks on 8x8 images or event frames, the second with a projection of stride 2, and sum pooling.

    ``before_addition``: neurons before the additions, as in a PreResNet; the sum of the stem goes on to that of block1.
    """
    rng = np.random.default_rng(seed)
    kind = {"neuron": neuron, "reset": reset, "half_start": half_start}
    stem = integer_layer(rng, "stem", IMAGE, (4, 2, 3, 3), bits=8, padding=1, **kind)
    inner1 = integer_layer(rng, "block1a", "stem", (4, 4, 3, 3), padding=1, **kind)
    block1 = integer_layer(rng, "block1", "block1a", (4, 4, 3, 3), padding=1, **kind)
    if before_addition:
        block1 = replace(block1, residual="stem", threshold=block1.threshold + stem.threshold)
    else:
        identity = IntegerConnection("block1_identity", "stem", "identity", None, 1, 1, 0, 4)
        block1 = replace(block1, inputs=(*block1.inputs, identity))
    inner2 = integer_layer(rng, "block2a", "block1", (6, 4, 3, 3), padding=1, stride=2, **kind)
    block2 = integer_layer(rng, "block2", "block2a", (6, 6, 3, 3), padding=1, pool=4, pool_kind="avg", **kind)
    shortcut = IntegerConnection("block2_shortcut", "block1", "conv", rng.integers(-7, 8, (6, 4, 1, 1)), 4, 2, 0, 2)
    block2 = replace(block2, inputs=(*block2.inputs, shortcut), sign=np.array([1, -1, 0, 1, -1, 1]))
    readout = integer_layer(rng, "readout", "block2", (10, 6), neuron="none")
    return IntegerNetwork((8, 8, 2), static, timesteps, 4, 10, (stem, inner1, block1, inner2, block2, readout))


def vgg16(ratio: float) -> IntegerNetwork:
    """The shape of VGG16 for CIFAR with (1 - ratio) of its channels."""
    rng = np.random.default_rng(0)
    layers: list[IntegerLayer] = []
    channels = 3
    for block, (width, depth) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), start=1):
        for position in range(1, depth + 1):
            out = int(width * (1 - ratio))
            pool = 2 if position == depth else 1
            name, bits = f"conv{block}_{position}", 4 if layers else 8
            shape = (out, channels, 3, 3)
            layers.append(integer_layer(rng, name, _source(layers), shape, padding=1, pool=pool, bits=bits))
            channels = out
    layers.append(integer_layer(rng, "readout", _source(layers), (10, channels), neuron="none"))
    return IntegerNetwork((32, 32, 3), True, 4, 4, 10, tuple(layers))


@st.composite
def networks(draw: st.DrawFn) -> IntegerNetwork:
    """Convolutions (also 1x1, strided, padded, pooled both ways) and linear layers, all neurons, T up to 24.

    The first layer reads an image, or where FINN's float32 holds them event frames.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    timesteps = draw(st.sampled_from([1, 2, 3, 4, 6, 8, 16, 24]))
    channels, height, width = draw(st.integers(1, 3)), draw(st.integers(3, 7)), draw(st.integers(3, 7))
    input_shape = (height, width, channels)
    layers: list[IntegerLayer] = []
    for index in range(draw(st.integers(0, 3))):
        kernel = draw(st.integers(1, min(3, height, width)))
        stride, padding = draw(st.integers(1, 2)), draw(st.integers(0, kernel // 2))
        out_height, out_width = ((size + 2 * padding - kernel) // stride + 1 for size in (height, width))
        # FINN's sliding window wants more than one window in each direction of a 2-D map.
        if min(height, width) + 2 * padding < 2:
            break
        pool = draw(st.integers(1, min(2, out_height, out_width)))
        out = draw(st.sampled_from([1, 2, 3, 4, 6]))
        kinds = ["max", "avg"] if timesteps * (pool**2).bit_length() <= FLOAT_BITS else ["max"]
        options = {"stride": stride, "padding": padding, "pool": pool, "pool_kind": draw(st.sampled_from(kinds))}
        layers.append(_drawn(draw, rng, f"conv{index}", _source(layers), (out, channels, kernel, kernel), **options))
        channels, height, width = out, out_height // pool, out_width // pool
    inputs = channels * height * width
    map_pixels = height * width if layers and draw(st.booleans()) else 1
    for index in range(draw(st.integers(0, 2)) if map_pixels == 1 else 0):
        out = draw(st.sampled_from([1, 4, 6]))
        layers.append(_drawn(draw, rng, f"fc{index}", _source(layers), (out, inputs)))
        inputs = out
    if not layers:
        layers.append(_drawn(draw, rng, "fc", IMAGE, (4, inputs)))
        inputs = 4
    classes = draw(st.integers(2, 4))
    layers.append(
        integer_layer(
            rng, "readout", _source(layers), (classes, inputs // map_pixels), neuron="none", map_pixels=map_pixels
        )
    )
    static = timesteps * PIXEL_BITS > FLOAT_BITS or draw(st.booleans())
    return IntegerNetwork(input_shape, static, timesteps, 4, classes, tuple(layers))


def _source(layers: list[IntegerLayer]) -> str:
    return layers[-1].name if layers else IMAGE


def _drawn(draw, rng, name, source, shape, **options):
    return integer_layer(
        rng,
        name,
        source,
        shape,
        neuron=draw(st.sampled_from(list(NEURONS))),
        reset=draw(st.sampled_from(["hard", "soft"])),
        half_start=draw(st.booleans()),
        bits=draw(st.sampled_from([2, 4, 8])),
        **options,
    )


def write_json(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path
