"""The attributes in which a dataflow node carries a neuron."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codegen.neurons import NEURONS, NO_NEURON, Neuron

ATTRIBUTE_TYPES: dict[str, Any] = {
    "neuron": ("s", True, next(iter(NEURONS)), {NO_NEURON, *NEURONS}),
    "leakShift": ("i", False, 0),
    "resetMode": ("s", False, "hard", {"hard", "soft"}),
    "fracBits": ("i", True, 0),
    "halfStart": ("i", False, 0, {0, 1}),  # V starts at threshold >> 1, not 0
}
"""In FINN's form: kind of value, required, default, choices."""


def node_attributes(neuron: Neuron | None) -> dict[str, str | int]:
    """The attributes of a node with these neurons; None is the read-out."""
    if neuron is None:
        return {"neuron": NO_NEURON, "leakShift": 0, "resetMode": "hard", "fracBits": 0, "halfStart": 0}
    return {
        "neuron": neuron.kind,
        "leakShift": neuron.leak_shift,
        "resetMode": neuron.reset,
        "fracBits": neuron.frac_bits,
        "halfStart": int(neuron.half_start),
    }


def core_parameters(get: Callable[[str], Any]) -> dict[str, Any]:
    """The same of a core's spec, from the attributes that ``get`` gives by name."""
    return {
        "neuron": get("neuron"),
        "leak_shift": get("leakShift"),
        "reset": get("resetMode"),
        "frac_bits": get("fracBits"),
        "half_start": bool(get("halfStart")),
    }
