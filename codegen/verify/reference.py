"""The integer network in plain numpy, step by step: the reference model that tests compare ONNX Runtime with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codegen.network import IntegerConnection, IntegerLayer, IntegerNetwork
from codegen.neurons import Neuron
from sca_train.specs import IMAGE

Integers = NDArray[np.int64]


def run_reference(network: IntegerNetwork, images: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Logits int32 [N, classes] of images uint8 [N, H, W, C], or of event frames uint8 [N, T, H, W, C]."""
    return run_layers(network, images)[0]


def run_layers(network: IntegerNetwork, images: NDArray[np.uint8]) -> tuple[NDArray[np.int32], list[Integers]]:
    """Logits and, per layer with neurons, its spikes before pooling, 0/1 int64 [T, N, channels(, h, w)]."""
    outputs = {IMAGE: _image_steps(network, images.astype(np.int64))}
    sums: dict[str, Integers] = {}
    trains: list[Integers] = []
    logits = np.zeros((len(images), network.classes), np.int64)
    for layer in network.layers:
        total = sum(c.factor * _product(c, _summed_map(layer, outputs[c.source])) for c in layer.inputs)
        if layer.residual:
            total = total + sums[layer.residual]
        sums[layer.name] = np.asarray(total)
        neuron = layer.dynamics(network.frac_bits)
        if neuron is None:
            logits = (_per_channel(layer.sign, sums[layer.name]) * sums[layer.name] + layer.bias).sum(axis=0)
            break
        spikes = _spikes(layer, neuron, sums[layer.name])
        trains.append(spikes)
        outputs[layer.name] = np.stack([_pool(step, layer) for step in spikes])
    return logits.astype(np.int32), trains


def _image_steps(network: IntegerNetwork, images: Integers) -> Integers:
    """[T, N, C, H, W]"""
    if network.static_input:
        return np.stack([images.transpose(0, 3, 1, 2)] * network.timesteps)
    return np.stack([images[:, step].transpose(0, 3, 1, 2) for step in range(network.timesteps)])


def _summed_map(layer: IntegerLayer, steps: Integers) -> Integers:
    """What the connections of a layer read: a read-out may have the map summed, [T, N, channels]."""
    return steps.sum(axis=(3, 4)) if layer.map_pixels > 1 else steps


def _product(connection: IntegerConnection, steps: Integers) -> Integers:
    """The connection's term at all steps, before its factor."""
    if connection.weights is None:
        return steps
    return np.stack([_matrix_product(connection, connection.weights, step) for step in steps])


def _matrix_product(connection: IntegerConnection, weights: Integers, x: Integers) -> Integers:
    if connection.kind == "linear":
        return x.reshape(len(x), -1) @ weights.T
    above, left, below, right = connection.sides
    x = np.pad(x, ((0, 0), (0, 0), (above, below), (left, right)))
    kernel_h, kernel_w = weights.shape[2:]
    height = (x.shape[2] - kernel_h) // connection.stride + 1
    width = (x.shape[3] - kernel_w) // connection.stride + 1
    out = np.zeros((len(x), weights.shape[0], height, width), np.int64)
    for row in range(height):
        for column in range(width):
            top, left = row * connection.stride, column * connection.stride
            window = x[:, :, top : top + kernel_h, left : left + kernel_w]
            out[:, :, row, column] = np.einsum("nchw,ochw->no", window, weights)
    return out


def _per_channel(values: Integers, steps: Integers) -> Integers:
    """One value per channel, to go with [T, N, channels(, h, w)]."""
    return values.reshape(-1, *[1] * (steps.ndim - 3))


def _spikes(layer: IntegerLayer, neuron: Neuron, sums: Integers) -> Integers:
    sign, bias, threshold = (_per_channel(values, sums) for values in (layer.sign, layer.bias, layer.threshold))
    potential = np.broadcast_to(neuron.initial(threshold), sums[0].shape)
    spikes = []
    for drive in neuron.drives([sign * step for step in sums], bias):
        spike, potential = neuron.step(potential, drive, threshold)
        spikes.append(spike.astype(np.int64))
    return np.stack(spikes)


def _pool(x: Integers, layer: IntegerLayer) -> Integers:
    pool = layer.pool
    if pool == 1:
        return x
    images, channels, height, width = x.shape
    rows, columns = height // pool, width // pool
    windows = x[:, :, : rows * pool, : columns * pool].reshape(images, channels, rows, pool, columns, pool)
    return windows.sum(axis=(3, 5)) if layer.pool_kind == "avg" else windows.max(axis=(3, 5))
