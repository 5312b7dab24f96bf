"""DelayedLIF: the leaky neuron whose spikes take the threshold away in the next step, behind the leak."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from codegen.neurons.function_body import FunctionBody
from codegen.neurons.lif import LIF
from codegen.neurons.neuron import Integers, ResetKind


@dataclass(frozen=True, kw_only=True)
class DelayedLIF(LIF):
    """V = V' + drive, and the next step's V' = V - (V >> k) - (threshold if it spiked), tau = 2^k.

    snnTorch's ``Leaky`` with ``reset_mechanism="subtract"`` and ``reset_delay=True``, its defaults:
    mem[t] = beta * mem[t-1] + I[t] - threshold * (mem[t-1] spiked), so that a spike's threshold does not leak in the
    step that takes it away. V is tau times that membrane, in the unit of NeuronDescription's current, as LIF's is:
    beta is 1 - 1/tau, V is compared with tau * threshold, and what is added is tau times snnTorch's input. The leak
    rounds V itself, LIF's what the reset left of it. With half the threshold as ``v_init``, V was that before the first
    step and has leaked once when it begins: V' = half - (half >> k).
    """

    kind: ClassVar[str] = "DelayedLIF"
    resets: ClassVar[tuple[ResetKind, ...]] = ("soft",)
    delayed: ClassVar[bool] = True

    def initial(self, threshold: Integers) -> Integers:
        return self.after_silence(super().initial(threshold))

    def charge(self, potential: Integers, drive: Integers) -> Integers:
        return potential + drive

    def after_silence(self, potential: Integers) -> Integers:
        return potential - (potential >> self.leak_shift)

    def after_spike(self, potential: Integers, threshold: Integers) -> Integers:
        return super().after_spike(self.after_silence(potential), threshold)

    @classmethod
    def _initial(cls, body: FunctionBody, half: str) -> str:
        return body.node("Sub", [half, body.shifted(half, "tau", "half_leak", "half_leak")], "half_left")

    @classmethod
    def _charge(cls, body: FunctionBody, carried: str, drive: str, t: int) -> str:
        return body.node("Add", [carried, drive], f"potential_{t}")

    @classmethod
    def _after_silence(cls, body: FunctionBody, potential: str, t: int) -> str:
        return body.node("Sub", [potential, body.shifted(potential, "tau", f"leak_{t}", str(t))], f"leaked_{t}")
