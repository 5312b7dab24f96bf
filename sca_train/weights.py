"""How many weights a network has, before any of them takes memory."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from sca_train.errors import TrainError
from sca_train.map_shapes import layer_shapes
from sca_train.specs import LayerSpec

MOST_WEIGHTS = 10**9
"""With gradients and the optimizer's state they take 16 GB."""


def weight_count(specs: Sequence[LayerSpec], input_shape: tuple[int, int, int], classes: int) -> int:
    """Weights of all connections and of the read-out; ValueError for specs that do not fit together."""
    _, after = layer_shapes(specs, input_shape)
    total = 0
    for spec in specs:
        for entry in spec.inputs:
            source = after[entry.source]
            taps = {"conv": prod(entry.taps), "linear": source.pixels, "identity": 0}[entry.kind]
            total += spec.channels * source.channels * taps
    last = after[specs[-1].name]
    return total + classes * last.channels * (1 if specs[-1].global_sum else last.pixels)


def check_weight_count(specs: Sequence[LayerSpec], input_shape: tuple[int, int, int], classes: int) -> None:
    """Raise TrainError for a network that is larger than any this project trains."""
    count = weight_count(specs, input_shape, classes)
    if count > MOST_WEIGHTS:
        raise TrainError(
            f"the network has {count:,} weights; at most {MOST_WEIGHTS:,} are trained, so make it narrower"
        )
