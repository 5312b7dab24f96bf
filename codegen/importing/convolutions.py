"""NIR's convolutions as kernels of one stride: groups and dilation are written out as zeros among the weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import nir
import numpy as np

from codegen.importing.float_network import Floats
from codegen.importing.linear_maps import RefusedError, check_size
from codegen.importing.operators import Convolution
from sca_train.specs import Pair

MOST_KERNEL = 2**12
_SPREAD = "with its groups and dilation"


def of_one_dimension(node: nir.Conv1d) -> Convolution:
    """A convolution along rows of height 1."""
    weights = floats(node.weight, "weight")
    if weights.ndim != 3:
        raise RefusedError(f"has weights of {weights.ndim} dimensions, and a Conv1d has three (out, in, length)")
    stride, dilation = (1, whole(node.stride, "stride", 1)), (1, whole(node.dilation, "dilation", 1))
    padding = node.padding if isinstance(node.padding, str) else (0, whole(node.padding, "padding"))
    convolution = built(weights[:, :, None, :], node.bias, stride, padding, dilation, node.groups, dimensions=1)
    return replace(
        convolution, size=None if node.input_shape is None else (1, pair(node.input_shape, "input_shape")[1])
    )


def of_two_dimensions(node: nir.Conv2d) -> Convolution:
    """A convolution over rows and columns."""
    weights = floats(node.weight, "weight")
    if weights.ndim != 4:
        raise RefusedError(f"has weights of {weights.ndim} dimensions, and a Conv2d has four (out, in, height, width)")
    padding = node.padding if isinstance(node.padding, str) else pair(node.padding, "padding", 0)
    stride, dilation = pair(node.stride, "stride"), pair(node.dilation, "dilation")
    convolution = built(weights, node.bias, stride, padding, dilation, node.groups, dimensions=2)
    return replace(convolution, size=None if node.input_shape is None else pair(node.input_shape, "input_shape"))


def built(
    weights: Floats, bias: Any, stride: Pair, padding: Pair | str, dilation: Pair, groups: Any, dimensions: int
) -> Convolution:
    """The convolution of ``weights`` [out, in / groups, kh, kw], with padding "same" as PyTorch has it.

    Raises RefusedError where bias, groups and weights do not belong together, or where written out they are too large.
    """
    if not weights.size:
        raise RefusedError("has no weights")
    groups = whole(groups, "groups", 1)
    out = weights.shape[0]
    if out % groups:
        raise RefusedError(f"has {out} outputs in {groups} groups, and the groups must divide them")
    bias = np.zeros(out) if bias is None else floats(bias, "bias").reshape(-1)
    if bias.size not in (1, out):
        raise RefusedError(f"has {bias.size} biases for {out} outputs")
    spread = _grouped(_dilated(weights, dilation), groups)
    sides = _sides(padding, spread.shape[2:], stride)
    return Convolution(spread, np.broadcast_to(bias, (out,)).copy(), stride, sides, dimensions)


def _dilated(weights: Floats, dilation: Pair) -> Floats:
    rows, columns = ((size - 1) * step + 1 for size, step in zip(weights.shape[2:], dilation, strict=True))
    if max(rows, columns) > MOST_KERNEL:
        raise RefusedError(f"has a kernel of {rows}x{columns} with its dilation, and at most {MOST_KERNEL} is possible")
    check_size((*weights.shape[:2], rows, columns), _SPREAD)
    spread = np.zeros((*weights.shape[:2], rows, columns))
    spread[:, :, :: dilation[0], :: dilation[1]] = weights
    return spread


def _grouped(weights: Floats, groups: int) -> Floats:
    if groups == 1:
        return weights
    out, inputs = weights.shape[:2]
    check_size((out, inputs * groups, *weights.shape[2:]), _SPREAD)
    spread = np.zeros((out, inputs * groups, *weights.shape[2:]))
    for group in range(groups):
        rows = slice(group * out // groups, (group + 1) * out // groups)
        spread[rows, group * inputs : (group + 1) * inputs] = weights[rows]
    return spread


def _sides(padding: Pair | str, kernel: tuple[int, ...], stride: Pair) -> tuple[int, int, int, int]:
    if not isinstance(padding, str):
        return (*padding, *padding)
    if padding == "valid":
        return (0, 0, 0, 0)
    if padding != "same":
        raise RefusedError(f"has the padding {padding!r}, and it must be 'same', 'valid' or numbers")
    if stride != (1, 1):
        raise RefusedError("has padding 'same' with a stride above 1, which PyTorch and NIR do not define")
    rows, columns = (size - 1 for size in kernel)
    return (rows // 2, columns // 2, rows - rows // 2, columns - columns // 2)


def floats(values: Any, what: str) -> Floats:
    """Numbers as float64; RefusedError for text, complex numbers, NaN and infinity."""
    array = np.asarray(values)
    if array.dtype.kind not in "iufb":
        raise RefusedError(f"has a {what} that is no number")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise RefusedError(f"has a {what} of NaN or infinity, and it must be finite")
    return array


def whole(value: Any, what: str, least: int | None = None) -> int:
    """One integer of at least ``least``; RefusedError for anything else."""
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "iuf" or float(array.reshape(-1)[0]) % 1:
        raise RefusedError(f"has the {what} {value!r}, and it must be one whole number")
    number = int(array.reshape(-1)[0])
    if least is not None and number < least:
        raise RefusedError(f"has the {what} {number}, and it must be {least} or more")
    return number


def pair(value: Any, what: str, least: int = 1) -> Pair:
    """Two integers, or one for both directions."""
    array = np.atleast_1d(np.asarray(value)).reshape(-1)
    if array.size not in (1, 2):
        raise RefusedError(f"has {array.size} values as {what}, and it must have one or two")
    return whole(array[0], what, least), whole(array[-1], what, least)
