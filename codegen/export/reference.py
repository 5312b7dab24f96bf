"""The integer network in plain numpy, step by step: the naive model that tests compare ONNX Runtime with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codegen.network import IntegerLayer, IntegerNetwork

Integers = NDArray[np.int64]


def run_reference(network: IntegerNetwork, images: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Logits int32 [N, classes] of images uint8 [N, H, W, C]."""
    return run_layers(network, images)[0]


def run_layers(network: IntegerNetwork, images: NDArray[np.uint8]) -> tuple[NDArray[np.int32], list[Integers]]:
    """Logits and, per layer with neurons, its spikes before pooling, 0/1 int64 [T, N, channels(, h, w)]."""
    pixels = images.astype(np.int64).transpose(0, 3, 1, 2)
    steps = np.stack([pixels] * network.timesteps)
    trains: list[Integers] = []
    logits = np.zeros((len(images), network.classes), np.int64)
    for layer in network.layers:
        acc = [_matrix_product(layer, step) for step in steps]
        if layer.neuron == "none":
            logits = np.sum([step + layer.bias for step in acc], axis=0)
            break
        spikes = _neuron(layer, acc, network.frac_bits)
        trains.append(spikes)
        steps = np.stack([_max_pool(step, layer.pool) for step in spikes])
    return logits.astype(np.int32), trains


def _matrix_product(layer: IntegerLayer, x: Integers) -> Integers:
    if layer.kind == "linear":
        return x.reshape(len(x), -1) @ layer.weights.T
    padding = layer.padding
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    kernel_h, kernel_w = layer.weights.shape[2:]
    height = (x.shape[2] - kernel_h) // layer.stride + 1
    width = (x.shape[3] - kernel_w) // layer.stride + 1
    out = np.zeros((len(x), layer.weights.shape[0], height, width), np.int64)
    for row in range(height):
        for column in range(width):
            top, left = row * layer.stride, column * layer.stride
            window = x[:, :, top : top + kernel_h, left : left + kernel_w]
            out[:, :, row, column] = np.einsum("nchw,ochw->no", window, layer.weights)
    return out


def _neuron(layer: IntegerLayer, acc: list[Integers], frac_bits: int) -> Integers:
    per_channel = (-1, 1, 1) if layer.kind == "conv" else (-1,)
    bias, threshold = layer.bias.reshape(per_channel), layer.threshold.reshape(per_channel)
    potential = np.zeros_like(acc[0])
    spikes = []
    for step in acc:
        if layer.neuron == "LIF":
            potential = potential - (potential >> layer.leak_shift)
        potential = potential + (step << frac_bits) + bias
        spike = potential >= threshold
        potential = np.where(spike, potential - threshold if layer.reset == "soft" else 0, potential)
        spikes.append(spike.astype(np.int64))
    return np.stack(spikes)


def _max_pool(x: Integers, pool: int) -> Integers:
    if pool == 1:
        return x
    images, channels, height, width = x.shape
    rows, columns = height // pool, width // pool
    x = x[:, :, : rows * pool, : columns * pool]
    return x.reshape(images, channels, rows, pool, columns, pool).max(axis=(3, 5))
