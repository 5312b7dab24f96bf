"""amx.cpp from torch: dense convolutions of stride 1 on the processor's AMX tiles (Intel)."""

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
WALK_COST = 25_000
"""Time that adding spike by spike takes at each pixel and step whatever spikes there, in products of the tiles."""
GRADIENT_WALK_COST = 7_000
"""The same of adding train by train to the weight gradient."""
COLUMNS = 16
"""Outputs of a tile: weights are padded to whole ones."""
MAPS = 32
"""Feature maps that one product of a weight gradient adds up."""
LEAST_MAPS = 16
"""Rows of a tile: fewer maps would leave most of it empty."""
MOST_PARTS = 16
PARTIAL_FLOATS = 1 << 23
"""Weight gradients that several runs of maps add up apart may take so many floats together."""


def available() -> bool:
    """Whether this processor has the tiles and the system lets this process use them."""
    return bool(library().has_matrix_tiles())


def suits(shape: ConvolutionShape) -> bool:
    """Whether the tiles are there and compute such a convolution: stride 1, equal maps, enough of them."""
    fills = shape.timesteps * shape.images >= LEAST_MAPS
    return fills and shape.stride == 1 and shape.kernel % 2 == 1 and available()


def beats_events(shape: ConvolutionShape, counts: Counts) -> bool:
    """Whether so many spikes are faster by tiles than one by one; decided by counts, the same on every run."""
    return _beats(shape, event_additions(shape, counts), WALK_COST)


def gradient_beats_events(shape: ConvolutionShape, counts: Counts) -> bool:
    """The same for the weight gradient, where a train is added once for every few steps."""
    return _beats(shape, gradient_additions(shape, counts), GRADIENT_WALK_COST)


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


def _beats(shape: ConvolutionShape, additions: int, walk_cost: int) -> bool:
    """Whether the tiles' products take less time than so many additions for each output and the walk to them."""
    pixels = shape.timesteps * shape.images * shape.height * shape.width
    inputs = shape.inputs + -shape.inputs % DEPTH
    products = PARTS * pixels * shape.kernel**2 * inputs
    return ADDITION_COST * additions * shape.outputs + walk_cost * pixels > products * shape.outputs
