"""SpikePool: OR pooling of spike trains over non-overlapping square windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from codegen.cores.core import Frame
from codegen.cores.pool import Pool
from codegen.cores.rendering import Language


@dataclass(frozen=True)
class SpikePool(Pool):
    """A window spikes at a step where any of its inputs does; elements are UINT{timesteps}, in and out."""

    op: ClassVar[str] = "SpikePool"
    sources: ClassVar[Mapping[Language, tuple[str, ...]]] = {
        "hls": ("trip_count.hpp", "pool_windows.hpp", "spike_pool.hpp"),
        "rtl": ("output_stage.sv", "pool_windows.sv", "spike_pool.sv"),
    }
    template: ClassVar[str] = "spike_pool"

    @property
    def in_bits(self) -> int:
        return self.timesteps

    @property
    def out_bits(self) -> int:
        return self.timesteps

    @property
    def combining_luts(self) -> int:
        return self.pe * self.timesteps

    def reference(self, *frames: Frame) -> tuple[Frame, ...]:
        return (np.bitwise_or.reduce(self.windows(frames[0]), axis=-1).reshape(-1, self.pe),)

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls(name="lint_pool", height=6, width=7, channels=4, kernel=2, pe=2, timesteps=4),)
