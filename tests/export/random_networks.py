"""Small random networks for the export tests: integer ones and float descriptions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from codegen.network import IntegerConnection, IntegerLayer, IntegerNetwork, neuron_fields
from codegen.neurons import NEURONS, NO_NEURON, Neuron
from sca_train.description import (
    ConnectionDescription,
    LayerDescription,
    NetworkDescription,
    NeuronDescription,
)
from sca_train.specs import IMAGE


@st.composite
def integer_networks(draw: st.DrawFn) -> IntegerNetwork:
    """Conv and linear layers, all neurons, resets, initial potentials, T 1..32, biases of either sign."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    timesteps = draw(st.one_of(st.integers(1, 8), st.sampled_from([16, 31, 32])))
    frac_bits = draw(st.integers(0, 5))
    height, width = draw(st.integers(3, 7)), draw(st.integers(3, 7))
    channels = draw(st.integers(1, 3))
    shape: tuple[int, ...] = (channels, height, width)
    layers = []
    for index in range(draw(st.integers(0, 2))):
        kernel = draw(st.integers(1, min(3, *shape[1:])))
        stride, padding = draw(st.integers(1, 2)), draw(st.integers(0, kernel // 2))
        out = draw(st.integers(1, 5))
        map_h = (shape[1] + 2 * padding - kernel) // stride + 1
        map_w = (shape[2] + 2 * padding - kernel) // stride + 1
        pool = draw(st.integers(1, min(2, map_h, map_w)))
        weight_shape = (out, shape[0], kernel, kernel)
        layers.append(_layer(draw, rng, f"conv{index + 1}", layers, weight_shape, stride, padding, pool, frac_bits))
        shape = (out, map_h // pool, map_w // pool)
    for index in range(draw(st.integers(0, 1))):
        out = draw(st.integers(1, 6))
        weight_shape = (out, int(np.prod(shape)))
        layers.append(_layer(draw, rng, f"fc{index + 1}", layers, weight_shape, 1, 0, 1, frac_bits))
        shape = (out,)
    classes = draw(st.integers(1, 4))
    layers.append(integer_read_out(rng, _source(layers), classes, shape, draw(st.booleans())))
    return IntegerNetwork((height, width, channels), True, timesteps, frac_bits, classes, tuple(layers))


def integer_read_out(
    rng: np.random.Generator, source: str, classes: int, shape: tuple[int, ...], global_sum: bool
) -> IntegerLayer:
    """Reads every element of ``shape``, or with ``global_sum`` the sum of each channel over its map."""
    pixels = int(np.prod(shape[1:])) if global_sum else 1
    inputs = int(np.prod(shape)) // pixels
    weights = rng.integers(-7, 8, (classes, inputs))
    bias = rng.integers(-20, 21, classes)
    connection = IntegerConnection("readout", source, "linear", weights, 4, 1, 0)
    ones, zeros = np.ones_like(bias), np.zeros_like(bias)
    return IntegerLayer("readout", (connection,), "", ones, NO_NEURON, 0, "hard", bias, zeros, 1, map_pixels=pixels)


def _source(layers):
    return layers[-1].name if layers else IMAGE


def _layer(draw, rng, name, before, weight_shape, stride, padding, pool, frac_bits):
    weight_bits = draw(st.sampled_from([2, 4, 8]))
    largest = 2 ** (weight_bits - 1) - 1
    weights = rng.integers(-largest, largest + 1, weight_shape)
    reach = max(1, int(np.abs(weights).sum() / len(weights) * (1 if before else 255))) << frac_bits
    kind = "conv" if len(weight_shape) == 4 else "linear"
    return IntegerLayer(
        name=name,
        inputs=(IntegerConnection(name, _source(before), kind, weights, weight_bits, stride, padding),),
        residual="",
        sign=np.ones(weight_shape[0], np.int64),
        **neuron_fields(drawn_neuron(draw, frac_bits)),
        bias=rng.integers(-reach // 4, reach // 4 + 1, weight_shape[0]),
        threshold=rng.integers(-reach // 8, reach, weight_shape[0]),
        pool=pool,
    )


def drawn_neuron(draw, frac_bits: int) -> Neuron:
    """Any kind with any parameters."""
    kind = draw(st.sampled_from(list(NEURONS.values())))
    return kind(
        leak_shift=draw(st.integers(1, 4)) if kind.leaks else 0,
        reset=draw(st.sampled_from(kind.resets)),
        half_start=draw(st.booleans()),
        frac_bits=frac_bits,
    )


def random_description(
    seed: int,
    *,
    timesteps: int = 4,
    kind: str = "IF",
    reset: str = "hard",
    compare: str = "ge",
    v_init: float = 0.0,
    gammas: str = "mixed",
    input_shape: tuple[int, int, int] = (8, 8, 1),
    fully_connected: bool = False,
    global_sum: bool = False,
) -> NetworkDescription:
    """A float network with plausible scales; gammas: "positive", "mixed" (both signs) or "zeros" (some exactly 0)."""
    rng = np.random.default_rng(seed)
    neuron = NeuronDescription(kind, reset, 0.5, 2.0, v_init, compare)
    height, width, channels = input_shape

    def layer(name, source, layer_kind, shape, bits, padding, pool, with_neuron=True):
        largest = 2 ** (bits - 1) - 1
        out = shape[0]
        inputs = int(np.prod(shape[1:]))
        norm_scale = rng.uniform(0.5, 2.0, out)
        if gammas != "positive":
            norm_scale *= rng.choice([-1.0, 1.0], out)
        if gammas == "zeros":
            norm_scale[::3] = 0.0
        connection = ConnectionDescription(
            name=name,
            source=source,
            kind=layer_kind,
            weights=rng.integers(-largest, largest + 1, shape).astype(np.int8),
            weight_bits=bits,
            scale=rng.uniform(1.0, 2.0, out) / largest / np.sqrt(inputs) if with_neuron else np.full(out, 0.013),
            stride=1,
            padding=padding,
        )
        return LayerDescription(
            name=name,
            inputs=(connection,),
            residual="",
            norm_scale=norm_scale if with_neuron else np.ones(out),
            norm_shift=rng.normal(0.3, 0.4, out) if with_neuron else rng.normal(0, 0.1, out),
            neuron=neuron if with_neuron else None,
            pool=pool,
            pool_kind="max",
        )

    if fully_connected:
        layers = [
            layer("fc1", IMAGE, "linear", (24, height * width * channels), 8, 0, 1),
            layer("fc2", "fc1", "linear", (16, 24), 4, 0, 1),
            layer("readout", "fc2", "linear", (10, 16), 4, 0, 1, with_neuron=False),
        ]
    else:
        features = 12 if global_sum else 12 * (height // 4) * (width // 4)
        layers = [
            layer("conv1", IMAGE, "conv", (8, channels, 3, 3), 8, 1, 2),
            layer("conv2", "conv1", "conv", (12, 8, 3, 3), 4, 1, 2),
            layer("readout", "conv2", "linear", (10, features), 4, 0, 1, with_neuron=False),
        ]
    layers[-1] = replace(layers[-1], global_sum=global_sum)
    return NetworkDescription(input_shape, 1 / 255, True, timesteps, 10, tuple(layers))
