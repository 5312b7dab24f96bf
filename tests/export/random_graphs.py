"""Random networks that are no chains: several connections, identities, residual streams, sum pooling, event frames."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st
from random_networks import drawn_neuron, integer_read_out

from codegen.network import IntegerConnection, IntegerLayer, IntegerNetwork, neuron_fields
from sca_train.description import (
    ConnectionDescription,
    LayerDescription,
    NetworkDescription,
    NeuronDescription,
)
from sca_train.specs import IMAGE


@dataclass(frozen=True)
class _Known:
    """What a new layer may read: the map [channels, h, w] that a source sends, and that of its sum."""

    name: str
    shape: tuple[int, int, int]
    sum_shape: tuple[int, int, int] | None


@st.composite
def integer_graphs(draw: st.DrawFn) -> IntegerNetwork:
    """Up to four layers on maps, each with any earlier ones as sources and summands that give the same map."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    timesteps, frac_bits = draw(st.integers(1, 6)), draw(st.integers(0, 4))
    height, width, channels = draw(st.integers(4, 8)), draw(st.integers(4, 8)), draw(st.integers(1, 2))
    known = [_Known(IMAGE, (channels, height, width), None)]
    layers: list[IntegerLayer] = []
    for index in range(draw(st.integers(1, 4))):
        layer, shape = _layer(draw, rng, f"layer{index}", known, frac_bits)
        layers.append(layer)
        pooled = (shape[0], shape[1] // layer.pool, shape[2] // layer.pool)
        known.append(_Known(layer.name, pooled, shape))
    last = known[-1]
    classes = draw(st.integers(1, 4))
    read_out = integer_read_out(rng, last.name, classes, last.shape, draw(st.booleans()))
    static = draw(st.booleans())
    return IntegerNetwork((height, width, channels), static, timesteps, frac_bits, classes, (*layers, read_out))


def _layer(draw, rng, name, known, frac_bits):
    source = draw(st.sampled_from(known))
    out = draw(st.sampled_from([known[-1].shape[0], 3]))
    connections = [_convolution(draw, rng, f"{name}_main", source, out)]
    shape = (out, *_convolved(connections[0], source.shape))
    for other in known:
        if draw(st.booleans()):
            continue
        if other.shape == shape and draw(st.booleans()):
            factor = 2 ** draw(st.integers(0, 5))
            connections.append(
                IntegerConnection(f"{name}_from_{other.name}", other.name, "identity", None, 1, 1, 0, factor)
            )
        else:
            extra = _convolution(draw, rng, f"{name}_from_{other.name}", other, out)
            if (out, *_convolved(extra, other.shape)) == shape:
                connections.append(extra)
    fitting = [entry.name for entry in known if entry.sum_shape == shape]
    residual = draw(st.sampled_from(["", *fitting]))
    pool = draw(st.integers(1, min(3, *shape[1:])))
    reach = 4 * (255 if source.name == IMAGE else 1) << frac_bits
    layer = IntegerLayer(
        name=name,
        inputs=tuple(connections),
        residual=residual,
        sign=rng.integers(-1, 2, out) if draw(st.booleans()) else np.ones(out, np.int64),
        **neuron_fields(drawn_neuron(draw, frac_bits)),
        bias=rng.integers(-reach, reach + 1, out),
        threshold=rng.integers(-reach // 8, reach, out),
        pool=pool,
        pool_kind=draw(st.sampled_from(["max", "avg"])),
    )
    return layer, shape


def _convolution(draw, rng, name, source, out):
    kernel = draw(st.sampled_from([k for k in (1, 3) if k <= min(source.shape[1:])]))
    weights = rng.integers(-7, 8, (out, source.shape[0], kernel, kernel))
    stride, factor = draw(st.integers(1, 2)), 2 ** draw(st.integers(0, 5))
    return IntegerConnection(name, source.name, "conv", weights, 4, stride, kernel // 2, factor)


def _convolved(connection, shape):
    kernel = connection.weights.shape[2]
    return tuple((size + 2 * connection.padding - kernel) // connection.stride + 1 for size in shape[1:])


def residual_description(
    seed: int,
    *,
    before_addition: bool,
    kind: str = "IF",
    reset: str = "hard",
    v_init: float = 0.0,
    events: bool = False,
    timesteps: int = 4,
) -> NetworkDescription:
    """Two blocks with a halving shortcut between them, sum pooling at the end, batch norm of both signs.

    ``before_addition``: neurons before the additions, which go on as a residual stream; else behind them.
    """
    rng = np.random.default_rng(seed)
    neuron = NeuronDescription(kind, reset, 0.5, 2.0, v_init)
    side, channels = 8, 2 if events else 1

    def conv(name, source, shape, scale, stride=1, bits=4):
        largest = 2 ** (bits - 1) - 1
        weights = rng.integers(-largest, largest + 1, shape).astype(np.int8)
        return ConnectionDescription(name, source, "conv", weights, bits, np.full(len(weights), scale), stride,
                                     shape[2] // 2)  # fmt: skip

    def layer(name, *inputs, residual="", pool=1, width=6):
        norm_scale = rng.uniform(0.3, 1.2, width) * rng.choice([-1.0, 1.0], width)
        norm_scale[0] = 0.0
        return LayerDescription(name, inputs, residual, norm_scale, rng.normal(0.2, 0.3, width), neuron, pool, "avg")

    def joined(name, source, **options):
        """The layer behind the second convolution of a block, whose input is ``source``."""
        main = conv(name, f"{name}a", (6, 6, 3, 3), 2.0**-4)
        if before_addition:
            return layer(name, main, residual=source, **options)
        ones = np.ones(6)
        return layer(name, main, ConnectionDescription(f"{name}_identity", source, "identity", None, 1, ones, 1, 0),
                     **options)  # fmt: skip

    # One unit of what the image gives is 2^-12 beside the 2^-4 of spikes; of events it is 2^-7.
    image_scale = 2.0**-7 if events else float(np.float32(255 * 2.0**-12))
    layers = [
        layer("stem", conv("stem", IMAGE, (6, channels, 3, 3), image_scale, bits=8)),
        layer("block1a", replace(conv("block1a", "stem", (6, 6, 3, 3), 1.0), scale=rng.uniform(0.02, 0.05, 6))),
        joined("block1", "stem"),
        layer("block2a", replace(conv("block2a", "block1", (6, 6, 3, 3), 1.0, 2), scale=rng.uniform(0.02, 0.05, 6))),
        layer("block2", conv("block2", "block2a", (6, 6, 3, 3), 2.0**-4),
              conv("block2_shortcut", "block1", (6, 6, 1, 1), 2.0**-2, 2)),
        layer("block3a", replace(conv("block3a", "block2", (6, 6, 3, 3), 1.0), scale=rng.uniform(0.02, 0.05, 6))),
        joined("block3", "block2", pool=2),
    ]  # fmt: skip
    weights = rng.integers(-7, 8, (5, 24)).astype(np.int8)
    readout = ConnectionDescription("readout", "block3", "linear", weights, 4, np.full(5, 0.07), 1, 0)
    bias = rng.normal(0, 0.1, 5)
    layers.append(LayerDescription("readout", (readout,), "", np.ones(5), bias, None, 1, "max"))
    scale = 1.0 if events else 1 / 255
    return NetworkDescription((side, side, channels), scale, not events, timesteps, 5, tuple(layers))
