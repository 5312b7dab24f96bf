"""The read-only memory of neurons' constants: one word for each fold of channels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codegen.errors import RenderError


def constant_lines(fields: Sequence[tuple[NDArray[np.int64], int]], folds: int) -> str:
    """Text for $readmemh: a word of each fold, its channels from the low bits up, the fields of each likewise.

    A field is one signed integer per channel and its width in bits; width 0 leaves it out. Raises RenderError where one
    does not fit its width.
    """
    for values, bits in fields:
        if bits:
            check_constant("neuron memory", "constants", values, values.size, bits)
    stride = sum(bits for _, bits in fields)
    channels = [values.reshape(folds, -1) for values, _ in fields]
    lanes = channels[0].shape[1]
    digits = -(-lanes * stride // 4)
    lines = []
    for fold in range(folds):
        word = place = 0
        for lane in range(lanes):
            for values, (_, bits) in zip(channels, fields, strict=True):
                word |= (int(values[fold, lane]) & ((1 << bits) - 1)) << place
                place += bits
        lines.append(f"{word:0{digits}x}\n")
    return "".join(lines)


def check_constant(where: str, label: str, values: NDArray[np.int64], channels: int, bits: int) -> None:
    """Raise RenderError unless there is one value per channel, and all fit signed ``bits``."""
    if np.shape(values) != (channels,):
        raise RenderError(f"{where}: {label} of shape {np.shape(values)} were given, it needs ({channels},)")
    if np.min(values) < -(1 << (bits - 1)) or np.max(values) >= 1 << (bits - 1):
        raise RenderError(f"{where}: {label} from {np.min(values)} to {np.max(values)} do not fit {bits} signed bits")
