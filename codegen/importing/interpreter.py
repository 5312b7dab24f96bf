"""A ``FloatNetwork`` computed step by step in float64, as its framework would: what everything else is measured on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from codegen.errors import ImportingError
from codegen.importing.float_network import FloatConnection, FloatLayer, FloatNetwork, FloatNeuron
from sca_train.specs import IMAGE

BATCH = 64


@dataclass(frozen=True)
class Trace:
    """What a layer did, [T, N, ...] each: float64 currents and potentials, and bool spikes, before pooling.

    The potentials are those compared with the threshold, before any reset. ``...`` is (channels, rows, columns), or
    (channels) of a layer of connections that are all linear.
    """

    current: NDArray[np.float64]
    potential_before_reset: NDArray[np.float64]
    spikes: NDArray[np.bool_]


def run(network: FloatNetwork, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The logits, float64 [N, classes], of uint8 images [N, H, W, C], or frames [N, T, H, W, C].

    Raises ImportingError for images of another shape or type.
    """
    _check(network, images)
    return logits_of_frames(network, images)


def logits_of_frames(network: FloatNetwork, images: NDArray[np.uint8] | NDArray[np.float64]) -> NDArray[np.float64]:
    """The same of numbers that are no uint8; shapes are not checked."""
    logits = np.zeros((len(images), network.classes))
    for begin in range(0, len(images), BATCH):
        for layers in _steps(network, images[begin : begin + BATCH]):
            logits[begin : begin + BATCH] += layers[network.layers[-1].name].current.numpy()
    return logits


def traces(network: FloatNetwork, images: NDArray[np.uint8]) -> dict[str, Trace]:
    """What every layer with neurons does on a few images (all are held in memory); shapes and errors as ``run``."""
    _check(network, images)
    steps = list(_steps(network, images))
    return {layer.name: _trace(layer, [step[layer.name] for step in steps]) for layer in network.layers[:-1]}


def _check(network: FloatNetwork, images: NDArray[np.uint8]) -> None:
    wanted = network.input_shape if network.static_input else (network.timesteps, *network.input_shape)
    if images.dtype != np.uint8 or images.shape[1:] != wanted:
        raise ImportingError(
            f"the images are {images.dtype} of the shape {images.shape}, and the network takes uint8 of "
            f"(N, {', '.join(map(str, wanted))})"
        )


@dataclass(frozen=True)
class _Step:
    """One layer in one time step, [N, C, H, W] each but for the read-out's current, [N, classes]."""

    current: Tensor
    potential: Tensor
    spikes: Tensor


def _steps(network: FloatNetwork, images: NDArray[np.uint8] | NDArray[np.float64]) -> Iterator[dict[str, _Step]]:
    weights = {
        connection.name: None if connection.weights is None else torch.from_numpy(connection.weights).double()
        for layer in network.layers
        for connection in layer.inputs
    }
    potentials: dict[str, Tensor] = {}
    frames = torch.from_numpy(np.ascontiguousarray(images)).double() * network.input_scale
    for index in range(network.timesteps):
        outputs = {IMAGE: (frames if network.static_input else frames[:, index]).permute(0, 3, 1, 2)}
        step: dict[str, _Step] = {}
        for layer in network.layers:
            current = _current(layer, outputs, weights)
            if layer.neuron is None:
                step[layer.name] = _Step(current.flatten(1), current, current)
                continue
            threshold = _per_channel(layer.threshold)
            before = potentials.get(layer.name)
            if before is None:
                before = torch.zeros_like(current) + layer.neuron.v_init * threshold
            potential = layer.neuron.decay * before + current
            if layer.neuron.reset == "delayed" and layer.name in potentials:
                potential = potential - threshold * _fired(layer.neuron, before, threshold)
            spikes = _fired(layer.neuron, potential, threshold)
            potentials[layer.name] = _left(layer.neuron, potential, spikes, threshold)
            outputs[layer.name] = _pooled(layer, spikes)
            step[layer.name] = _Step(current, potential, spikes)
        yield step


def _current(layer: FloatLayer, outputs: dict[str, Tensor], weights: dict[str, Tensor | None]) -> Tensor:
    terms = [
        _term(connection, weights[connection.name], outputs[connection.source], layer.global_sum)
        for connection in layer.inputs
    ]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return _per_channel(layer.gain) * total + _per_channel(layer.shift)


def _term(connection: FloatConnection, weights: Tensor | None, source: Tensor, global_sum: bool) -> Tensor:
    if weights is None:
        return source
    if connection.kind == "linear":
        values = source.mean((2, 3)) if global_sum else source.flatten(1)
        return functional.linear(values, weights)[:, :, None, None]
    top, left, below, right = connection.padding
    padded = functional.pad(source, (left, right, top, below))
    return functional.conv2d(padded, weights, stride=connection.stride)


def _per_channel(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).double()[:, None, None]


def _fired(neuron: FloatNeuron, potential: Tensor, threshold: Tensor) -> Tensor:
    return (potential >= threshold if neuron.compare == "ge" else potential > threshold).double()


def _left(neuron: FloatNeuron, potential: Tensor, spikes: Tensor, threshold: Tensor) -> Tensor:
    if neuron.reset == "hard":
        return potential * (1 - spikes)
    return potential - threshold * spikes if neuron.reset == "soft" else potential


def _pooled(layer: FloatLayer, spikes: Tensor) -> Tensor:
    if layer.pool == 1:
        return spikes
    pooling = functional.max_pool2d if layer.pool_kind == "max" else functional.avg_pool2d
    return pooling(spikes, layer.pool)


def _trace(layer: FloatLayer, steps: list[_Step]) -> Trace:
    vector = all(connection.kind == "linear" for connection in layer.inputs)

    def stacked(values: list[Tensor]) -> NDArray[np.float64]:
        array = torch.stack(values).numpy()
        return array[:, :, :, 0, 0] if vector else array

    spikes = stacked([step.spikes for step in steps]).astype(np.bool_)
    return Trace(stacked([step.current for step in steps]), stacked([step.potential for step in steps]), spikes)
