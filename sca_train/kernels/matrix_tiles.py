"""matrix_tiles.cpp from torch: dense convolutions of stride 1 on the processor's matrix tiles (Intel AMX)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sca_train.kernels.counts import Counts, event_additions, gradient_additions
from sca_train.kernels.library import ConvolutionShape, call, empty_maps, library, weight_rows, weights_of_rows

DEPTH = 32
"""Inputs of a tile: a product takes all of them however few a layer has."""
PARTS = 2
"""Products for one spike and weight, whose high and low parts are multiplied apart."""
ADDITION_COST = 50
"""Time of adding one spike's weights, or one train's gradients, over that of one product of the tiles."""
COLUMNS = 16
"""Outputs of a tile: weights are padded to whole ones."""
MAPS = 32
"""Feature maps that one product of a weight gradient adds up."""
MOST_PARTS = 16
PARTIAL_FLOATS = 1 << 23
"""Weight gradients that several runs of maps add up apart may take so many floats together."""


def available() -> bool:
    """Whether this processor has the tiles and the system lets this process use them."""
    return bool(library().has_matrix_tiles())


def suits(shape: ConvolutionShape) -> bool:
    """Whether the tiles are there and compute such a convolution: stride 1, maps that keep their size."""
    return shape.stride == 1 and shape.kernel % 2 == 1 and available()


def beats_events(shape: ConvolutionShape, counts: Counts) -> bool:
    """Whether so many spikes are faster by tiles than one by one; decided by counts, the same on every run."""
    return ADDITION_COST * event_additions(shape, counts) > _products(shape)


def gradient_beats_events(shape: ConvolutionShape, counts: Counts) -> bool:
    """The same for the weight gradient, where a train is added once for every few steps."""
    return ADDITION_COST * gradient_additions(shape, counts) > _products(shape)


def convolution(shape: ConvolutionShape, trains: Tensor, weight: Tensor) -> Tensor:
    """Sums [T * N, out, H, W], channels last, of spike trains [N, in, H, W] and weights [out, in, k, k]."""
    result = empty_maps(shape, shape.outputs)
    call("tile_convolution", shape, trains, trains.element_size(), weight_rows(weight, COLUMNS), result)
    return result


def input_gradient(shape: ConvolutionShape, gradient: Tensor, weight: Tensor) -> Tensor:
    """Gradient [T * N, in, H, W] of the spikes from that of the sums, both channels last."""
    turned = ConvolutionShape.from_buffer_copy(shape)
    turned.inputs, turned.outputs = shape.outputs, shape.inputs
    result = empty_maps(shape, shape.inputs)
    call("tile_convolution", turned, gradient, 0, weight_rows(weight.flip(2, 3).transpose(0, 1), COLUMNS), result)
    return result


def weight_gradient(shape: ConvolutionShape, trains: Tensor, gradient: Tensor) -> Tensor:
    """Gradient [out, in, k, k] of the weights from spike trains and the gradient of the sums, channels last."""
    rows = torch.empty((shape.kernel, shape.kernel, shape.inputs, shape.outputs + -shape.outputs % COLUMNS))
    groups = -(-shape.timesteps * shape.images // MAPS)
    parts = max(1, min(MOST_PARTS, groups, PARTIAL_FLOATS // math.prod(rows.shape)))
    call("tile_weight_gradient", shape, trains, trains.element_size(), gradient, parts, rows)
    return weights_of_rows(rows, shape.outputs)


def _products(shape: ConvolutionShape) -> int:
    """Products by tiles, for one output."""
    inputs = shape.inputs + -shape.inputs % DEPTH
    return PARTS * shape.timesteps * shape.images * shape.height * shape.width * shape.kernel**2 * inputs
