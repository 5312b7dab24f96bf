"""ResidualAdd: the sum of two streams, step by step, each times a power of two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from codegen.cores.core import FIFO_DEPTHS, Attribute, Fold, FollowerCore, Frame, Rendered, Stream, Tensor
from codegen.cores.rendering import Language, render
from codegen.cores.steps import MAX_ELEMENT_BITS, step_stream, step_tensor, step_values
from codegen.cores.stream_instance import StreamInstance, write_node
from codegen.dialect import MAX_TIMESTEPS
from codegen.errors import FoldingError, SimulationError
from codegen.fit import Resources

# Fitted to Yosys results (7 series), which ``python -m bench.residual_luts`` repeats.
_CONTROL_LUTS = 4
_LUTS_PER_BIT = 0.5
"""Of each bit of a result in which both terms have one: its adder, two to a logic cell."""


@dataclass(frozen=True)
class Operand:
    """One input: integers of ``bits``, signed or not, the same at all steps or not, times ``factor``."""

    bits: int
    signed: bool
    static: bool
    factor: int

    @property
    def shifted_bits(self) -> int:
        """Signed width of its values times the factor."""
        return self.bits + (0 if self.signed else 1) + self.factor.bit_length() - 1


@dataclass(frozen=True)
class ResidualAdd(FollowerCore):
    """[vectors, channels] of two operands in, of signed ``output_bits`` sums out, for each of the T steps.

    An operand's integers are unsigned (spikes and counts, UINT{T * bits} elements) or signed (sums), or static, the
    same at all steps; see ``codegen.cores.steps``. Two static operands give a static sum. Its factor is a power of two.
    ``output_bits`` hold every sum, as range analysis says. pe channels per stream word; pe divides channels.
    """

    op: ClassVar[str] = "ResidualAdd"
    attributes: ClassVar[tuple[Attribute, ...]] = (
        Attribute("NumChannels", "i", ("channels",), 0),
        Attribute("PE", "i", ("pe",), 1),
        Attribute("T", "i", ("timesteps",), 1),
        # Of one step: INT or UINT.
        Attribute("firstDataType", "bits", ("first_bits",), ""),
        Attribute("firstDataType", "signed", ("first_signed",), ""),
        Attribute("secondDataType", "bits", ("second_bits",), ""),
        Attribute("secondDataType", "signed", ("second_signed",), ""),
        Attribute("firstStatic", "flag", ("first_static",), 0, required=False),
        Attribute("secondStatic", "flag", ("second_static",), 0, required=False),
        Attribute("factors", "ints", ("first_factor", "second_factor"), [1, 1], required=False),
        Attribute("outputDataType", "bits", ("output_bits",), ""),
        Attribute("numInputVectors", "count", ("vectors",), [1]),
        Attribute("numInputVectors", "shape", ("vector_shape",), [1]),  # leading 1: the batch
        Attribute("layer", "s", (), "", required=False),  # name of the layer in model.onnx
    )
    folds: ClassVar[tuple[Fold, ...]] = (Fold("PE", "pe", "channels", "channels"), Fold(FIFO_DEPTHS))
    sources: ClassVar[Mapping[Language, tuple[str, ...]]] = {
        "hls": ("trip_count.hpp", "integers.hpp", "lanes.hpp", "residual_add.hpp"),
        "rtl": ("residual_add.sv",),
    }
    input_ports: ClassVar[int] = 2

    vectors: int
    channels: int
    pe: int
    timesteps: int
    first_bits: int
    first_signed: bool
    second_bits: int
    second_signed: bool
    output_bits: int
    first_static: bool = False
    second_static: bool = False
    first_factor: int = 1
    second_factor: int = 1
    vector_shape: tuple[int, ...] = field(default=(), compare=False, repr=False)
    """``vectors`` as the dataflow graph has them, [1, rows, columns] of a map."""

    def __post_init__(self) -> None:
        where = f"ResidualAdd {self.name!r}"
        if self.pe < 1 or self.channels % self.pe:
            raise FoldingError(f"{where}: PE={self.pe} does not divide the {self.channels} channels of the layer")
        if not 1 <= self.timesteps <= MAX_TIMESTEPS:
            raise FoldingError(f"{where}: T={self.timesteps} is outside 1..{MAX_TIMESTEPS}")
        for number, operand in enumerate(self.operands):
            if operand.factor < 1 or operand.factor & (operand.factor - 1):
                raise FoldingError(f"{where}: the factor {operand.factor} of input {number} is not a power of two")
            if operand.shifted_bits > self.output_bits:
                raise FoldingError(
                    f"{where}: input {number} takes {operand.shifted_bits} signed bits, more than the "
                    f"{self.output_bits} of the sum"
                )
        widest = max(self.output_bits, *(stream.element_bits for stream in self.inputs))
        if widest > MAX_ELEMENT_BITS:
            raise FoldingError(f"{where}: an element of {widest} bits is wider than {MAX_ELEMENT_BITS}")

    @property
    def operands(self) -> tuple[Operand, Operand]:
        return (
            Operand(self.first_bits, bool(self.first_signed), self.first_static, self.first_factor),
            Operand(self.second_bits, bool(self.second_signed), self.second_static, self.second_factor),
        )

    @property
    def output_steps(self) -> int:
        """Steps of a sum: 1 where both operands are static."""
        return max(self._steps(operand) for operand in self.operands)

    def _steps(self, operand: Operand) -> int:
        return 1 if operand.static else self.timesteps

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return tuple(
            step_stream(self.pe, self._steps(operand), operand.bits, operand.signed, self.cycles)
            for operand in self.operands
        )

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (step_stream(self.pe, self.output_steps, self.output_bits, True, self.cycles),)

    @property
    def input_tensors(self) -> tuple[Tensor, ...]:
        vectors = self.vector_shape or (self.vectors,)
        return tuple(
            step_tensor(vectors, self.channels, self._steps(operand), operand.signed) for operand in self.operands
        )

    @property
    def output_tensors(self) -> tuple[Tensor, ...]:
        return (step_tensor(self.vector_shape or (self.vectors,), self.channels, self.output_steps, True),)

    @property
    def cycles(self) -> int:
        return self.vectors * self.channels // self.pe

    def with_lanes(self, lanes: int, port: int = 0) -> Self:
        return self.refolded({"pe": lanes * self.pe // self.inputs[port].lanes})

    def reference(self, *frames: Frame) -> tuple[Frame, ...]:
        """Raises SimulationError where a sum does not fit ``output_bits``."""
        first, second = (
            step_values(frame, self._steps(operand), operand.bits, operand.signed) * operand.factor
            for frame, operand in zip(frames, self.operands, strict=True)
        )
        sums = first + second
        low, high = -(1 << (self.output_bits - 1)), (1 << (self.output_bits - 1)) - 1
        if sums.min() < low or sums.max() > high:
            raise SimulationError(
                f"ResidualAdd {self.name!r}: sums from {sums.min()} to {sums.max()} do not fit {self.output_bits} "
                "signed bits"
            )
        return (np.ascontiguousarray(sums).reshape(len(sums), -1),)

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        sums = cls("lint_add", 6, 4, 2, 4, first_bits=9, first_signed=True, second_bits=7, second_signed=True,
                   output_bits=10, second_factor=2)  # fmt: skip
        spikes = cls("lint_add_spikes", 6, 4, 1, 4, first_bits=1, first_signed=False, second_bits=7, second_signed=True,
                     output_bits=8, first_factor=4)  # fmt: skip
        image = cls("lint_add_image", 6, 4, 4, 4, first_bits=8, first_signed=False, second_bits=7, second_signed=True,
                    output_bits=10, first_static=True)  # fmt: skip
        return sums, spikes, image

    def resources(self) -> Resources:
        """An adder for each sum of a word, over the bits in which the terms overlap, and the output register."""
        tops = (self.output_bits - 1 if operand.signed else operand.shifted_bits - 1 for operand in self.operands)
        lowest = max(operand.factor.bit_length() - 1 for operand in self.operands)
        adders = self.pe * self.output_steps * max(0, min(tops) - lowest)
        ff = self.outputs[0].bits + 1
        return Resources(lut=round(_CONTROL_LUTS + _LUTS_PER_BIT * adders), ff=ff, bram36=0, dsp=0)

    def render(self, language: Language, folder: Path) -> Rendered:
        summary = f"{self.first_factor} * first + {self.second_factor} * second, PE={self.pe}, T={self.timesteps}"
        named = tuple(zip(("FIRST", "SECOND"), self.operands, strict=True))
        constants = {"PE": self.pe, "STEPS": self.output_steps, "OUT_BITS": self.output_bits}
        for prefix, operand in named:
            constants[f"{prefix}_STEPS"] = self._steps(operand)
            constants[f"{prefix}_BITS"] = operand.bits
            constants[f"{prefix}_SIGNED"] = int(operand.signed)
        if language == "hls":
            constants |= {f"{prefix}_FACTOR": operand.factor for prefix, operand in named}
            constants["WORDS"] = self.cycles
            return write_node(
                StreamInstance(self.name, summary, "residual_add", self.function_ports, constants), folder
            )
        constants |= {f"{prefix}_SHIFT": operand.factor.bit_length() - 1 for prefix, operand in named}
        values = {"name": self.name, "summary": summary, "inputs": self.inputs, "output": self.outputs[0]}
        target = f"{self.name}.sv"
        render("rtl", "residual_add_wrapper.sv.j2", values | {"constants": constants}, folder / target)
        return Rendered((target,))
