"""Batch norm and quantizer scales become one integer bias and one integer threshold per channel.

A channel's current is ``I = a * acc + b`` with ``acc`` the integer sum of integer weights (and integer pixels). Weights
are flipped where ``a < 0``, then everything is divided by ``|a|``: the neuron adds ``acc + b / |a|`` and compares with
``threshold / |a|`` (in the neuron's own scale, ``Neuron.level``), both rounded to ``frac_bits`` fractional bits
(``Neuron.fold_channels``, also for neurons that spike only above their threshold).

Where a sum has several terms or other readers (residual networks), the sign stays beside the weights: the neuron sees
``sign * sum``. What is said of zero weights below is then a sign of zero, since the weights are not the channel's own.

Three kinds of channels give up their weights (they become zero):

- silent: no input brings the potential to the threshold; bias 0 and threshold 1 say the same in one bit;
- always spiking: every input reaches the threshold at every step; bias 0 and threshold 0 say the same (half of either
  threshold is 0, so that both hold wherever the potential starts);
- constant: ``a`` is zero, or so small that T biases would leave ``POTENTIAL_BITS`` bits. The current is then b, and
  with no sum to share a scale with, bias and threshold take ``CONSTANT_BITS`` bits of their ratio.

The first two are exact; the third is exact for ``a = 0`` and otherwise drops an input below the resolution of int32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from codegen.arithmetic.ranges import Interval, charged, drive_ranges, potential_range, sum_range
from codegen.arithmetic.shapes import check_order, summed_pixels
from codegen.arithmetic.units import SumUnit, sum_units
from codegen.dialect import DEFAULT_FRAC_BITS, MAX_TIMESTEPS, PIXEL_MAX
from codegen.errors import ExportError
from codegen.network import (
    IntegerConnection,
    IntegerLayer,
    IntegerNetwork,
    neuron_fields,
)
from codegen.neurons import Neuron, folded_neuron
from sca_train.description import (
    ConnectionDescription,
    LayerDescription,
    NetworkDescription,
    NeuronDescription,
)
from sca_train.specs import IMAGE

POTENTIAL_BITS = 30
"""Signed width that the biases of T steps together must fit, else their channel counts as constant."""
READ_OUT_BIAS_BITS = 24
CONSTANT_BITS = 8
"""Magnitude bits, beyond the fractional ones, of a constant channel's bias and threshold."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def fold_network(description: NetworkDescription, frac_bits: int = DEFAULT_FRAC_BITS) -> IntegerNetwork:
    """The integer network of a compact float network.

    Raises ExportError naming the layer that cannot be folded, and why.
    """
    if not 1 <= description.timesteps <= MAX_TIMESTEPS:
        raise ExportError(f"the network has T={description.timesteps} time steps; 1..{MAX_TIMESTEPS} are supported")
    if not 0 <= frac_bits <= 12:
        raise ExportError(f"{frac_bits} fractional bits were asked for; 0..12 are supported")
    layers = description.layers
    if not layers or layers[-1].neuron is not None or any(layer.neuron is None for layer in layers[:-1]):
        raise ExportError("exactly the last layer must be without neuron: it is the read-out")
    check_order(layers)
    if [entry.kind for entry in layers[-1].inputs] != ["linear"] or layers[-1].residual:
        raise ExportError(f"layer {layers[-1].name!r}: the read-out must be one fully connected layer and nothing else")
    map_pixels = summed_pixels(description)
    units = sum_units(description)
    largest = {IMAGE: PIXEL_MAX}
    sums: dict[str, Interval] = {}
    folded = []
    for layer in layers:
        connections = _connections(layer, units[layer.name])
        if layer.neuron is None:
            folded.append(_fold_read_out(layer, connections, units[layer.name], description.classes, map_pixels))
            break
        residual = sums[layer.residual] if layer.residual else None
        if residual is not None and len(residual.low) != _channels(layer):
            raise ExportError(
                f"layer {layer.name!r}: it has {_channels(layer)} channels, but the sum of {layer.residual!r} that it "
                f"adds to has {len(residual.low)}"
            )
        sums[layer.name] = sum_range(connections, largest, _channels(layer), residual)
        neurons = _Folding(layer, layer.neuron, units[layer.name], description.timesteps, frac_bits)
        folded.append(neurons.fold(connections, sums[layer.name]))
        largest[layer.name] = folded[-1].largest_output
    return IntegerNetwork(
        input_shape=description.input_shape,
        static_input=description.static_input,
        timesteps=description.timesteps,
        frac_bits=frac_bits,
        classes=description.classes,
        layers=tuple(folded),
    )


def _channels(layer: LayerDescription) -> int:
    """Output channels; ExportError where the connections and the batch norm do not agree."""
    counts = {len(c.weights) for c in layer.inputs if c.weights is not None}
    # torch has no mixed sizes here: scalars per layer are as good as arrays per channel.
    counts |= {np.size(values) for values in (layer.norm_scale, layer.norm_shift)} - {1} or (set() if counts else {1})
    if len(counts) > 1:
        raise ExportError(
            f"layer {layer.name!r}: its connections and its batch norm have {sorted(counts)} channels, not all the same"
        )
    return counts.pop()


def _connections(layer: LayerDescription, unit: SumUnit) -> tuple[IntegerConnection, ...]:
    return tuple(
        IntegerConnection(
            name=connection.name,
            source=connection.source,
            kind=connection.kind,
            weights=_integer_weights(layer, connection),
            weight_bits=connection.weight_bits,
            stride=connection.stride,
            padding=connection.padding,
            factor=factor,
        )
        for connection, factor in zip(layer.inputs, unit.factors, strict=True)
    )


def _integer_weights(layer: LayerDescription, connection: ConnectionDescription) -> Integers | None:
    if connection.weights is None:
        return None
    weights = connection.weights.astype(np.int64)
    largest = (1 << (connection.weight_bits - 1)) - 1
    if np.abs(weights).max(initial=0) > largest:
        raise ExportError(
            f"layer {layer.name!r}: its weights leave -{largest}..{largest}, the range of {connection.weight_bits} bits"
        )
    return weights


def _gain_and_shift(layer: LayerDescription, unit: SumUnit) -> tuple[Floats, Floats]:
    """The current is ``gain * sum + shift``, float64 [out] each."""
    channels = _channels(layer)
    gain = np.broadcast_to(np.asarray(layer.norm_scale, np.float64) * unit.unit, (channels,))
    shift = np.broadcast_to(np.asarray(layer.norm_shift, np.float64), (channels,))
    if not (np.isfinite(gain).all() and np.isfinite(shift).all()):
        raise ExportError(f"layer {layer.name!r}: its batch norm holds values that are not finite")
    return gain, shift


@dataclass(frozen=True)
class _Folding:
    """One layer with neurons on its way to integers."""

    layer: LayerDescription
    described: NeuronDescription
    unit: SumUnit
    timesteps: int
    frac_bits: int

    def fold(self, connections: tuple[IntegerConnection, ...], total: Interval) -> IntegerLayer:
        """The integer layer; ``total`` bounds its sum before any sign."""
        layer = self.layer
        gain, shift = _gain_and_shift(layer, self.unit)
        neuron = folded_neuron(self.described, self.frac_bits, f"layer {layer.name!r}")
        level = neuron.level(self.described.threshold)
        constant = _constant_channels(gain, shift, self.frac_bits, self.timesteps)
        sign = np.where(constant, 0, np.where(gain < 0, -1, 1))
        unit = np.where(constant, _constant_unit(shift, level), np.abs(gain))
        bias, threshold = neuron.fold_channels(unit, shift, level, self.described.compare)
        drives = drive_ranges(neuron, total.times(sign), bias, self.timesteps)
        silent, always = _decided_channels(neuron, drives, threshold)
        sign[silent | always] = 0
        bias[silent | always] = 0
        threshold[silent], threshold[always] = 1, 0
        if not self.unit.added:
            connections = (_times_sign(connections[0], sign),)
            sign = np.ones_like(sign)
        return IntegerLayer(
            name=layer.name,
            inputs=connections,
            residual=layer.residual,
            sign=sign,
            **neuron_fields(neuron),
            bias=bias,
            threshold=threshold,
            pool=layer.pool,
            pool_kind=layer.pool_kind,
        )


def _times_sign(connection: IntegerConnection, sign: Integers) -> IntegerConnection:
    assert connection.weights is not None
    return replace(connection, weights=connection.weights * sign.reshape(-1, *[1] * (connection.weights.ndim - 1)))


def _constant_channels(gain: Floats, shift: Floats, frac_bits: int, timesteps: int) -> NDArray[np.bool_]:
    """Channels whose current does not follow their inputs, within the number range."""
    limit = float(1 << (POTENTIAL_BITS - 1))
    return np.abs(gain) * limit <= np.abs(shift) * (timesteps << frac_bits)


def _constant_unit(shift: Floats, level: float) -> Floats:
    """The real value of 1.0 in a constant channel's own fixed-point scale."""
    return np.maximum(np.abs(shift), level) / (1 << CONSTANT_BITS)


def _decided_channels(
    neuron: Neuron, drives: Sequence[Interval], threshold: Integers
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Channels that never spike and channels that spike at every step, whatever their inputs."""
    initial = neuron.initial(threshold)
    unspiked = potential_range(neuron, drives, None, initial)
    always = np.ones(threshold.shape, bool)
    carried = Interval(initial, initial)
    for drive in drives:
        before = charged(neuron, carried, drive)
        always &= before.low >= threshold
        # What is left where every step so far has spiked; of other channels it no longer matters.
        low = neuron.after_spike(before.low, threshold)
        carried = Interval(low, low)
    return unspiked.high < threshold, always


def _fold_read_out(
    layer: LayerDescription,
    connections: tuple[IntegerConnection, ...],
    unit: SumUnit,
    classes: int,
    map_pixels: int,
) -> IntegerLayer:
    if _channels(layer) != classes:
        raise ExportError(f"layer {layer.name!r}: the read-out has {_channels(layer)} outputs for {classes} classes")
    gain, shift = _gain_and_shift(layer, unit)
    common = float(gain[0])
    if common == 0 or not np.allclose(gain, common, rtol=1e-9, atol=0):
        raise ExportError(
            f"layer {layer.name!r}: the read-out needs one common scale that is not zero, else its logits cannot be "
            "compared as integers"
        )
    bias = np.rint(shift / abs(common)).astype(np.int64)
    if np.abs(bias).max(initial=0) >= 1 << (READ_OUT_BIAS_BITS - 1):
        raise ExportError(f"layer {layer.name!r}: the biases of the read-out are too large for its weight scale")
    return IntegerLayer(
        name=layer.name,
        inputs=(_times_sign(connections[0], np.full_like(bias, 1 if common > 0 else -1)),),
        residual="",
        sign=np.ones_like(bias),
        **neuron_fields(None),
        bias=bias,
        threshold=np.zeros_like(bias),
        pool=1,
        map_pixels=map_pixels,
    )
