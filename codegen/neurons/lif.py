"""LIF: the leaky integrate-and-fire neuron, its potential tau times SpikingJelly's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from codegen.dialect import MAX_LEAK_SHIFT
from codegen.errors import ExportError
from codegen.neurons.function_body import FunctionBody
from codegen.neurons.neuron import Integers, Neuron
from sca_train.description import NeuronDescription

_LEAK_LUTS_PER_BIT = 1.3
"""What the leak adds to the LUTs of one step, for each bit of the potential (fitted to Yosys, 7 series)."""


@dataclass(frozen=True, kw_only=True)
class LIF(Neuron):
    """V = V - (V >> k) + drive, tau = 2^k, the shift rounding down."""

    kind: ClassVar[str] = "LIF"
    leaks: ClassVar[bool] = True

    def charge(self, potential: Integers, drive: Integers) -> Integers:
        return potential - (potential >> self.leak_shift) + drive

    @classmethod
    def _fold_leak(cls, description: NeuronDescription, where: str) -> int:
        tau = description.tau
        shift = round(float(np.log2(tau))) if tau > 0 else 0
        if shift < 1 or 2.0**shift != tau:
            raise ExportError(f"{where}: tau={tau} of its LIF neurons must be a power of two, 2 or more")
        return shift

    def level(self, threshold: float) -> float:
        return threshold * (1 << self.leak_shift)

    def attributes(self) -> dict[str, int]:
        return {**super().attributes(), "leak_shift": self.leak_shift}

    @classmethod
    def attribute_ranges(cls) -> dict[str, tuple[int, int]]:
        return {**super().attribute_ranges(), "leak_shift": (1, MAX_LEAK_SHIFT)}

    @classmethod
    def _declare(cls, body: FunctionBody) -> None:
        body.node("Pow", ["two", body.attribute("leak_shift")], "tau")

    @classmethod
    def _charge(cls, body: FunctionBody, carried: str, drive: str, t: int) -> str:
        leak = body.shifted(carried, "tau", f"leak_{t}", str(t))
        return body.node("Add", [body.node("Sub", [carried, leak], f"leaked_{t}"), drive], f"potential_{t}")

    @property
    def luts_per_bit(self) -> float:
        return super().luts_per_bit + _LEAK_LUTS_PER_BIT
