"""The integer network: exactly what the hardware computes (docs/architecture.md, integer arithmetic)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

NeuronKind = Literal["none", "IF", "LIF"]
ResetKind = Literal["hard", "soft"]


@dataclass(frozen=True)
class IntegerLayer:
    """One matrix-vector layer with integer weights and its integer neuron, or the read-out (``neuron = "none"``).

    ``weights`` int64 [out, in, kh, kw] or [out, in]; ``bias`` and ``threshold`` int64 [out], both scaled by 2^frac_bits
    (bias of the read-out: unscaled, added once per step; its threshold is all zero and unused).
    ``leak_shift`` k: tau = 2^k (0 for IF). Linear layers see their input in (c, h, w) order.
    """

    name: str
    kind: Literal["conv", "linear"]
    weights: NDArray[np.int64]
    weight_bits: int
    stride: int
    padding: int
    neuron: NeuronKind
    leak_shift: int
    reset: ResetKind
    bias: NDArray[np.int64]
    threshold: NDArray[np.int64]
    pool: int


@dataclass(frozen=True)
class IntegerNetwork:
    """A feed-forward integer network; layer 0 reads uint8 pixels (NHWC), every other layer spike trains."""

    input_shape: tuple[int, int, int]
    timesteps: int
    frac_bits: int
    classes: int
    layers: tuple[IntegerLayer, ...]
