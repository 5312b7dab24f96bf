"""Spiking neurons on integers, one file a kind; whatever depends on a neuron's kind or parameters asks them."""

from __future__ import annotations

from codegen.neurons.if_ import IF
from codegen.neurons.late_if import LateIF
from codegen.neurons.lif import LIF
from codegen.neurons.neuron import Constants, Neuron, ResetKind

NEURONS: dict[str, type[Neuron]] = {neuron.kind: neuron for neuron in (IF, LIF, LateIF)}
"""By kind, in the order of their functions in model.onnx."""

NO_NEURON = "none"
"""In place of a kind, for the read-out."""

SUMS = "sums"
"""In place of a kind, for a product whose sums are sent on as they are."""


def neuron_of(kind: str, leak_shift: int, reset: ResetKind, half_start: bool, frac_bits: int) -> Neuron | None:
    """The neuron of that kind and those parameters; None for NO_NEURON and SUMS."""
    if kind in (NO_NEURON, SUMS):
        return None
    return NEURONS[kind](leak_shift=leak_shift, reset=reset, half_start=half_start, frac_bits=frac_bits)


__all__ = ["IF", "LIF", "NEURONS", "NO_NEURON", "SUMS", "Constants", "LateIF", "Neuron", "ResetKind", "neuron_of"]
