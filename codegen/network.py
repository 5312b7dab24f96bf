"""The integer network: exactly what the hardware computes (docs/architecture.md, integer arithmetic)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from codegen.dialect import PIXEL_MAX
from codegen.neurons import NO_NEURON, Neuron, ResetKind, neuron_of
from sca_train.specs import IMAGE, Sides, four_sides

ConnectionKind = Literal["conv", "linear", "identity"]
PoolKind = Literal["max", "avg"]


@dataclass(frozen=True)
class IntegerConnection:
    """One term of a layer's sum: ``factor * (weights . x)``, of an identity ``factor * x``.

    ``source`` is IMAGE or the earlier layer whose spikes are read behind its pooling. ``weights`` int64
    [out, in, kh, kw] or [out, in] (input order c, h, w), None for an identity. ``factor`` is a power of two: it brings
    the terms of an addition to one unit.
    """

    name: str
    source: str
    kind: ConnectionKind
    weights: NDArray[np.int64] | None
    weight_bits: int
    stride: int
    padding: int | Sides
    """Zeros on all sides, or on each."""
    factor: int = 1

    @property
    def sides(self) -> Sides:
        """The padding on each side."""
        return four_sides(self.padding)


@dataclass(frozen=True)
class IntegerLayer:
    """A sum of connections with its integer neurons, or the read-out (``neuron`` "none").

    The sum is that of ``inputs``, plus the sum of the earlier layer ``residual`` unless that is empty; the neuron sees
    ``sign * sum``, ``sign`` int64 [out] of -1, 0 and +1 (all 1 where the weights could take the sign themselves).
    ``bias`` and ``threshold`` int64 [out], both scaled by 2^frac_bits (bias of the read-out: unscaled, added once per
    step; its threshold is all zero and unused). ``dynamics`` describes the neurons.
    ``pool`` is window and stride of the pooling, 1 for none: the maximum of spikes, or ("avg") their sum, 0..pool^2.
    ``map_pixels``: 1, or the pixels of the map over which the read-out sums each channel's spikes before its weights.
    """

    name: str
    inputs: tuple[IntegerConnection, ...]
    residual: str
    sign: NDArray[np.int64]
    neuron: str
    leak_shift: int
    reset: ResetKind
    bias: NDArray[np.int64]
    threshold: NDArray[np.int64]
    pool: int
    pool_kind: PoolKind = "max"
    half_start: bool = False
    map_pixels: int = 1

    def dynamics(self, frac_bits: int) -> Neuron | None:
        """The neurons, on values scaled by 2^frac_bits; None for the read-out."""
        return neuron_of(self.neuron, self.leak_shift, self.reset, self.half_start, frac_bits)

    @property
    def channels(self) -> int:
        return len(self.bias)

    @property
    def largest_output(self) -> int:
        """The largest value that readers of this layer see."""
        return self.pool**2 if self.pool_kind == "avg" else 1


@dataclass(frozen=True)
class IntegerNetwork:
    """An integer network in an order in which each layer follows what it reads; the last is the read-out.

    IMAGE is uint8 pixels [H, W, C], the same at every step (``static_input``), or event frames uint8 [T, H, W, C].
    """

    input_shape: tuple[int, int, int]
    static_input: bool
    timesteps: int
    frac_bits: int
    classes: int
    layers: tuple[IntegerLayer, ...]

    def largest_values(self) -> dict[str, int]:
        """The largest value of each source, by name."""
        return {IMAGE: PIXEL_MAX, **{layer.name: layer.largest_output for layer in self.layers}}

    @property
    def has_half_starts(self) -> bool:
        """Whether the potential of any layer starts at half its threshold."""
        return any(layer.half_start for layer in self.layers)

    def neurons(self) -> list[Neuron]:
        """Those of each layer that has some."""
        found = [layer.dynamics(self.frac_bits) for layer in self.layers]
        return [neuron for neuron in found if neuron is not None]

    def added_to(self) -> frozenset[str]:
        """Names of the layers whose sum another layer goes on with."""
        return frozenset(layer.residual for layer in self.layers if layer.residual)


def neuron_fields(neuron: Neuron | None) -> dict[str, Any]:
    """The fields of a layer with these neurons; None is the read-out."""
    if neuron is None:
        return {"neuron": NO_NEURON, "leak_shift": 0, "reset": "hard"}
    return {
        "neuron": neuron.kind,
        "leak_shift": neuron.leak_shift,
        "reset": neuron.reset,
        "half_start": neuron.half_start,
    }
