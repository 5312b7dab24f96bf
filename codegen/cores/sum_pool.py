"""SumPool: sum pooling of spike trains or counts over non-overlapping square windows, average pooling but for 1/k^2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from codegen.cores.core import Attribute, Frame
from codegen.cores.pool import Pool
from codegen.cores.rendering import Language
from codegen.dialect import MAX_STEP_BITS
from codegen.errors import FoldingError
from codegen.words import join_steps, split_steps


def sum_step_bits(kernel: int, step_bits: int) -> int:
    """Bits of a step that hold the sum of a window of kernel^2 integers of ``step_bits``."""
    return (kernel**2 * ((1 << step_bits) - 1)).bit_length()


@dataclass(frozen=True)
class SumPool(Pool):
    """Step by step the sum of a window: UINT{timesteps * step_bits} in, as many bits of each step out as sums need.

    ``step_bits``: 1 for spike trains.
    """

    op: ClassVar[str] = "SumPool"
    attributes: ClassVar[tuple[Attribute, ...]] = (
        *Pool.attributes,
        Attribute("stepBits", "i", ("step_bits",), 1, required=False),
    )
    sources: ClassVar[Mapping[Language, tuple[str, ...]]] = {
        "hls": ("trip_count.hpp", "integers.hpp", "pool_windows.hpp", "sum_pool.hpp"),
        "rtl": ("output_stage.sv", "pool_windows.sv", "sum_pool.sv"),
    }
    template: ClassVar[str] = "sum_pool"

    step_bits: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.step_bits <= self.sum_bits <= MAX_STEP_BITS:
            raise FoldingError(
                f"{self.op} {self.name!r}: sums of {self.kernel}x{self.kernel} inputs of {self.step_bits} bits of each "
                f"step take {self.sum_bits} bits, {MAX_STEP_BITS} are possible"
            )

    @property
    def sum_bits(self) -> int:
        """Bits of one step of a pooled element."""
        return sum_step_bits(self.kernel, self.step_bits)

    @property
    def in_bits(self) -> int:
        return self.timesteps * self.step_bits

    @property
    def out_bits(self) -> int:
        return self.timesteps * self.sum_bits

    @property
    def combining_luts(self) -> int:
        """An adder for each step."""
        return self.pe * self.out_bits

    def reference(self, *frames: Frame) -> tuple[Frame, ...]:
        steps = split_steps(self.windows(frames[0]), self.timesteps, self.step_bits)
        return (join_steps(steps.sum(axis=-2), self.sum_bits).reshape(-1, self.pe),)

    def template_values(self) -> dict[str, object]:
        return super().template_values() | {"sum_bits": self.sum_bits}

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        spikes = cls(name="lint_sum_pool", height=6, width=7, channels=4, kernel=2, pe=2, timesteps=4)
        return (spikes, replace(spikes, name="lint_sum_pool_counts", kernel=3, pe=4, timesteps=5, step_bits=3))
