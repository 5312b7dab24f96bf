"""winograd.cpp and winograd_integers.cpp from torch: dense 3x3 convolutions, and when they are faster than others."""

from __future__ import annotations

import torch
from torch import Tensor

from sca_train.kernels.counts import Counts, event_additions, gradient_additions
from sca_train.kernels.library import ConvolutionShape, call, empty_maps, vector_floats, weight_rows, weights_of_rows

TILE = 4
POSITIONS = (TILE + 2) ** 2
INTEGER_SCALE = (2 * 3 * 4) ** 2
"""How many times the sums come out of tiles in integers before they are divided."""
INT32_MAX = 2**31 - 1
LEAST_TILES = 192
"""With fewer, transforming the weights takes longer than the products save."""
BLOCK_VECTORS = 2
"""Columns of a product that winograd.h holds in registers; its weights are padded to such whole register blocks."""

EVENT_COST = 2.0
"""Time of adding one spike's weights over that of one Winograd product as long, both measured on AVX2."""
TRAIN_COST = 3.5
"""The same of adding one train's subset sum to the weight gradient: the gradient is read and written."""
TRANSFORM_COST = 8
"""Transforming a channel of a tile takes the time of its products with so many other channels."""


def suits(shape: ConvolutionShape) -> bool:
    """Whether a 3x3 convolution of stride 1 takes at most half as many products by tiles as plainly."""
    plain = shape.timesteps * shape.images * shape.height * shape.width * shape.inputs * 9
    return shape.kernel == 3 and shape.stride == 1 and 2 * _products(shape) <= plain


def beats_events(shape: ConvolutionShape, counts: Counts) -> bool:
    """Whether so many spikes are faster by tiles than one by one; decided by counts, the same on every run."""
    return EVENT_COST * event_additions(shape, counts) > _products(shape) * _overhead(shape)


def gradient_beats_events(shape: ConvolutionShape, counts: Counts) -> bool:
    """The same for the weight gradient, where a train is added once for every few steps."""
    return TRAIN_COST * gradient_additions(shape, counts) > _products(shape) * _overhead(shape)


def convolution(shape: ConvolutionShape, trains: Tensor, weight: Tensor) -> Tensor:
    """Sums [T * N, out, H, W], channels last, of spike trains [N, in, H, W] and weights [out, in, 3, 3]."""
    result = empty_maps(shape, shape.outputs)
    call("winograd_spike_convolution", shape, trains, trains.element_size(), weight_rows(weight, _panel()), result)
    return result


def suits_integers(shape: ConvolutionShape, largest: int, integers: Tensor) -> bool:
    """Whether sums of counts up to ``largest`` and int8 weights are exact by integer tiles, and faster without VNNI."""
    if not suits(shape) or _tiles(shape) < LEAST_TILES:
        return False
    most = shape.kernel**2 * shape.inputs * largest * max(int(integers.max()), -int(integers.min()))
    return most * INTEGER_SCALE <= INT32_MAX


def integer_convolution(shape: ConvolutionShape, counts: Tensor, integers: Tensor, scales: Tensor) -> Tensor:
    """Exact sums of counts uint8 [N, in, H, W] and weights int8, times ``scales`` [out], rounded once to float32."""
    result = empty_maps(shape, shape.outputs)
    rows = weight_rows(integers, _panel(), torch.int8)
    call("winograd_integer_convolution", shape, counts, rows, scales, result)
    return result


def spike_integer_convolution(shape: ConvolutionShape, trains: Tensor, integers: Tensor, scales: Tensor) -> Tensor:
    """The same [T * N, out, H, W] of spike trains [N, in, H, W]."""
    result = empty_maps(shape, shape.outputs)
    rows = weight_rows(integers, _panel(), torch.int8)
    call("winograd_spike_integer_convolution", shape, trains, trains.element_size(), rows, scales, result)
    return result


def input_gradient(shape: ConvolutionShape, gradient: Tensor, weight: Tensor) -> Tensor:
    """Gradient [T * N, in, H, W] of the inputs from that of the sums, both float32 or bf16 and channels last."""
    turned = ConvolutionShape.from_buffer_copy(shape)
    turned.inputs, turned.outputs = shape.outputs, shape.inputs
    result = empty_maps(shape, shape.inputs, gradient.dtype)
    rows = weight_rows(weight.flip(2, 3).transpose(0, 1), _panel())
    call("winograd_convolution", turned, gradient, gradient.element_size(), rows, result)
    return result


def weight_gradient(shape: ConvolutionShape, trains: Tensor, gradient: Tensor) -> Tensor:
    """Gradient [out, in, 3, 3] of the weights from spike trains and the gradient of the sums, channels last."""
    rows = torch.empty((3, 3, shape.inputs, shape.outputs + -shape.outputs % _panel()))
    call("winograd_weight_gradient", shape, trains, trains.element_size(), gradient, rows)
    return weights_of_rows(rows, shape.outputs)


def count_weight_gradient(shape: ConvolutionShape, counts: Tensor, gradient: Tensor) -> Tensor:
    """The same for counts uint8 [N, in, H, W], worth one each, and a gradient in float32 or bf16."""
    rows = torch.empty((3, 3, shape.inputs, shape.outputs + -shape.outputs % _panel()))
    call("winograd_count_weight_gradient", shape, counts, gradient, gradient.element_size(), rows)
    return weights_of_rows(rows, shape.outputs)


def _panel() -> int:
    return BLOCK_VECTORS * vector_floats()


def _tiles(shape: ConvolutionShape) -> int:
    return shape.timesteps * shape.images * -(-shape.height // TILE) * -(-shape.width // TILE)


def _products(shape: ConvolutionShape) -> int:
    """Products by tiles, for one output."""
    return _tiles(shape) * POSITIONS * shape.inputs


def _overhead(shape: ConvolutionShape) -> float:
    """Time of products and transforms over that of the products."""
    return 1 + TRANSFORM_COST / shape.inputs + TRANSFORM_COST / shape.outputs
