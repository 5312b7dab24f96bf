"""LateIF: the integrate-and-fire neuron that takes all steps in before it fires."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from codegen.neurons.function_body import FunctionBody
from codegen.neurons.if_ import IF
from codegen.neurons.neuron import Integers, ResetKind
from sca_train.recipe import LATE


@dataclass(frozen=True, kw_only=True)
class LateIF(IF):
    """IF with soft reset that is given the drive of all steps in the first one, and none in the others.

    So it sends clip(V // threshold, 0, T) spikes of the V that all steps add up to, in the first steps: as many as its
    rate-equivalent form, whenever the spikes that it reads arrive, and OR pooling is the maximum of such trains.
    """

    kind: ClassVar[str] = LATE
    resets: ClassVar[tuple[ResetKind, ...]] = ("soft",)
    late: ClassVar[bool] = True

    def drives(self, sums: Sequence[Integers], bias: Integers) -> list[Integers]:
        each = super().drives(sums, bias)
        total = np.sum(each, axis=0)
        return [total, *[np.zeros_like(total)] * (len(each) - 1)]

    @classmethod
    def _drives(cls, body: FunctionBody, drives: Sequence[str]) -> list[str]:
        total = drives[0]
        for t, drive in enumerate(drives[1:], start=1):
            total = body.node("Add", [total, drive], f"total_{t}")
        return [total, *drives[1:]]

    @classmethod
    def _charge(cls, body: FunctionBody, carried: str, drive: str, t: int) -> str:
        return super()._charge(body, carried, drive, t) if t == 0 else carried
