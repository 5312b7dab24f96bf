"""Spiking neurons on integers, one file a kind; whatever depends on a neuron's kind or parameters asks them."""

from __future__ import annotations

from codegen.neurons.delayed_lif import DelayedLIF
from codegen.neurons.if_ import IF
from codegen.neurons.late_if import LateIF
from codegen.neurons.lif import LIF
from codegen.neurons.neuron import Constants, Neuron, ResetKind
from sca_train.description import NeuronDescription

NEURONS: dict[str, type[Neuron]] = {neuron.kind: neuron for neuron in (IF, LIF, LateIF, DelayedLIF)}
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


def folded_neuron(description: NeuronDescription, frac_bits: int, where: str) -> Neuron:
    """The neuron that computes what training described.

    Raises ExportError, beginning with ``where``, for parameters that integers have no counterpart of.
    """
    kind: type[Neuron] = NEURONS[description.kind]
    if description.reset == "delayed" and kind is LIF:
        kind = DelayedLIF
    return kind.fold(description, frac_bits, where)


__all__ = [
    "IF",
    "LIF",
    "NEURONS",
    "NO_NEURON",
    "SUMS",
    "Constants",
    "DelayedLIF",
    "LateIF",
    "Neuron",
    "ResetKind",
    "folded_neuron",
    "neuron_of",
]
