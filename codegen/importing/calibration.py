"""What images of the user's tell about a rounded network: corrections of its shifts and thresholds, and its sums.

Rounded weights move the mean of a channel's current; the shift takes that back, layer by layer, so that each is
corrected behind what the earlier ones send now. Thresholds are then scaled so that each channel spikes as often as in
the original network. Both are kept only where the classes come out closer to the original's on the same images.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from codegen.importing.float_network import FloatLayer, FloatNetwork, Floats
from codegen.importing.interpreter import run, traces

MOST_IMAGES = 256
_MOST_OPERATIONS = 4 * 10**12
"""Multiplications of all passes of a calibration: a few minutes on two cores."""
_MOST_VALUES = 2**24
"""Currents of all layers that one pass keeps in memory."""
_BALANCING_SWEEPS = 3
_OTHER_PASSES = 6
"""Activities and logits of the original, logits of three candidates, activities of the best."""
_LARGEST_STEP = 1.25
"""Of a threshold in one sweep."""
_LEAST_RATE = 0.01
"""Spikes per step that rates are taken to differ by anyway: a channel that is nearly silent tells little."""


@dataclass(frozen=True)
class Statistics:
    """Mean and variance of the sums of each channel, over images, steps and map, float64 [out]."""

    mean: Floats
    variance: Floats


@dataclass(frozen=True)
class Calibrated:
    """The corrected network, the statistics of its sums by layer, and what was corrected in words."""

    network: FloatNetwork
    statistics: dict[str, Statistics]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Activity:
    """Mean and variance of a layer's currents, and spikes per step, of each channel, float64 [out]."""

    mean: Floats
    variance: Floats
    rate: Floats


def calibrated(
    original: FloatNetwork, rounded: FloatNetwork, origins: dict[str, str], images: NDArray[np.uint8]
) -> Calibrated:
    """The rounded network with the corrections that help, on the first images, at most MOST_IMAGES.

    ``origins``: what the original network calls each layer of the rounded one.
    """
    images = np.asarray(images[: _affordable(rounded, len(images))])
    wanted, logits = _activities(original, images), run(original, images)
    wanted = {name: wanted[origin] for name, origin in origins.items() if origin in wanted}
    shifted = _with_shifts(rounded, wanted, images)
    candidates = {"as rounded": rounded, "means corrected": shifted}
    candidates["means and thresholds corrected"] = _with_thresholds(shifted, wanted, images)
    scores = {name: _score(run(network, images), logits) for name, network in candidates.items()}
    best = max(candidates, key=lambda name: scores[name])
    shares = ", ".join(f"{name} {share:.4f}" for name, (share, _) in scores.items())
    notes = (f"calibrated on {len(images)} images, {best}: agreement with the original's classes is {shares}",)
    network = candidates[best]
    activities = _activities(network, images)
    statistics = {
        layer.name: _sums_of(layer, activities[layer.name]) for layer in network.layers if layer.name in activities
    }
    return Calibrated(network, statistics, notes)


def agreement(logits: Floats | NDArray[np.int32], others: Floats | NDArray[np.int32]) -> float:
    """Share of images on which two sets of logits [N, classes] decide for the same class."""
    return float((logits.argmax(axis=1) == others.argmax(axis=1)).mean())


def _score(logits: Floats, wanted: Floats) -> tuple[float, float]:
    """Agreement, and among equals the smaller distance of the logits."""
    return agreement(logits, wanted), -float(np.square(logits - wanted).mean())


def _with_shifts(network: FloatNetwork, wanted: dict[str, _Activity], images: NDArray[np.uint8]) -> FloatNetwork:
    """Each layer's mean currents brought to the wanted ones, first to last."""
    for layer in network.layers[:-1]:
        found = _activities(network, images)[layer.name]
        network = _with_layer(network, replace(layer, shift=layer.shift + wanted[layer.name].mean - found.mean))
    return network


def _with_thresholds(network: FloatNetwork, wanted: dict[str, _Activity], images: NDArray[np.uint8]) -> FloatNetwork:
    """Thresholds scaled towards the wanted rates, in some sweeps over all layers."""
    for _ in range(_BALANCING_SWEEPS):
        activities = _activities(network, images)
        for layer in network.layers[:-1]:
            ratio = (activities[layer.name].rate + _LEAST_RATE) / (wanted[layer.name].rate + _LEAST_RATE)
            factor = np.clip(np.sqrt(ratio), 1 / _LARGEST_STEP, _LARGEST_STEP)
            network = _with_layer(network, replace(layer, threshold=layer.threshold * factor))
    return network


def _with_layer(network: FloatNetwork, changed: FloatLayer) -> FloatNetwork:
    """The network with another layer of that name."""
    return replace(network, layers=tuple(changed if layer.name == changed.name else layer for layer in network.layers))


def _sums_of(layer: FloatLayer, activity: _Activity) -> Statistics:
    """Of the sums, from those of the currents; a channel without gain has none to speak of."""
    gain = np.where(layer.gain == 0, 1.0, layer.gain)
    used = layer.gain != 0
    mean = np.where(used, (activity.mean - layer.shift) / gain, 0.0)
    return Statistics(mean, np.where(used, activity.variance / gain**2, 1.0))


def _activities(network: FloatNetwork, images: NDArray[np.uint8]) -> dict[str, _Activity]:
    """What the channels of each layer with neurons do on all images."""
    totals: dict[str, Floats] = {}
    counts: dict[str, int] = {}
    for batch in _batches(network, images):
        for name, trace in traces(network, batch).items():
            if trace.spikes is None or name == network.layers[-1].name:
                continue
            current, spikes = (np.asarray(values, np.float64) for values in (trace.current, trace.spikes))
            axes = tuple(axis for axis in range(current.ndim) if axis != 2)
            values = np.stack([current.sum(axes), np.square(current).sum(axes), spikes.sum(axes)])
            totals[name] = totals.get(name, 0.0) + values
            counts[name] = counts.get(name, 0) + current.size // current.shape[2]
    found = {}
    for name, (first, second, spikes) in totals.items():
        mean = first / counts[name]
        found[name] = _Activity(mean, np.maximum(second / counts[name] - mean**2, 0.0), spikes / counts[name])
    return found


def _batches(network: FloatNetwork, images: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    size = max(1, _MOST_VALUES // (3 * network.timesteps * sum(_outputs(network))))
    for start in range(0, len(images), size):
        yield images[start : start + size]


def _outputs(network: FloatNetwork) -> list[int]:
    """At most so many neurons of each layer: a map is as large as the input's and its padding at most."""
    pixels = network.input_shape[0] * network.input_shape[1]
    flat = (layer.inputs[0].kind == "linear" for layer in network.layers)
    return [len(layer.gain) * (1 if is_flat else pixels) for layer, is_flat in zip(network.layers, flat, strict=True)]


def _affordable(network: FloatNetwork, given: int) -> int:
    """Images that a calibration of a network this large takes."""
    pixels = network.input_shape[0] * network.input_shape[1]
    operations = 0
    for layer in network.layers:
        for entry in layer.inputs:
            if entry.weights is not None:
                operations += prod(entry.weights.shape) * (pixels if entry.kind == "conv" else 1)
    passes = len(network.layers) - 1 + _BALANCING_SWEEPS + _OTHER_PASSES
    most = _MOST_OPERATIONS // max(1, operations * network.timesteps * passes)
    return int(min(given, MOST_IMAGES, max(8, most)))
