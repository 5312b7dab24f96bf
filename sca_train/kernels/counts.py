"""How many spikes a layer's trains hold, which decides between adding them one by one and dense products."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from torch import Tensor

from sca_train.kernels.library import ConvolutionShape, call

SUBSET_STEPS = 4
"""Steps whose gradients one addition of the event-driven weight gradient covers."""


@dataclass(frozen=True)
class Counts:
    """Spikes in all trains, and how many trains have any."""

    spikes: int
    active: int


def count_spikes(trains: Tensor) -> Counts:
    """Counts of trains of any shape."""
    spikes, active = ctypes.c_int64(), ctypes.c_int64()
    call("count_spikes", trains, trains.element_size(), trains.numel(), ctypes.byref(spikes), ctypes.byref(active))
    return Counts(spikes.value, active.value)


def event_additions(shape: ConvolutionShape, counts: Counts) -> int:
    """Additions of one output's weights when spikes are added one by one, the border aside."""
    return shape.kernel**2 * counts.spikes


def gradient_additions(shape: ConvolutionShape, counts: Counts) -> int:
    """Additions to one output's weight gradient when trains are added one by one, the border aside."""
    return shape.kernel**2 * counts.active * -(-shape.timesteps // SUBSET_STEPS)
