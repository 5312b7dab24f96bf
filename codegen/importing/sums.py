"""The sum that reaches a node: terms of several sources, a constant, and the shape in which the node sees it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from codegen.importing import linear_maps
from codegen.importing.float_network import Floats
from codegen.importing.linear_maps import Grid, RefusedError, Term
from codegen.importing.operators import Convolution, Flatten, Linear, Pool, Scale


@dataclass(frozen=True)
class Sum:
    """``terms`` of one grid [C, H, W], plus ``bias`` [C], seen as ``shape``, whose elements are the grid's in order."""

    shape: tuple[int, ...]
    grid: Grid
    terms: tuple[Term, ...]
    bias: Floats

    @property
    def is_map(self) -> bool:
        """Whether the shape shows the map's channels, rows and columns."""
        return self.shape == self.grid or (len(self.shape) == 2 and self.shape == (self.grid[0], self.grid[2]))


def of_source(source: str, grid: Grid, shape: tuple[int, ...]) -> Sum:
    """The spikes or pixels of a source themselves."""
    return Sum(shape, grid, (linear_maps.direct(source, grid),), np.zeros(grid[0]))


def total(sums: list[Sum]) -> Sum:
    """What several edges into one node give."""
    first = sums[0]
    if any(other.shape != first.shape for other in sums):
        shapes = " and ".join(sorted({shown(other.shape) for other in sums}))
        raise RefusedError(f"adds up maps of different shapes, {shapes}")
    if any(other.grid != first.grid for other in sums):
        sums = [as_vector(other) for other in sums]
    terms = linear_maps.added(tuple(term for other in sums for term in other.terms))
    bias = np.sum([other.bias for other in sums], axis=0)
    return Sum(first.shape, sums[0].grid, terms, bias)


def as_vector(value: Sum) -> Sum:
    """The same elements as a grid of one pixel with as many channels."""
    channels, height, width = value.grid
    if height * width == 1:
        return value
    terms = tuple(linear_maps.written_out(term) for term in value.terms)
    return Sum(value.shape, (channels * height * width, 1, 1), terms, np.repeat(value.bias, height * width))


def convolution(value: Sum, operator: Convolution) -> Sum:
    """The sum behind a convolution."""
    if not value.is_map or len(value.shape) not in (operator.dimensions + 1, 3):
        raise RefusedError(f"is a convolution of {operator.dimensions} dimensions over the shape {shown(value.shape)}")
    inputs = operator.weights.shape[1]
    if inputs != value.grid[0]:
        raise RefusedError(f"has weights for {inputs} channels and is given {value.grid[0]}")
    if operator.size not in (None, value.grid[1:]):
        raise RefusedError(f"says that it reads {shown(operator.size or ())} and is given {shown(value.grid[1:])}")
    spread = operator.weights.sum(axis=(2, 3)) @ value.bias
    if any(operator.padding) and value.bias.any():
        raise RefusedError(
            "pads sums that have a bias, with no neurons between, which no single convolution computes alike"
        )
    terms = tuple(
        linear_maps.convolved(term, operator.weights, operator.stride, operator.padding) for term in value.terms
    )
    grid = terms[0].out_grid
    shape = grid if len(value.shape) == 3 else (grid[0], grid[2])
    return Sum(shape, grid, terms, spread + operator.bias)


def linear(value: Sum, operator: Linear) -> Sum:
    """The sum behind a matrix; a map in front of it is read in the order c, h, w."""
    out, inputs = operator.weights.shape
    elements = int(np.prod(value.shape))
    if inputs != elements:
        raise RefusedError(f"has weights for {inputs} inputs and is given {shown(value.shape)}, {elements} elements")
    bias = operator.weights @ np.repeat(value.bias, elements // value.grid[0]) + operator.bias
    terms = tuple(linear_maps.dense(term, operator.weights) for term in value.terms)
    return Sum((out,), (out, 1, 1), terms, bias)


def pool(value: Sum, operator: Pool) -> Sum:
    """The sum behind an average or a sum over windows, as a convolution with equal weights."""
    factor = 1.0 / (operator.kernel[0] * operator.kernel[1]) if operator.kind == "avg" else 1.0
    weights = linear_maps.depthwise(np.full(value.grid[0], factor), operator.kernel)
    return convolution(value, Convolution(weights, np.zeros(value.grid[0]), operator.stride, operator.padding))


def scale(value: Sum, operator: Scale) -> Sum:
    """The sum times a factor, plus a shift: by channel, or by element where the sum is a vector."""
    for parameter in (operator.factor, operator.shift):
        if by_channel(parameter, value) is None:
            if len(value.shape) > 1:
                raise RefusedError("has another factor for each pixel; one for each channel is possible")
            value = as_vector(value)
    factor, shift = (cast(Floats, by_channel(parameter, value)) for parameter in (operator.factor, operator.shift))
    terms = tuple(linear_maps.scaled(term, factor) for term in value.terms)
    return replace(value, terms=terms, bias=value.bias * factor + shift)


def flatten(value: Sum, operator: Flatten) -> Sum:
    """The sum seen as fewer dimensions."""
    dimensions = len(value.shape)
    start, end = (at + dimensions if at < 0 else at for at in (operator.start, operator.end))
    if not 0 <= start <= end < dimensions:
        raise RefusedError(f"flattens dimensions {operator.start} to {operator.end} of the shape {shown(value.shape)}")
    joined = int(np.prod(value.shape[start : end + 1]))
    return replace(value, shape=(*value.shape[:start], joined, *value.shape[end + 1 :]))


def by_channel(parameter: Floats, value: Sum) -> Floats | None:
    """A parameter that broadcasts to the sum's shape, as one value per channel of its grid; None where it is not."""
    while parameter.ndim > len(value.shape) and parameter.shape[0] == 1:
        parameter = parameter[0]
    wrong = RefusedError(f"has parameters of shape {shown(parameter.shape)} for {shown(value.shape)}")
    if parameter.size > 1 and parameter.ndim < len(value.shape):
        # One value per channel, never one per column, whatever the sizes are.
        if parameter.shape != value.shape[:1]:
            raise wrong
        parameter = parameter.reshape(-1, *[1] * (len(value.shape) - 1))
    try:
        full = np.broadcast_to(parameter, value.shape)
    except ValueError:
        raise wrong from None
    by_pixel = full.reshape(value.grid[0], -1)
    if (by_pixel != by_pixel[:, :1]).any():
        return None
    return np.array(by_pixel[:, 0], np.float64)


def shown(shape: tuple[int, ...]) -> str:
    """A shape in a sentence."""
    return "x".join(str(int(size)) for size in shape) or "a single number"
