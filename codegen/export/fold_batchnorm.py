"""Batch norm and quantizer scales become one integer bias and one integer threshold per channel.

A channel's current is ``I = a * acc + b`` with ``acc`` the integer sum of integer weights (and integer pixels). Weights
are flipped where ``a < 0``, then everything is divided by ``|a|``: the neuron adds ``acc + b / |a|`` and compares with
``threshold / |a|`` (LIF: tau times the threshold, its potential being tau times SpikingJelly's), both rounded to
``frac_bits`` fractional bits.

Three kinds of channels give up their weights (they become zero):

- silent: no input brings the potential to the threshold; bias 0 and threshold 1 say the same in one bit;
- always spiking: every input reaches the threshold at every step; bias 0 and threshold 0 say the same;
- constant: ``a`` is zero, or so small that T biases would leave ``POTENTIAL_BITS`` bits. The current is then b, and
  with no sum to share a scale with, bias and threshold take ``CONSTANT_BITS`` bits of their ratio.

The first two are exact; the third is exact for ``a = 0`` and otherwise drops an input below the resolution of int32.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codegen.core.spiking_mvau import MAX_TIMESTEPS
from codegen.errors import ExportError
from codegen.export.ranges import Interval, acc_range, drive_range, potential_range
from codegen.network import IntegerLayer, IntegerNetwork
from sca_train.description import LayerDescription, NetworkDescription, NeuronDescription

DEFAULT_FRAC_BITS = 4
POTENTIAL_BITS = 30
"""Signed width that the biases of T steps together must fit, else their channel counts as constant."""
READ_OUT_BIAS_BITS = 24
CONSTANT_BITS = 8
"""Magnitude bits, beyond the fractional ones, of a constant channel's bias and threshold."""
PIXEL_MAX = 255

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
    return IntegerNetwork(
        input_shape=description.input_shape,
        timesteps=description.timesteps,
        frac_bits=frac_bits,
        classes=description.classes,
        layers=tuple(_fold_layer(layer, index == 0, description, frac_bits) for index, layer in enumerate(layers)),
    )


def _fold_layer(layer: LayerDescription, first: bool, description: NetworkDescription, frac_bits: int) -> IntegerLayer:
    channels = layer.weights.shape[0]
    # torch has no mixed sizes here: scalars per layer are as good as arrays per channel.
    gain = np.broadcast_to(np.asarray(layer.norm_scale, np.float64) * np.asarray(layer.scale, np.float64), (channels,))
    if first:
        gain = gain * description.input_scale
    shift = np.broadcast_to(np.asarray(layer.norm_shift, np.float64), (channels,))
    if not (np.isfinite(gain).all() and np.isfinite(shift).all()):
        raise ExportError(f"layer {layer.name!r}: its batch norm holds values that are not finite")
    weights = layer.weights.astype(np.int64)
    largest = (1 << (layer.weight_bits - 1)) - 1
    if np.abs(weights).max(initial=0) > largest:
        raise ExportError(
            f"layer {layer.name!r}: its weights leave -{largest}..{largest}, the range of {layer.weight_bits} bits"
        )
    if layer.neuron is None:
        return _fold_read_out(layer, weights, gain, shift, description)
    neuron = layer.neuron
    leak_shift = _leak_shift(layer.name, neuron)
    if not neuron.threshold > 0:
        raise ExportError(f"layer {layer.name!r}: its threshold is {neuron.threshold}, but must be above 0")
    sign = np.where(gain < 0, -1, 1)
    weights = weights * sign.reshape(-1, *[1] * (weights.ndim - 1))
    threshold_real = np.full(channels, neuron.threshold * (1 << leak_shift))
    constant = _constant_channels(gain, shift, frac_bits, description.timesteps)
    weights[constant] = 0
    unit = np.where(constant, _constant_unit(shift, threshold_real), np.abs(gain)) / (1 << frac_bits)
    bias = np.rint(shift / unit).astype(np.int64)
    # A threshold beyond any potential makes a silent channel; 2^62 only keeps the cast to int64 defined.
    with np.errstate(over="ignore"):
        threshold = np.rint(np.minimum(threshold_real / unit, 2.0**62)).astype(np.int64)
    drive = drive_range(acc_range(weights.reshape(channels, -1), PIXEL_MAX if first else 1), bias, frac_bits)
    silent, always = _decided_channels(drive, threshold, leak_shift, description.timesteps)
    weights[silent | always] = 0
    bias[silent | always] = 0
    threshold[silent], threshold[always] = 1, 0
    return IntegerLayer(
        name=layer.name,
        kind=layer.kind,
        weights=weights,
        weight_bits=layer.weight_bits,
        stride=layer.stride,
        padding=layer.padding,
        neuron=neuron.kind,
        leak_shift=leak_shift,
        reset=neuron.reset,
        bias=bias,
        threshold=threshold,
        pool=layer.pool,
    )


def _leak_shift(name: str, neuron: NeuronDescription) -> int:
    if neuron.kind == "IF":
        return 0
    shift = round(float(np.log2(neuron.tau))) if neuron.tau > 0 else 0
    if shift < 1 or 2.0**shift != neuron.tau:
        raise ExportError(f"layer {name!r}: tau={neuron.tau} of its LIF neurons must be a power of two, 2 or more")
    return shift


def _constant_channels(gain: Floats, shift: Floats, frac_bits: int, timesteps: int) -> NDArray[np.bool_]:
    """Channels whose current does not follow their inputs, within the number range."""
    limit = float(1 << (POTENTIAL_BITS - 1))
    return np.abs(gain) * limit <= np.abs(shift) * (timesteps << frac_bits)


def _constant_unit(shift: Floats, threshold: Floats) -> Floats:
    """The real value of 1.0 in a constant channel's own fixed-point scale."""
    return np.maximum(np.abs(shift), threshold) / (1 << CONSTANT_BITS)


def _decided_channels(
    drive: Interval, threshold: Integers, leak_shift: int, timesteps: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Channels that never spike and channels that spike at every step, whatever their inputs; thresholds above 0."""
    unspiked = potential_range(drive, timesteps, leak_shift, "hard", None)
    # A spike leaves V = 0 or V - threshold, not below 0, so a drive that reaches the threshold alone always does.
    return unspiked.high < threshold, drive.low >= threshold


def _fold_read_out(
    layer: LayerDescription, weights: Integers, gain: Floats, shift: Floats, description: NetworkDescription
) -> IntegerLayer:
    if layer.kind != "linear":
        raise ExportError(f"layer {layer.name!r}: the read-out must be fully connected, not a convolution")
    if weights.shape[0] != description.classes:
        raise ExportError(
            f"layer {layer.name!r}: the read-out has {weights.shape[0]} outputs for {description.classes} classes"
        )
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
        kind=layer.kind,
        weights=weights if common > 0 else -weights,
        weight_bits=layer.weight_bits,
        stride=layer.stride,
        padding=layer.padding,
        neuron="none",
        leak_shift=0,
        reset="hard",
        bias=bias,
        threshold=np.zeros_like(bias),
        pool=1,
    )
