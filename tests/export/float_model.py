"""A described network in float64, one layer at a time: what its neurons do, as NeuronDescription says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sca_train.description import NetworkDescription
from sca_train.specs import IMAGE


@dataclass(frozen=True)
class FloatLayer:
    """Spikes bool and the distance of the potential from the threshold, [T, N, channels(, h, w)] each."""

    spikes: np.ndarray
    margins: np.ndarray


def float_layers(description: NetworkDescription, images, trains) -> tuple[list[FloatLayer], np.ndarray]:
    """Every layer on the given spike trains of the layers before it, and the logits [N, classes].

    ``trains``: 0/1 [T, N, ...] of each layer with neurons, before its pooling; so errors do not add up over layers.
    """
    frames = images.transpose(1, 0, 2, 3, 4) if images.ndim == 5 else np.stack([images] * description.timesteps)
    outputs = {IMAGE: frames.transpose(0, 1, 4, 2, 3) * description.input_scale}
    sums, results = {}, []
    logits = None
    for index, layer in enumerate(description.layers):
        total = sum(_term(connection, _averaged_map(layer, outputs[connection.source])) for connection in layer.inputs)
        total = total + sums[layer.residual] if layer.residual else total
        sums[layer.name] = total
        per_channel = (-1, *[1] * (total.ndim - 3))
        current = layer.norm_scale.reshape(per_channel) * total + layer.norm_shift.reshape(per_channel)
        if layer.neuron is None:
            logits = current.sum(axis=0)
            break
        results.append(_neuron(layer.neuron, current))
        outputs[layer.name] = _pool(layer, trains[index])
    return results, logits


def _averaged_map(layer, x):
    return x.mean((3, 4)) if layer.global_sum and x.ndim > 3 else x


def _term(connection, x):
    if connection.weights is None:
        return x
    real = connection.weights * connection.scale.reshape(-1, *[1] * (connection.weights.ndim - 1))
    if connection.kind == "linear":
        return x.reshape(*x.shape[:2], -1) @ real.T
    padding = connection.padding
    padded = np.pad(x, ((0, 0), (0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, real.shape[2:], (3, 4))
    windows = windows[:, :, :, :: connection.stride, :: connection.stride]
    return np.einsum("tnchwij,ocij->tnohw", windows, real)


def _neuron(neuron, current):
    potential = np.full_like(current[0], neuron.v_init * neuron.threshold)
    spikes, margins = [], []
    owed = np.zeros_like(potential)
    if neuron.kind == "LateIF":
        current = [current.sum(axis=0), *np.zeros_like(current[1:])]
    for step in current:
        potential = potential + ((step - potential) / neuron.tau if neuron.kind == "LIF" else step) - owed
        spike = potential > neuron.threshold if neuron.compare == "gt" else potential >= neuron.threshold
        margins.append(np.abs(potential - neuron.threshold))
        if neuron.reset == "delayed":
            owed = neuron.threshold * spike
        else:
            left = potential - neuron.threshold if neuron.reset == "soft" else 0.0
            potential = np.where(spike, left, potential)
        spikes.append(spike)
    return FloatLayer(np.array(spikes), np.array(margins))


def _pool(layer, train):
    if layer.pool == 1:
        return train.astype(np.float64)
    rows, columns = (size // layer.pool for size in train.shape[3:])
    cut = train[..., : rows * layer.pool, : columns * layer.pool]
    windows = cut.reshape(*train.shape[:3], rows, layer.pool, columns, layer.pool)
    return windows.mean(axis=(4, 6)) if layer.pool_kind == "avg" else windows.max(axis=(4, 6)).astype(np.float64)
