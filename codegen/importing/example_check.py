"""What was followed of a module against what the module computed on its example."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codegen.importing.float_network import FloatNetwork, Floats
from codegen.importing.interpreter import logits_of_frames

_CLOSE = 1e-3
"""Of the largest logit: beyond rounding in float32."""


def difference_note(network: FloatNetwork, example: Tensor, leading: int, result: Tensor) -> tuple[str, ...]:
    """A sentence where the logits of the module are not those of the network up to a factor, else none.

    ``example`` and ``result``: what the module took and gave, ``leading`` dimensions in front of one sample of the
    example. Frames of another number than the network's steps, and results of another shape, are not compared.
    """
    frames, wanted = _frames(network, example, leading), _logits(network, result, len(example) if leading == 1 else 0)
    if frames is None or wanted is None or len(frames) != len(wanted):
        return ()
    found = logits_of_frames(network, frames)
    square = float(np.square(wanted).sum())
    factor = float((found * wanted).sum()) / square if square else 0.0
    largest = float(np.abs(found).max(initial=0.0))
    if factor > 0 and np.abs(found - factor * wanted).max() <= _CLOSE * largest:
        return ()
    if not largest and not square:
        return ()
    return (
        "On the example the module's result is not the sum or mean over the steps of what was followed: perhaps it is "
        "of one step only. Compare both on images of yours.",
    )


def _frames(network: FloatNetwork, example: Tensor, leading: int) -> NDArray[np.float64] | None:
    height, width, channels = network.input_shape
    if network.static_input != (leading == 1) or (leading > 1 and len(example) != network.timesteps):
        return None
    maps = example.detach().cpu().double().reshape(*example.shape[:leading], channels, height, width).movedim(-3, -1)
    samples: NDArray[np.float64] = (maps if leading == 1 else maps.transpose(0, 1)).numpy() / network.input_scale
    return samples


def _logits(network: FloatNetwork, result: Tensor, batch: int) -> Floats | None:
    """[N, classes], summed over the steps of a result [T, N, classes]."""
    values = result.detach().cpu().double()
    if values.dim() == 3 and values.shape[0] == network.timesteps:
        values = values.sum(0)
    fits = values.dim() == 2 and values.shape[1] == network.classes and batch in (0, len(values))
    return values.numpy() if fits and bool(torch.isfinite(values).all()) else None
