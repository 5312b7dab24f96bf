"""What one unit of each layer's integer sum is worth, so that the terms of an addition are integers of one kind.

The real value of a term is ``scale * unit(source) * (weights . x)`` with integers x: an image counts in units of the
input scale, the sum of a pooling window of p x p spikes in units of 1/p^2 (average pooling is sum pooling with the
factor folded away), spikes in units of 1. What a read-out with a global sum reads counts in units of its source over
the pixels of the map. Where terms meet, those units are powers of two of each other by training (up to the rounding of
the input scale): the smallest is the unit of the sum, and every term is shifted to it. A sum that continues from layer
to layer (``residual``) has one unit in all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codegen.arithmetic.shapes import summed_pixels
from codegen.errors import ExportError
from sca_train.description import ConnectionDescription, LayerDescription, NetworkDescription
from sca_train.specs import IMAGE, streams

TOLERANCE = 1e-6
"""Relative; float32 rounding of 1/255 and of the scales is below a tenth of it."""
LARGEST_SHIFT = 24
"""Units of one addition further apart than this leave int32 with any sum worth the name."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SumUnit:
    """Real value of 1 in a layer's sum (float64, one for all or per channel), and the factor of each connection.

    ``added``: the sum has several terms or other readers, so its weights cannot take a channel's sign.
    """

    unit: Floats
    factors: tuple[int, ...]
    added: bool


def sum_units(description: NetworkDescription) -> dict[str, SumUnit]:
    """The unit of every layer's sum, by layer name; raises ExportError naming a layer whose terms do not meet."""
    sources = {IMAGE: description.input_scale, **{layer.name: _spike_unit(layer) for layer in description.layers}}
    units = {}
    for layers in streams(description.layers):
        if _is_added(layers):
            smallest = _smallest(layers, sources)
            for layer in layers:
                factors = tuple(_factor(layer, c, sources[c.source], smallest) for c in layer.inputs)
                units[layer.name] = SumUnit(np.array(smallest), factors, added=True)
        else:
            connection = layers[0].inputs[0]
            unit = np.asarray(connection.scale, np.float64) * sources[connection.source]
            if layers[0].global_sum:
                unit = unit / summed_pixels(description)
            units[layers[0].name] = SumUnit(unit, (1,), added=False)
    return units


def _spike_unit(layer: LayerDescription) -> float:
    return 1 / layer.pool**2 if layer.pool_kind == "avg" else 1.0


def _is_added(layers: list[LayerDescription]) -> bool:
    return len(layers) > 1 or len(layers[0].inputs) > 1 or layers[0].inputs[0].weights is None


def _smallest(layers: list[LayerDescription], sources: dict[str, float]) -> float:
    return min(_common_unit(layer, c, sources[c.source]) for layer in layers for c in layer.inputs)


def _common_unit(layer: LayerDescription, connection: ConnectionDescription, source: float) -> float:
    """The unit of a connection that takes part in an addition: the same for all output channels."""
    units = np.asarray(connection.scale, np.float64).reshape(-1) * source
    if not (np.isfinite(units).all() and (units > 0).all()):
        raise ExportError(f"layer {layer.name!r}: the scale of {connection.name!r} is not finite and above 0")
    if not np.allclose(units, units[0], rtol=TOLERANCE, atol=0):
        raise ExportError(
            f"layer {layer.name!r}: {connection.name!r} takes part in an addition, but its scale differs from channel "
            f"to channel ({units.min() / source:.6g} to {units.max() / source:.6g}); one for all is needed"
        )
    return float(units[0])


def _factor(layer: LayerDescription, connection: ConnectionDescription, source: float, smallest: float) -> int:
    ratio = _common_unit(layer, connection, source) / smallest
    shift = round(float(np.log2(ratio)))
    if abs(ratio / 2.0**shift - 1) > TOLERANCE or shift > LARGEST_SHIFT:
        raise ExportError(
            f"layer {layer.name!r}: one unit of {connection.name!r} is {ratio:.8g} units of its sum, which cannot be "
            f"added as integers; powers of two up to 2^{LARGEST_SHIFT} can"
        )
    return 1 << shift
