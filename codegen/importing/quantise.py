"""Post-training quantisation: a float network becomes the description that training would have left of it.

Weights of a layer with one connection have a scale for each output channel, those of the read-out one for all. Where
several connections are added, each has one scale, a power of two times the unit of an identity among them, or of a
common one; without an identity the channels are first brought to one spread, which the gain undoes. Connections that
read the image have FIRST_LAYER_BITS, as in training. Thresholds are divided out of gain and shift.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from codegen.errors import ImportingError
from codegen.importing.calibration import Statistics, calibrated
from codegen.importing.float_network import FloatConnection, FloatLayer, FloatNetwork, FloatNeuron, Floats
from codegen.importing.normal_form import leak_shift, normal_form
from codegen.importing.rounding import Rounded, per_channel, round_channels, round_tensor, round_to_power
from sca_train.config import WEIGHT_BITS
from sca_train.connections import FIRST_LAYER_BITS
from sca_train.description import (
    ConnectionDescription,
    LayerDescription,
    NetworkDescription,
    NeuronDescription,
)
from sca_train.network import EVENT_SCALE, PIXEL_SCALE
from sca_train.specs import IMAGE


@dataclass(frozen=True)
class Quantised:
    """A quantised network; ``statistics`` are those of each layer's sums on the calibration images, empty without."""

    description: NetworkDescription
    statistics: dict[str, Statistics]
    notes: tuple[str, ...]


def quantise(network: FloatNetwork, weight_bits: int, calibration: NDArray[np.uint8] | None = None) -> Quantised:
    """The network with integer weights, and what was decided on the way.

    ``calibration``: images uint8 [N, H, W, C] or event frames [N, T, H, W, C], on which shifts and thresholds are
    corrected where that brings the classes closer to those of ``network``. Raises ImportingError, one sentence, for a
    network that no integer network can follow.
    """
    if weight_bits not in WEIGHT_BITS:
        raise ImportingError(f"weights of {weight_bits} bits were asked for; 2, 4 and 8 are possible")
    form = normal_form(network)
    units = _source_units(form.network)
    rounded = {layer.name: _round_layer(layer, weight_bits, units) for layer in form.network.layers}
    notes = [*form.notes, *_bit_notes(form.network, weight_bits)]
    corrected = _rounded_network(form.network, rounded)
    statistics: dict[str, Statistics] = {}
    if calibration is not None:
        result = calibrated(network, corrected, form.origins, calibration)
        corrected, statistics = result.network, result.statistics
        notes += result.notes
    input_scale = PIXEL_SCALE if network.static_input else EVENT_SCALE
    image_scale = network.input_scale / input_scale
    layers = tuple(_described(layer, rounded[layer.name], weight_bits, image_scale) for layer in corrected.layers)
    description = NetworkDescription(
        input_shape=network.input_shape,
        input_scale=input_scale,
        static_input=network.static_input,
        timesteps=network.timesteps,
        classes=network.classes,
        layers=layers,
        class_names=network.class_names,
    )
    return Quantised(description, statistics, (*network.notes, *notes))


@dataclass(frozen=True)
class _RoundedLayer:
    """The integers of each connection, None for an identity, and what the sum of each channel was multiplied by."""

    terms: tuple[Rounded | None, ...]
    spread: Floats


def _source_units(network: FloatNetwork) -> dict[str, float]:
    """The real value of one unit of what each source sends."""
    image = network.input_scale
    pooled = {layer.name: 1 / layer.pool**2 if layer.pool_kind == "avg" else 1.0 for layer in network.layers}
    return {IMAGE: image, **pooled}


def _round_layer(layer: FloatLayer, weight_bits: int, units: dict[str, float]) -> _RoundedLayer:
    channels = len(layer.gain)
    bits = [_bits(entry, weight_bits) for entry in layer.inputs]
    first = layer.inputs[0]
    if layer.neuron is None:
        assert first.weights is not None
        return _RoundedLayer((round_tensor(first.weights, bits[0]),), np.ones(channels))
    if len(layer.inputs) == 1:
        rounded = None if first.weights is None else round_channels(first.weights, bits[0])
        return _RoundedLayer((rounded,), np.ones(channels))
    identities = {units[entry.source] for entry in layer.inputs if entry.weights is None}
    ratios = {float(np.log2(unit / min(identities))) for unit in identities}
    if any(ratio != round(ratio) for ratio in ratios):
        raise ImportingError(
            f"layer {layer.name!r}: it adds averages over windows of different sizes as they are, whose units are no "
            "powers of two of each other"
        )
    spread = np.ones(channels) if identities else _spread(layer, units)
    common = min(identities, default=1.0)
    terms = tuple(
        None
        if entry.weights is None
        else round_to_power(
            entry.weights * per_channel(spread, entry.weights.ndim), width, common / units[entry.source]
        )
        for entry, width in zip(layer.inputs, bits, strict=True)
    )
    return _RoundedLayer(terms, spread)


def _spread(layer: FloatLayer, units: dict[str, float]) -> Floats:
    """What brings the weights of each channel, all connections together, to one root mean square."""
    squares = sum(
        np.square(entry.weights * units[entry.source]).reshape(len(layer.gain), -1).sum(axis=1)
        for entry in layer.inputs
        if entry.weights is not None
    )
    return np.where(squares > 0, 1 / np.sqrt(np.where(squares > 0, squares, 1.0)), 1.0)


def _bits(entry: FloatConnection, weight_bits: int) -> int:
    return FIRST_LAYER_BITS if entry.source == IMAGE else weight_bits


def _bit_notes(network: FloatNetwork, weight_bits: int) -> list[str]:
    if weight_bits == FIRST_LAYER_BITS:
        return []
    names = [layer.name for layer in network.layers if any(entry.source == IMAGE for entry in layer.inputs)]
    return [f"weights have {weight_bits} bits, those of {', '.join(names)}, which read the image, {FIRST_LAYER_BITS}"]


def _rounded_network(network: FloatNetwork, rounded: dict[str, _RoundedLayer]) -> FloatNetwork:
    """The network that computes with the rounded weights, in floats."""
    layers = []
    for layer in network.layers:
        result = rounded[layer.name]
        inputs = tuple(
            entry if term is None else replace(entry, weights=term.values)
            for entry, term in zip(layer.inputs, result.terms, strict=True)
        )
        layers.append(replace(layer, inputs=inputs, gain=layer.gain / result.spread))
    return replace(network, layers=tuple(layers))


def _described(layer: FloatLayer, rounded: _RoundedLayer, weight_bits: int, image_scale: float) -> LayerDescription:
    terms = zip(layer.inputs, rounded.terms, strict=True)
    tau = _tau(layer.neuron)
    factor = tau / layer.threshold if layer.neuron else np.ones(len(layer.gain))
    return LayerDescription(
        name=layer.name,
        inputs=tuple(
            _described_connection(entry, term, len(layer.gain), weight_bits, image_scale) for entry, term in terms
        ),
        residual="",
        norm_scale=layer.gain * factor,
        norm_shift=layer.shift * factor,
        neuron=_described_neuron(layer.neuron, tau) if layer.neuron else None,
        pool=layer.pool,
        pool_kind=layer.pool_kind,
        global_sum=layer.global_sum,
    )


def _described_connection(
    entry: FloatConnection, term: Rounded | None, channels: int, weight_bits: int, image_scale: float
) -> ConnectionDescription:
    if term is None:
        return ConnectionDescription(entry.name, entry.source, "identity", None, 1, np.ones(channels), 1, 0)
    scale = term.scale * image_scale if entry.source == IMAGE else term.scale
    bits = _bits(entry, weight_bits)
    return ConnectionDescription(
        entry.name, entry.source, entry.kind, term.integers, bits, scale, entry.stride, entry.padding
    )


def _tau(neuron: FloatNeuron | None) -> float:
    """The description's LIF is V += (I - V) / tau: its current is tau times what is added here."""
    return 2.0 ** leak_shift(neuron) if neuron else 1.0


def _described_neuron(neuron: FloatNeuron, tau: float) -> NeuronDescription:
    kind: Literal["IF", "LIF"] = "LIF" if neuron.decay < 1.0 else "IF"
    return NeuronDescription(kind, neuron.reset, 1.0, tau, neuron.v_init, neuron.compare)
