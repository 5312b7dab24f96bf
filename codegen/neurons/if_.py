"""IF: the integrate-and-fire neuron."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from codegen.neurons.function_body import FunctionBody
from codegen.neurons.neuron import Integers, Neuron


@dataclass(frozen=True, kw_only=True)
class IF(Neuron):
    """V = V + drive."""

    kind: ClassVar[str] = "IF"

    def charge(self, potential: Integers, drive: Integers) -> Integers:
        return potential + drive

    @classmethod
    def _declare(cls, body: FunctionBody) -> None:
        """Nothing: the drive is all that ``_charge`` adds."""

    @classmethod
    def _charge(cls, body: FunctionBody, carried: str, drive: str, t: int) -> str:
        return body.node("Add", [carried, drive], f"potential_{t}")
