"""NeuronBank: spiking neurons on a stream of sums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from codegen.arithmetic.ranges import Interval, signed_bits, widths_of_sum
from codegen.cores.core import Attribute, Constant, Fold, FollowerCore, Frame, Rendered, Stream, Tensor, divisors
from codegen.cores.memory import rom_resources
from codegen.cores.neuron_memory import check_constant, constant_lines
from codegen.cores.rendering import Language, render
from codegen.cores.steps import step_stream, step_tensor, step_values
from codegen.dialect import MAX_TIMESTEPS
from codegen.errors import FoldingError, RenderError
from codegen.fit import Resources
from codegen.neurons import NEURONS, Neuron, ResetKind, neuron_of

# Fitted to Yosys results (7 series), which ``python -m bench.residual_luts`` repeats.
_CONTROL_LUTS = 10
"""Fold and interval counters, handshakes and pipeline valids."""
_UNIT_LUTS = 3
"""Counter and spikes of one neuron unit, beside what its step takes."""
_CURRENT_LUTS_PER_BIT = 0.6
"""Of each bit of a step's current: sign and bias in one adder."""
_CHOICE_LUTS_PER_BIT = 1 / 3
"""Of each bit of a current that a unit chooses, for each further step that it works."""


@dataclass(frozen=True)
class BankConstants:
    """Integers of the channels, [channels] each: sign -1, 0 or +1 of the sum, bias and threshold."""

    sign: NDArray[np.int64]
    bias: NDArray[np.int64]
    threshold: NDArray[np.int64]


@dataclass(frozen=True)
class NeuronBank(FollowerCore):
    """[vectors, channels] of T signed sums in, of spike trains UINT{T} out; widths are in bits, all but T signed.

    A step adds ``(sign * sum << frac_bits) + bias`` to the potential; without ``signs`` every sign is +1.
    static_sums: one sum per channel, the same at all steps. timesteps T in 1..32; tp steps per cycle, divides T.
    half_start: the potential starts at ``threshold >> 1`` instead of 0. pe channels per stream word; pe divides
    channels.
    """

    op: ClassVar[str] = "NeuronBank"
    attributes: ClassVar[tuple[Attribute, ...]] = (
        Attribute("NumChannels", "i", ("channels",), 0),
        Attribute("PE", "i", ("pe",), 1),
        Attribute("T", "i", ("timesteps",), 1),
        Attribute("TP", "i", ("tp",), 1),
        Attribute("inputDataType", "bits", ("sum_bits",), ""),
        Attribute("staticSums", "flag", ("static_sums",), 0, required=False),
        Attribute("signs", "flag", ("signs",), 0, required=False),
        Attribute("potentialBits", "i", ("potential_bits",), 0),
        Attribute("biasBits", "i", ("bias_bits",), 0),
        Attribute("thresholdBits", "i", ("threshold_bits",), 0),
        Attribute("neuron", "s", ("neuron",), next(iter(NEURONS)), allowed=frozenset(NEURONS)),
        Attribute("leakShift", "i", ("leak_shift",), 0, required=False),
        Attribute("resetMode", "s", ("reset",), "hard", required=False, allowed=frozenset({"hard", "soft"})),
        Attribute("fracBits", "i", ("frac_bits",), 0),
        Attribute("halfStart", "flag", ("half_start",), 0, required=False),
        Attribute("numInputVectors", "count", ("vectors",), [1]),
        Attribute("numInputVectors", "shape", ("vector_shape",), [1]),  # leading 1: the batch
        Attribute("layer", "s", (), "", required=False),  # name of the layer in model.onnx
    )
    folds: ClassVar[tuple[Fold, ...]] = (
        Fold("PE", "pe", "channels", "channels"),
        Fold("TP", "tp", "timesteps", "time steps"),
    )
    sources: ClassVar[Mapping[Language, tuple[str, ...]]] = {
        "hls": ("trip_count.hpp", "integers.hpp", "lanes.hpp", "neuron.hpp", "neuron_bank.hpp"),
        "rtl": (
            "constant_rom.sv",
            "constant_times.sv",
            "neuron_serial.sv",
            "neuron_chain.sv",
            "output_stage.sv",
            "neuron_bank.sv",
        ),
    }

    vectors: int
    channels: int
    pe: int
    timesteps: int
    tp: int
    sum_bits: int
    static_sums: bool
    signs: bool
    neuron: str
    leak_shift: int
    reset: ResetKind
    half_start: bool
    frac_bits: int
    potential_bits: int
    bias_bits: int
    threshold_bits: int
    vector_shape: tuple[int, ...] = field(default=(), compare=False, repr=False)
    """``vectors`` as the dataflow graph has them, [1, rows, columns] of a map."""
    constants: BankConstants | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        where = f"NeuronBank {self.name!r}"
        if self.pe < 1 or self.channels % self.pe:
            raise FoldingError(f"{where}: PE={self.pe} does not divide the {self.channels} channels of the layer")
        if not 1 <= self.timesteps <= MAX_TIMESTEPS:
            raise FoldingError(f"{where}: T={self.timesteps} is outside 1..{MAX_TIMESTEPS}")
        if self.tp < 1 or self.timesteps % self.tp:
            raise FoldingError(f"{where}: TP={self.tp} does not divide T={self.timesteps}")

    @property
    def dynamics(self) -> Neuron:
        """The neuron."""
        neuron = neuron_of(self.neuron, self.leak_shift, self.reset, self.half_start, self.frac_bits)
        assert neuron is not None
        return neuron

    @property
    def sum_steps(self) -> int:
        """Sums of a channel."""
        return 1 if self.static_sums else self.timesteps

    @property
    def neuron_folds(self) -> int:
        return self.channels // self.pe

    @property
    def words(self) -> int:
        return self.vectors * self.neuron_folds

    @property
    def cycles(self) -> int:
        return self.words * self.timesteps // self.tp

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (step_stream(self.pe, self.sum_steps, self.sum_bits, True, self.words),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (step_stream(self.pe, self.timesteps, 1, False, self.words),)

    @property
    def input_tensors(self) -> tuple[Tensor, ...]:
        return (step_tensor(self.vector_shape or (self.vectors,), self.channels, self.sum_steps, True),)

    @property
    def output_tensors(self) -> tuple[Tensor, ...]:
        return (step_tensor(self.vector_shape or (self.vectors,), self.channels, self.timesteps, False),)

    @property
    def constant_inputs(self) -> tuple[Constant, ...]:
        """Bias and threshold, and the signs where there are some."""
        bias = Constant("bias", (self.channels,), f"INT{self.bias_bits}")
        threshold = Constant("threshold", (self.channels,), f"INT{self.threshold_bits}")
        return (bias, threshold, *((Constant("sign", (self.channels,), "INT2"),) if self.signs else ()))

    def with_constants(self, *values: NDArray[Any]) -> Self:
        bias, threshold, *rest = (value.astype(np.int64) for value in values)
        sign = rest[0] if rest else np.ones_like(bias)
        return replace(self, constants=BankConstants(sign, bias, threshold))

    def with_lanes(self, lanes: int, port: int = 0) -> Self:
        return self.refolded({"pe": lanes // self.sum_steps})

    def paces(self) -> tuple[int, ...]:
        return tuple(self.words * self.timesteps // tp for tp in divisors(self.timesteps))

    def within(self, cycles: int) -> Self:
        for tp in divisors(self.timesteps):
            folded = self.refolded({"tp": tp})
            if folded.cycles <= cycles:
                break
        return folded

    def reference(self, *frames: Frame) -> tuple[Frame, ...]:
        constants, neuron = self._constants(), self.dynamics
        sums = step_values(frames[0], self.sum_steps, self.sum_bits, True)
        # [vectors, channels, steps]
        sums = sums.reshape(self.vectors, self.channels, self.sum_steps)
        potential = np.broadcast_to(neuron.initial(constants.threshold), sums.shape[:2])
        trains = np.zeros(sums.shape[:2], np.int64)
        steps = [constants.sign * sums[..., 0 if self.static_sums else t] for t in range(self.timesteps)]
        for t, drive in enumerate(neuron.drives(steps, constants.bias)):
            spiked, potential = neuron.step(potential, drive, constants.threshold)
            trains |= spiked.astype(np.int64) << t
        return (trains.reshape(-1, self.pe),)

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        """Random neurons: with and without signs, static, one step a cycle, leak, resets, half start."""
        plain = cls("lint_bank", 6, 8, 2, 4, 4, 9, False, False, "IF", 0, "hard", False, 4, 1, 1, 1)
        bank = replace(plain, name="lint_bank_signs", signs=True, tp=2, neuron="LIF", leak_shift=2, reset="soft")
        return tuple(
            core.with_random_constants(seed=0)
            for core in (
                plain,
                bank,
                replace(bank, name="lint_bank_late", neuron="LateIF", leak_shift=0),
                replace(bank, name="lint_bank_late_static", neuron="LateIF", leak_shift=0, static_sums=True),
                replace(bank, name="lint_bank_delayed", neuron="DelayedLIF", half_start=True),
                replace(bank, name="lint_bank_static", static_sums=True, tp=1, half_start=True),
                replace(plain, name="lint_bank_one_step", timesteps=1, tp=1, pe=8, frac_bits=0),
            )
        )

    def with_random_constants(self, seed: int) -> Self:
        """The core with constants, and every width as they and any sums need it."""
        rng = np.random.default_rng(seed)
        low, high = -(1 << (self.sum_bits - 1)), (1 << (self.sum_bits - 1)) - 1
        sign = rng.integers(-1, 2, self.channels) if self.signs else np.ones(self.channels, np.int64)
        spread = max(2, (high - low) << self.frac_bits)
        bias = rng.integers(-spread // 4, spread // 4 + 1, self.channels)
        threshold = rng.integers(1, spread, self.channels)
        return self.fitted(BankConstants(sign, bias, threshold))

    def fitted(self, constants: BankConstants) -> Self:
        """The core with these constants, and every width as they and any sums of ``sum_bits`` need it."""
        reach = np.full(self.channels, 1 << (self.sum_bits - 1))
        acc = Interval(-reach, reach - 1).times(constants.sign)
        widths = widths_of_sum(acc, self.timesteps, self.dynamics, constants.bias, constants.threshold)
        return replace(
            self,
            potential_bits=widths.potential_bits,
            bias_bits=widths.bias_bits,
            threshold_bits=widths.threshold_bits,
            constants=constants,
        )

    @property
    def stored_bias_bits(self) -> int:
        """Width of the bias in the neuron memory, where a channel of sign -1 has 2^frac_bits more for each sum."""
        if not self.signs:
            return self.bias_bits
        most = 1 << (self.bias_bits - 1)
        return signed_bits(np.array([-most, most - 1 + (self._bias_factor << self.frac_bits)]))

    @property
    def _bias_factor(self) -> int:
        """Neurons that fire late add their bias once for all steps."""
        return self.timesteps if self.dynamics.late else 1

    @property
    def memory_bits(self) -> int:
        return self.channels * (self.stored_bias_bits + self.threshold_bits + (2 if self.signs else 0))

    def operation_counts(self) -> dict[str, int]:
        return {f"param_threshold_{self.threshold_bits}b": self.channels}

    def resources(self) -> Resources:
        """A unit for each of tp steps and pe channels, the currents' adders and the constants' memory."""
        units = self.pe * self.tp
        current_bits = min(
            max(self.sum_bits, self.bias_bits - self.frac_bits) + 1, max(1, self.potential_bits - self.frac_bits)
        )
        currents = self.pe * self.sum_steps * current_bits
        lut = _CONTROL_LUTS + units * (_UNIT_LUTS + self.dynamics.luts_per_bit * self.potential_bits)
        lut += _CURRENT_LUTS_PER_BIT * currents
        if not self.static_sums:
            lut += units * current_bits * (self.timesteps // self.tp - 1) * _CHOICE_LUTS_PER_BIT
        ff = self.inputs[0].bits + currents * (self.tp + 1) / 2 + units * (self.potential_bits + self.threshold_bits)
        rom = rom_resources(self.memory_bits // self.neuron_folds, self.neuron_folds, "distributed")
        return Resources(lut=round(lut), ff=round(ff), bram36=0, dsp=0) + rom

    def render(self, language: Language, folder: Path) -> Rendered:
        """The instance with its constants; raises RenderError when one does not fit its width."""
        constants = self._constants()
        where = f"NeuronBank {self.name!r}"
        check_constant(where, "biases", self._bias_factor * constants.bias, self.channels, self.bias_bits)
        check_constant(where, "thresholds", constants.threshold, self.channels, self.threshold_bits)
        check_constant(where, "signs", constants.sign, self.channels, 2)
        if np.min(constants.sign) < -1 or (not self.signs and np.min(constants.sign) < 1):
            raise RenderError(
                f"{where}: the sign {np.min(constants.sign)} is not {'-1, 0 or +1' if self.signs else '+1'}"
            )
        values: dict[str, object] = self.parameters() | {
            "in_bits": self.inputs[0].bits,
            "out_bits": self.outputs[0].bits,
        }
        if language == "rtl":
            return self._render_rtl(constants, values, folder)
        wide = max(self.bias_bits, self.threshold_bits) > 32
        values |= {
            "constant_type": "std::int64_t" if wide else "std::int32_t",
            "words": self.words,
            **{name: ", ".join(map(str, value.tolist())) for name, value in vars(constants).items()},
        }
        header = f"{self.name}.hpp"
        render("hls", "neuron_bank_instance.hpp.j2", values, folder / header)
        return Rendered((header,))

    def _render_rtl(self, constants: BankConstants, values: dict[str, object], folder: Path) -> Rendered:
        one = 1 << self.frac_bits
        bias = self._bias_factor * (constants.bias + np.where(constants.sign < 0, one, 0))
        fields = [
            (bias, self.stored_bias_bits),
            (constants.threshold, self.threshold_bits),
            (constants.sign, 2 if self.signs else 0),
        ]
        wrapper, memory = f"{self.name}.sv", f"{self.name}_neurons.hex"
        (folder / memory).write_text(constant_lines(fields, self.neuron_folds))
        values |= {
            "in_padded": self.inputs[0].padded_bits,
            "out_padded": self.outputs[0].padded_bits,
            "leaks": self.dynamics.leaks,
            "delayed": self.dynamics.delayed,
            "late": self.dynamics.late,
            "stored_bias_bits": self.stored_bias_bits,
        }
        render("rtl", "neuron_bank_wrapper.sv.j2", values, folder / wrapper)
        return Rendered((wrapper,), (memory,))

    def _constants(self) -> BankConstants:
        if self.constants is None:
            raise RenderError(f"NeuronBank {self.name!r} has no constants")
        return self.constants
