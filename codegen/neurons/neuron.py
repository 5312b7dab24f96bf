"""What every spiking neuron is here: its parameters, a step on integers, its share of batch norm, its ONNX function."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np
import onnx
from numpy.typing import NDArray

from codegen.dialect import MAX_FRAC_BITS, MAX_TIMESTEPS
from codegen.errors import ExportError
from codegen.neurons.function_body import FunctionBody
from sca_train.description import NeuronDescription

ResetKind = Literal["hard", "soft"]
Compare = Literal["ge", "gt"]
"""Whether V spikes where it reaches its threshold, or where it exceeds it."""
Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

_LARGEST_LEVEL = 2.0**62
"""A threshold beyond any potential makes a silent channel; the limit only keeps the cast to int64 defined."""
_SAME_LEVEL = 1e-9
"""Share of a threshold that its computation in floating point may have lost."""
_STEP_LUTS_PER_BIT = 1.7
"""LUTs of one step for each bit of the potential: adder, comparator, hard reset (fitted to Yosys, 7 series)."""
_SOFT_RESET_LUTS_PER_BIT = 1.3
"""What the subtraction of a soft reset adds to that."""


@dataclass(frozen=True)
class Constants:
    """The integers of a layer: weights [out, in], bias and threshold [out]."""

    weights: Integers
    bias: Integers
    threshold: Integers


@dataclass(frozen=True, kw_only=True)
class Neuron(ABC):
    """A spiking neuron on integers; potential V, bias and threshold are scaled by 2^frac_bits.

    From V = ``initial(threshold)``, in each step V = ``charge(V, drive)`` with that step's of ``drives(sums, bias)``,
    and a spike where V >= threshold, which leaves 0 (hard reset) or V - threshold (soft reset), of which a
    ``DelayedLIF`` has lost its leak. ``leak_shift`` k: tau = 2^k, 0 without a leak. ``half_start``: V starts every
    frame at half the threshold instead of 0.
    """

    kind: ClassVar[str]
    """Its name in configurations, and that of its local function in model.onnx."""
    resets: ClassVar[tuple[ResetKind, ...]] = ("hard", "soft")
    """The resets that a network may have it with."""
    leaks: ClassVar[bool] = False
    """Whether V loses some of itself in each step."""
    delayed: ClassVar[bool] = False
    """Whether it loses that behind the comparison instead of before the drive."""
    late: ClassVar[bool] = False
    """Whether it fires on what all steps add up to, so that one sum serves them all."""

    leak_shift: int = 0
    reset: ResetKind
    half_start: bool = False
    frac_bits: int

    # A step on integers. Range analysis evaluates it on bounds: ``charge`` must grow with V and with the drive,
    # ``after_spike`` and ``after_silence`` with V.

    def initial(self, threshold: Integers) -> Integers:
        """V before the first step: 0, or ``threshold >> 1`` (rounded down)."""
        return threshold >> 1 if self.half_start else np.zeros_like(threshold)

    def drive(self, total: Integers, bias: Integers) -> Integers:
        """What a step adds to V, from the sum of the layer."""
        return (total << self.frac_bits) + bias

    def drives(self, sums: Sequence[Integers], bias: Integers) -> list[Integers]:
        """What each step adds to V, from the sums of the steps."""
        return [self.drive(total, bias) for total in sums]

    @abstractmethod
    def charge(self, potential: Integers, drive: Integers) -> Integers:
        """V before the reset of a step."""

    def after_silence(self, potential: Integers) -> Integers:
        """What is left of V after a step in which it has not reached the threshold."""
        return potential

    def after_spike(self, potential: Integers, threshold: Integers) -> Integers:
        """What is left of V where it has reached the threshold."""
        return potential - threshold if self.reset == "soft" else np.zeros_like(potential)

    def step(self, potential: Integers, drive: Integers, threshold: Integers) -> tuple[NDArray[np.bool_], Integers]:
        """Whether it spikes, and V after the step; arrays of any shapes that broadcast."""
        charged = self.charge(potential, drive)
        spikes = charged >= threshold
        return spikes, np.where(spikes, self.after_spike(charged, threshold), self.after_silence(charged))

    # From training

    @classmethod
    def fold(cls, description: NeuronDescription, frac_bits: int, where: str) -> Self:
        """The neuron that computes what training described.

        Raises ExportError, beginning with ``where``, for parameters that integers have no counterpart of.
        """
        leak_shift = cls._fold_leak(description, where)
        if description.v_init not in (0.0, 0.5):
            raise ExportError(
                f"{where}: its neurons start at {description.v_init:g} of their threshold; only 0 and 0.5 are possible"
            )
        if not description.threshold > 0:
            raise ExportError(f"{where}: its threshold is {description.threshold}, but must be above 0")
        reset = cls._fold_reset(description, where)
        return cls(leak_shift=leak_shift, reset=reset, half_start=description.v_init == 0.5, frac_bits=frac_bits)

    @classmethod
    def _fold_reset(cls, description: NeuronDescription, where: str) -> ResetKind:
        """Without a leak a delayed reset is a soft one: nothing happens to V between the two."""
        reset: ResetKind = "hard" if description.reset == "hard" else "soft"
        if reset not in cls.resets:
            raise ExportError(
                f"{where}: its {cls.kind} neurons have {reset} reset; only {cls.resets[0]} reset is possible"
            )
        return reset

    @classmethod
    def _fold_leak(cls, description: NeuronDescription, where: str) -> int:
        return 0

    def level(self, threshold: float) -> float:
        """What V is compared with, in the unit of the current, for a threshold of training."""
        return threshold

    def fold_channels(
        self, unit: Floats, shift: Floats, level: float, compare: Compare = "ge"
    ) -> tuple[Integers, Integers]:
        """Bias and threshold [out] of channels whose current is ``unit * sum + shift``, float64 [out], unit above 0.

        With ``step = unit / 2^frac_bits`` the real threshold is x = level / step units of V. Where spikes are
        V >= x (``compare`` "ge"), the threshold is x rounded. Where they are V > x ("gt") it is floor(x) + 1, the least
        integer above x, so that on integers the comparison is exact; an x within rounding errors of an integer counts
        as that one. A soft reset then takes up to one unit more than x away, where rounding takes up to half a unit
        more or less: after n spikes V is at most n units, n * 2^-frac_bits of the sum's, too low, less what leaks away
        of that (no more than tau units in all). Where every drive is a whole number of the sum's units, as without
        biases, and nothing leaks, no spike differs until 2^frac_bits of them have come. A hard reset is exact.
        """
        step = unit / (1 << self.frac_bits)
        bias = np.rint(shift / step).astype(np.int64)
        with np.errstate(over="ignore"):
            exact = np.minimum(level / step, _LARGEST_LEVEL)
        nearest = np.rint(exact)
        if compare == "ge":
            return bias, nearest.astype(np.int64)
        whole = np.abs(exact - nearest) <= _SAME_LEVEL * exact
        return bias, np.where(whole, nearest, np.floor(exact)).astype(np.int64) + 1

    # In model.onnx

    def attributes(self) -> dict[str, int]:
        """Of its node, but for ``timesteps``, and ``half_start``, which only some networks have."""
        return {"frac_bits": self.frac_bits, "soft_reset": int(self.reset == "soft")}

    @classmethod
    def from_attributes(cls, attribute: Callable[[str, int], int]) -> Self:
        """The neuron of a node; ``attribute`` gives a value by name and default."""
        return cls(
            leak_shift=attribute("leak_shift", 0),
            reset="soft" if attribute("soft_reset", 0) else "hard",
            half_start=bool(attribute("half_start", 0)),
            frac_bits=attribute("frac_bits", 0),
        )

    @classmethod
    def attribute_ranges(cls) -> dict[str, tuple[int, int]]:
        """The least and the largest value of each attribute of its node, all ints."""
        return {
            "timesteps": (1, MAX_TIMESTEPS),
            "frac_bits": (0, MAX_FRAC_BITS),
            "soft_reset": (int("hard" not in cls.resets), int("soft" in cls.resets)),
            "half_start": (0, 1),
        }

    @classmethod
    def function(cls, timesteps: int, half_start: bool) -> onnx.FunctionProto:
        """Its local function over T steps: current [T, ...] float32 or int32 -> spikes float32, arithmetic in int32.

        ``half_start``: the function has the attribute of that name; else V starts at 0.
        """
        body = FunctionBody()
        body.constant("zero", 0)
        body.constant("two", 2)
        body.node("Pow", ["two", body.attribute("frac_bits")], "one")
        body.attribute("soft_reset")
        cls._declare(body)
        body.node("Cast", ["current"], "acc", to=onnx.TensorProto.INT32)
        body.node("Mul", ["acc", "one"], "scaled")
        body.node("Add", ["scaled", "bias"], "drive")
        drives = cls._drives(body, body.split("drive", timesteps))
        carried = ""
        if half_start:
            half = cls._initial(body, body.shifted("threshold", "two", "half", "half"))
            carried = body.node("Mul", [half, body.attribute("half_start")], "initial")
        for t in range(timesteps):
            potential = cls._charge(body, carried, drives[t], t) if carried else drives[t]
            body.node("Sub", [potential, "threshold"], f"excess_{t}")
            body.node("GreaterOrEqual", [f"excess_{t}", "zero"], f"spike_{t}")
            silent = cls._after_silence(body, potential, t)
            left = f"excess_{t}" if silent == potential else body.node("Sub", [silent, "threshold"], f"left_{t}")
            # Soft reset leaves V - threshold, hard reset leaves 0.
            body.node("Mul", [left, "soft_reset"], f"reset_{t}")
            carried = body.node("Where", [f"spike_{t}", f"reset_{t}", silent], f"carried_{t}")
        body.node("Concat", [f"spike_{t}" for t in range(timesteps)], "train", axis=0)
        body.node("Cast", ["train"], "spikes", to=onnx.TensorProto.FLOAT)
        return body.function(cls.kind, ["current", "bias", "threshold"], ["spikes"], ("timesteps",))

    @classmethod
    def _drives(cls, body: FunctionBody, drives: Sequence[str]) -> list[str]:
        """Append ``drives``; what the steps are given, from the drives of their own sums."""
        return list(drives)

    @classmethod
    def _initial(cls, body: FunctionBody, half: str) -> str:
        """Append ``initial`` of half the threshold; returns its result."""
        return half

    @classmethod
    def _after_silence(cls, body: FunctionBody, potential: str, t: int) -> str:
        """Append ``after_silence`` of step t; returns its result."""
        return potential

    @classmethod
    @abstractmethod
    def _declare(cls, body: FunctionBody) -> None:
        """Append what ``_charge`` needs once, beside ``zero`` and ``two``."""

    @classmethod
    @abstractmethod
    def _charge(cls, body: FunctionBody, carried: str, drive: str, t: int) -> str:
        """Append ``charge`` of step t; returns its result, ``potential_<t>``."""

    # In hardware

    @property
    def luts_per_bit(self) -> float:
        """LUTs of the hardware of one step for each bit of the potential, by estimate."""
        return _STEP_LUTS_PER_BIT + (_SOFT_RESET_LUTS_PER_BIT if self.reset == "soft" else 0)
