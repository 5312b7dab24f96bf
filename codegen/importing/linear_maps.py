"""Linear maps from one source's spikes, or pixels, to a map of sums: what lies between neurons, composed exactly.

A ``Term`` reads one source of grid [C, H, W]. Convolutions, pooling, scaling and matrices are applied to it one behind
the other; each gives one term again, or ``RefusedError`` where no single connection computes the same at every border.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Literal

import numpy as np

from codegen.importing.float_network import Floats
from sca_train.specs import Pair, windows

Grid = tuple[int, int, int]

MOST_WEIGHTS = 2**26
"""Of one connection that is written out as a matrix or a larger kernel."""


class RefusedError(Exception):
    """Why a network cannot be followed; the reason is the end of a sentence that begins with the node."""


@dataclass(frozen=True)
class Term:
    """One connection in the making.

    ``kind``: "direct" is ``weights`` [C] times each channel; "conv" has ``weights`` [out, C, kh, kw], ``stride`` and
    ``padding`` (above, left, below, right); "dense" has ``weights`` [out, C * H * W]; "mean" is ``weights`` [out, C]
    times the means of the channels over the map.
    """

    source: str
    grid: Grid
    kind: Literal["direct", "conv", "dense", "mean"]
    weights: Floats
    stride: Pair = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)

    @property
    def out_grid(self) -> Grid:
        """Channels, height and width of what this term gives."""
        if self.kind == "direct":
            return self.grid
        out = self.weights.shape[0]
        if self.kind != "conv":
            return (out, 1, 1)
        return (out, *map_size(self.grid[1:], self.weights.shape[2:], self.stride, self.padding))


def map_size(size: Pair, kernel: tuple[int, ...], stride: Pair, padding: tuple[int, int, int, int]) -> Pair:
    """Height and width behind a sliding window; RefusedError where no window fits."""
    found = windows(size, kernel, stride, padding)
    if min(found) < 1:
        raise RefusedError(f"has a window of {kernel[0]}x{kernel[1]} on a map of {size[0]}x{size[1]}, where none fits")
    return found


def direct(source: str, grid: Grid) -> Term:
    """The source itself."""
    return Term(source, grid, "direct", np.ones(grid[0]))


def convolved(term: Term, weights: Floats, stride: Pair, padding: tuple[int, int, int, int]) -> Term:
    """``weights`` [out, in, kh, kw] behind the term, as one connection."""
    map_size(term.out_grid[1:], weights.shape[2:], stride, padding)
    if term.kind == "direct":
        return replace(term, kind="conv", weights=weights * term.weights[:, None, None], stride=stride, padding=padding)
    if term.kind == "conv":
        return _two_convolutions(term, weights, stride, padding)
    if weights.shape[2:] != (1, 1) or any(padding):
        raise RefusedError("is a convolution over a map of one pixel, which only a kernel of 1x1 may be")
    return replace(term, weights=weights[:, :, 0, 0] @ term.weights)


def _two_convolutions(first: Term, weights: Floats, stride: Pair, padding: tuple[int, int, int, int]) -> Term:
    if any(padding):
        _check_zeros_around(first)
    inner, outer = first.weights.shape[2:], weights.shape[2:]
    kernel = tuple((outer[axis] - 1) * first.stride[axis] + inner[axis] for axis in (0, 1))
    shape = (weights.shape[0], first.weights.shape[1], *kernel)
    check_size(shape)
    joined = np.zeros(shape)
    for row in range(outer[0]):
        for column in range(outer[1]):
            top, left = row * first.stride[0], column * first.stride[1]
            joined[:, :, top : top + inner[0], left : left + inner[1]] += np.einsum(
                "om,mikl->oikl", weights[:, :, row, column], first.weights, optimize=True
            )
    rows, columns = first.stride
    added = (padding[0] * rows, padding[1] * columns, padding[2] * rows, padding[3] * columns)
    total = tuple(own + more for own, more in zip(first.padding, added, strict=True))
    joint_stride = (stride[0] * rows, stride[1] * columns)
    return replace(first, weights=joined, stride=joint_stride, padding=(total[0], total[1], total[2], total[3]))


def _check_zeros_around(first: Term) -> None:
    """Windows beyond the border of ``first``'s map would have to see nothing but zeros."""
    height, width = first.out_grid[1:]
    fits = all(first.weights.shape[2 + axis] <= first.stride[axis] for axis in (0, 1))
    reaches = height * first.stride[0] >= first.grid[1] and width * first.stride[1] >= first.grid[2]
    if any(first.padding) or not fits or not reaches:
        raise RefusedError(
            "pads the sums of another convolution or pooling with no neurons between, "
            "which no single convolution computes alike at the border"
        )


def dense(term: Term, weights: Floats) -> Term:
    """``weights`` [out, elements of the term's map] behind the term, as one connection."""
    if term.kind == "direct":
        return replace(term, kind="dense", weights=weights * np.repeat(term.weights, term.grid[1] * term.grid[2]))
    term = of_means(term)
    if term.kind == "mean":
        return replace(term, weights=weights @ term.weights)
    return replace(written_out(term), weights=weights @ written_out(term).weights)


def of_means(term: Term) -> Term:
    """The same term as weights of the channels' means, where it is a convolution whose one window averages the map."""
    if term.kind != "conv" or term.weights.shape[2:] != term.grid[1:] or any(term.padding) or term.grid[1:] == (1, 1):
        return term
    if (term.weights != term.weights[:, :, :1, :1]).any():
        return term
    return Term(term.source, term.grid, "mean", term.weights[:, :, 0, 0] * (term.grid[1] * term.grid[2]))


def written_out(term: Term) -> Term:
    """The same term as a matrix [elements of its map, elements of its source]; RefusedError where that is too large."""
    if term.kind == "dense":
        return term
    channels, height, width = term.grid
    inputs = channels * height * width
    out_channels, rows, columns = term.out_grid
    check_size((out_channels * rows * columns, inputs))
    if term.kind == "mean":
        pixels = height * width
        return Term(term.source, term.grid, "dense", np.repeat(term.weights / pixels, pixels, axis=1))
    if term.kind == "direct":
        return Term(term.source, term.grid, "dense", np.diag(np.repeat(term.weights, height * width)))
    top, left, below, right = term.padding
    matrix = np.zeros((out_channels, rows, columns, channels, height + top + below, width + left + right))
    for row in range(rows):
        for column in range(columns):
            y, x = row * term.stride[0], column * term.stride[1]
            window = np.s_[y : y + term.weights.shape[2], x : x + term.weights.shape[3]]
            matrix[:, row, column, :, window[0], window[1]] = term.weights
    inside = matrix[..., top : top + height, left : left + width]
    return Term(term.source, term.grid, "dense", inside.reshape(out_channels * rows * columns, inputs))


def scaled(term: Term, factor: Floats) -> Term:
    """Each channel of the term's map times ``factor`` [channels]."""
    return replace(term, weights=term.weights * factor.reshape(-1, *[1] * (term.weights.ndim - 1)))


def added(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """The same sum with terms that read one source through one kind of connection as one."""
    merged: list[Term] = []
    for term in terms:
        for index, other in enumerate(merged):
            alike = (other.source, other.kind, other.stride, other.padding, other.weights.shape) == (
                (term.source, term.kind, term.stride, term.padding, term.weights.shape)
            )
            if alike:
                merged[index] = replace(other, weights=other.weights + term.weights)
                break
        else:
            merged.append(term)
    return tuple(merged)


def depthwise(factor: Floats, kernel: Pair) -> Floats:
    """Weights [C, C, kh, kw] that give each channel the sum of a window of its own times ``factor`` [C]."""
    channels = len(factor)
    check_size((channels, channels, *kernel))
    weights = np.zeros((channels, channels, *kernel))
    weights[np.arange(channels), np.arange(channels)] = factor[:, None, None]
    return weights


def check_size(shape: tuple[int, ...], where: str = "in one connection") -> None:
    """Raise RefusedError for more weights than are written out; ``where`` they would stand, in its sentence."""
    if prod(shape) > MOST_WEIGHTS:
        sizes = "x".join(map(str, shape))
        raise RefusedError(f"would need {sizes} weights {where}, and at most {MOST_WEIGHTS} are written out")
