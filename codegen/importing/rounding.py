"""Real weights as integers times a scale, with the least square error: symmetric, in a narrow range, vectorised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codegen.importing.float_network import Floats

_SMALLEST_SHARE = 0.15
"""Of a channel's largest weight: the least that the largest integer is tried to stand for."""
_TRIALS = 86
_STEP = 0.02
"""Around the best of these, what is tried more finely."""
_FINE_TRIALS = 21
_REFINEMENTS = 3
_EXPONENTS = 8
"""Powers of two that are tried, down from the one that clips nothing."""


@dataclass(frozen=True)
class Rounded:
    """``integers`` int8 in the shape of the weights, ``scale`` float64 [out]: the weights are about their product."""

    integers: NDArray[np.int8]
    scale: Floats

    @property
    def values(self) -> Floats:
        """The real weights that the integers stand for."""
        return self.integers * per_channel(self.scale, self.integers.ndim)


def largest_integer(bits: int) -> int:
    """Of a narrow range of so many bits: -7..7 of 4."""
    return (1 << (bits - 1)) - 1


def per_channel(values: Floats, dimensions: int) -> Floats:
    """One value for each output channel, to go with weights of so many dimensions."""
    return values.reshape(-1, *[1] * (dimensions - 1))


def round_channels(weights: Floats, bits: int) -> Rounded:
    """A scale for each output channel (the first axis)."""
    return _rounded(weights, _best_scales(weights.reshape(len(weights), -1), largest_integer(bits)), bits)


def round_tensor(weights: Floats, bits: int) -> Rounded:
    """One scale for all."""
    scale = _best_scales(weights.reshape(1, -1), largest_integer(bits))
    return _rounded(weights, np.repeat(scale, len(weights)), bits)


def round_to_power(weights: Floats, bits: int, unit: float) -> Rounded:
    """One scale for all, ``unit`` times a power of two."""
    largest = largest_integer(bits)
    reach = float(np.abs(weights).max(initial=0.0))
    top = int(np.ceil(np.log2(reach / largest / unit))) if reach else 0
    trials = [unit * 2.0 ** (top - step) for step in range(_EXPONENTS)]
    errors = [float(np.square(_nearest(weights, trial, largest) * trial - weights).sum()) for trial in trials]
    return _rounded(weights, np.full(len(weights), trials[int(np.argmin(errors))]), bits)


def _rounded(weights: Floats, scale: Floats, bits: int) -> Rounded:
    integers = _nearest(weights, per_channel(scale, weights.ndim), largest_integer(bits))
    return Rounded(integers.astype(np.int8), scale)


def _nearest(weights: Floats, scale: Floats | float, largest: int) -> Floats:
    return np.clip(np.rint(weights / scale), -largest, largest)


def _best_scales(rows: Floats, largest: int) -> Floats:
    """The scale of each row [rows, weights] of least square error: a search over clipping, then least squares.

    With the integers given, the best scale is a projection; with the scale given, the best integers are the nearest.
    """
    reach = np.abs(rows).max(axis=1)
    reach = np.where(reach > 0, reach, float(largest))  # a channel of zeros
    best, least = reach / largest, np.full(len(rows), np.inf)
    for share in np.linspace(1.0, _SMALLEST_SHARE, _TRIALS):
        scale = share * reach / largest
        best, least = _better(rows, scale, largest, best, least)
    coarse = best
    for factor in np.linspace(1 - _STEP, 1 + _STEP, _FINE_TRIALS):
        best, least = _better(rows, factor * coarse, largest, best, least)
    for _ in range(_REFINEMENTS):
        integers = _nearest(rows, best[:, None], largest)
        norm, product = np.square(integers).sum(axis=1), (integers * rows).sum(axis=1)
        scale = np.where((norm > 0) & (product > 0), product / np.maximum(norm, 1), best)
        best, least = _better(rows, scale, largest, best, least)
    return best


def _better(rows: Floats, scale: Floats, largest: int, best: Floats, least: Floats) -> tuple[Floats, Floats]:
    """The best scales so far and their square errors, with another for each row."""
    error = np.square(_nearest(rows, scale[:, None], largest) * scale[:, None] - rows).sum(axis=1)
    return np.where(error < least, scale, best), np.minimum(error, least)
