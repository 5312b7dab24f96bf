"""What training hands to later stages: a compact network as plain arrays, free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class NeuronDescription:
    """A spiking neuron as SpikingJelly defines it (multi-step, V = 0 before the first step).

    ``kind`` IF: V += I; LIF: V += (I - V) / tau with ``tau`` a power of two (``decay_input=True``).
    """

    kind: Literal["IF", "LIF"]
    reset: Literal["hard", "soft"]
    threshold: float
    tau: float


@dataclass(frozen=True)
class LayerDescription:
    """One convolution or fully connected layer with its batch norm and neuron.

    ``weights`` are the integers of the quantizer, int8 [out, in, kh, kw] or [out, in] (input order c, h, w);
    the real weight is ``weights * scale`` with ``scale`` float64 [out] (all equal in the read-out layer).
    The current into the neuron is ``norm_scale * (weights * scale) . x + norm_shift`` per output channel (float64).
    A layer without neuron is the read-out. ``pool`` is the window and stride of the max pooling after it, 1 for none.
    """

    name: str
    kind: Literal["conv", "linear"]
    weights: NDArray[np.int8]
    weight_bits: int
    scale: NDArray[np.float64]
    norm_scale: NDArray[np.float64]
    norm_shift: NDArray[np.float64]
    stride: int
    padding: int
    neuron: NeuronDescription | None
    pool: int


@dataclass(frozen=True)
class NetworkDescription:
    """A compact feed-forward network; layer 0 sees pixels ``uint8 * input_scale``, all others spikes."""

    input_shape: tuple[int, int, int]
    """Height, width, channels of one uint8 image."""
    input_scale: float
    timesteps: int
    classes: int
    layers: tuple[LayerDescription, ...]
