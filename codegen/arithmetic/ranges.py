"""Exact range analysis: the signed widths that a layer needs so that nothing in it can ever overflow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codegen.network import IntegerConnection, IntegerNetwork
from codegen.neurons import Constants, Neuron

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Interval:
    """Inclusive bounds per output channel, int64 [MH] each."""

    low: Integers
    high: Integers

    def hull(self, other: Interval) -> Interval:
        return Interval(np.minimum(self.low, other.low), np.maximum(self.high, other.high))

    def plus(self, other: Interval) -> Interval:
        return Interval(self.low + other.low, self.high + other.high)

    def times(self, factor: Integers | int) -> Interval:
        """Bounds of the values times a factor, such as a sign -1, 0 or +1 per channel."""
        ends = self.low * factor, self.high * factor
        return Interval(np.minimum(*ends), np.maximum(*ends))


@dataclass(frozen=True)
class LayerWidths:
    """Two's complement widths in bits that hold every reachable value of a layer, zero included.

    ``acc_bits``: the sum of weights, and every partial sum of it in any order; in the read-out, and before neurons that
    fire late, the sum over all steps.
    ``potential_bits``: V before the first step, before and after each reset, and what a step adds to it; in the
    read-out the logit.
    ``bias_bits``: the biases, times T where sums are over all steps.  ``threshold_bits``: the thresholds, 1 in the
    read-out.
    ``output_bits``: a signed logit in the read-out, else T (the spike train).
    Of a layer that sends its sums on, ``potential_bits`` and ``output_bits`` are ``acc_bits``, the others 1.
    """

    acc_bits: int
    potential_bits: int
    bias_bits: int
    threshold_bits: int
    output_bits: int


def signed_bits(*values: Integers) -> int:
    """Smallest two's complement width that holds all values and zero; at least 1."""
    low = min(0, *(int(array.min()) for array in values))
    high = max(0, *(int(array.max()) for array in values))
    return max((-low - 1).bit_length() if low < 0 else 0, high.bit_length()) + 1


def weight_matrix(weights: Integers) -> Integers:
    """Weights as int64 [out, in*kh*kw]; the order within a row is the layer's own, not a core's."""
    return weights.reshape(weights.shape[0], -1).astype(np.int64)


def acc_range(weights: Integers, largest_input: int) -> Interval:
    """Bounds of ``weights [MH, MW] . x`` for x in 0..largest_input; both are reached, partial sums stay inside."""
    return Interval(
        np.minimum(weights, 0).sum(axis=1) * largest_input, np.maximum(weights, 0).sum(axis=1) * largest_input
    )


def sum_range(
    connections: Iterable[IntegerConnection],
    largest: Mapping[str, int],
    channels: int,
    residual: Interval | None,
    map_pixels: int = 1,
) -> Interval:
    """Bounds of a layer's sum from those of ``residual`` and the ``largest`` value of each source.

    ``map_pixels``: so many values of a source are summed into each that the weights read.
    Each term's bounds hold zero, so partial sums in any order stay inside. They are reached unless terms share inputs.
    """
    zero = np.zeros(channels, np.int64)
    total = residual or Interval(zero, zero)
    for connection in connections:
        if connection.weights is None:
            term = Interval(zero, zero + largest[connection.source])
        else:
            term = acc_range(weight_matrix(connection.weights), largest[connection.source] * map_pixels)
        total = total.plus(term.times(connection.factor))
    return total


def sum_ranges(network: IntegerNetwork) -> dict[str, Interval]:
    """Bounds of every layer's sum, before its sign, by layer name."""
    largest = network.largest_values()
    ranges: dict[str, Interval] = {}
    for layer in network.layers:
        residual = ranges[layer.residual] if layer.residual else None
        ranges[layer.name] = sum_range(layer.inputs, largest, layer.channels, residual, layer.map_pixels)
    return ranges


def drive_ranges(neuron: Neuron, acc: Interval, bias: Integers, timesteps: int) -> list[Interval]:
    """Bounds of what each step adds to the potential."""
    low, high = (neuron.drives([bound] * timesteps, bias) for bound in (acc.low, acc.high))
    return [Interval(*bounds) for bounds in zip(low, high, strict=True)]


def potential_range(
    neuron: Neuron, drives: Sequence[Interval], threshold: Integers | None, initial: Integers
) -> Interval:
    """Bounds of V over all steps, before and after the reset, from V = ``initial`` and any drive in its range at each.

    V before the first step is not among them. ``threshold`` None: a neuron that never spikes. Without spikes both
    bounds are reached when the drives of the steps are free (spike train inputs); otherwise they are safe.
    """
    carried = Interval(initial, initial)
    reached: Interval | None = None
    for drive in drives:
        before = charged(neuron, carried, drive)
        carried = _after_silence(neuron, before) if threshold is None else _after_reset(neuron, before, threshold)
        reached = (reached or before).hull(before).hull(carried)
    assert reached is not None
    return reached


def charged(neuron: Neuron, potential: Interval, drive: Interval) -> Interval:
    """Bounds of V before the reset of a step, from those of V before the step and of its drive."""
    return Interval(neuron.charge(potential.low, drive.low), neuron.charge(potential.high, drive.high))


def _after_reset(neuron: Neuron, before: Interval, threshold: Integers) -> Interval:
    """Bounds of V after the step: what is left of its silent part below the threshold, and of the rest by the reset."""
    silent = before.low < threshold
    spiking = before.high >= threshold
    left = Interval(
        neuron.after_spike(np.maximum(before.low, threshold), threshold), neuron.after_spike(before.high, threshold)
    )
    kept = _after_silence(neuron, Interval(before.low, np.minimum(before.high, threshold - 1)))
    both = kept.hull(left)
    low = np.where(silent & spiking, both.low, np.where(silent, kept.low, left.low))
    high = np.where(silent & spiking, both.high, np.where(silent, kept.high, left.high))
    return Interval(low, high)


def _after_silence(neuron: Neuron, before: Interval) -> Interval:
    return Interval(neuron.after_silence(before.low), neuron.after_silence(before.high))


def layer_widths(
    constants: Constants,
    largest_input: int,
    timesteps: int,
    neuron: Neuron | None,
    map_pixels: int = 1,
) -> LayerWidths:
    """Minimal widths of one layer from its real constants, weights as a matrix [MH, MW].

    Inputs are 0..``largest_input`` at each step (spikes: 1). ``neuron`` None: the read-out. ``map_pixels``: so many
    inputs are summed into each that the weights read.
    """
    acc = acc_range(constants.weights, largest_input * map_pixels)
    return widths_of_sum(acc, timesteps, neuron, constants.bias, constants.threshold)


def sum_widths(weights: Integers, largest_input: int) -> LayerWidths:
    """Minimal widths of a layer that sends its sums on, weights as a matrix [MH, MW], inputs 0..``largest_input``."""
    acc = acc_range(weights, largest_input)
    bits = signed_bits(acc.low, acc.high)
    return LayerWidths(acc_bits=bits, potential_bits=bits, bias_bits=1, threshold_bits=1, output_bits=bits)


def widths_of_sum(
    acc: Interval, timesteps: int, neuron: Neuron | None, bias: Integers, threshold: Integers
) -> LayerWidths:
    """The same from the bounds of what the neuron, or the read-out, is given at each step."""
    if neuron is None:
        total = Interval(acc.low * timesteps, acc.high * timesteps)
        bias_total = bias * timesteps
        logit_bits = signed_bits(total.low + bias_total, total.high + bias_total)
        return LayerWidths(
            acc_bits=signed_bits(total.low, total.high),
            potential_bits=logit_bits,
            bias_bits=signed_bits(bias_total),
            threshold_bits=1,
            output_bits=logit_bits,
        )
    initial = neuron.initial(threshold)
    drives = drive_ranges(neuron, acc, bias, timesteps)
    potential = potential_range(neuron, drives, threshold, initial)
    summed = timesteps if neuron.late else 1
    return LayerWidths(
        acc_bits=signed_bits(acc.low * summed, acc.high * summed),
        potential_bits=signed_bits(
            potential.low, potential.high, initial, *(bound for drive in drives for bound in (drive.low, drive.high))
        ),
        bias_bits=signed_bits(bias * summed),
        threshold_bits=signed_bits(threshold),
        output_bits=timesteps,
    )
