"""SpikePool: OR pooling of spike trains over non-overlapping square windows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codegen.core.rendering import render
from codegen.errors import FoldingError
from codegen.words import padded_bits

RTL_SOURCES = ("spike_pool.sv",)
"""Hand-written modules in hls_templates/rtl that a rendered wrapper needs."""

HLS_SOURCES = ("trip_count.hpp", "spike_pool.hpp")
"""Headers in hls_templates/hls that a rendered instance includes."""


@dataclass(frozen=True)
class SpikePoolSpec:
    """Parameters of one core: [height, width, channels] in, floor(height/kernel), floor(width/kernel) out.

    pe channels of UINT{timesteps} per stream word; pe divides channels. Rows and columns past the last full window
    are read and dropped.
    """

    name: str
    height: int
    width: int
    channels: int
    kernel: int
    pe: int
    timesteps: int

    def __post_init__(self) -> None:
        if self.pe < 1 or self.channels % self.pe:
            raise FoldingError(
                f"SpikePool {self.name!r}: PE={self.pe} does not divide the {self.channels} channels of the layer"
            )
        if not 1 <= self.kernel <= min(self.height, self.width):
            raise FoldingError(
                f"SpikePool {self.name!r}: a window of {self.kernel} does not fit a {self.height}x{self.width} map"
            )

    @property
    def cycles(self) -> int:
        """Cycles per frame at full throughput."""
        return self.height * self.width * (self.channels // self.pe)

    @property
    def stream_bits(self) -> int:
        """Width of an input or output word on the stream, without padding."""
        return self.pe * self.timesteps


def reference(spec: SpikePoolSpec, inputs: NDArray[np.integer]) -> NDArray[np.int64]:
    """Naive model of the core: inputs [frames, height, width, channels] spike trains, outputs pooled likewise."""
    rows, columns, k = spec.height // spec.kernel, spec.width // spec.kernel, spec.kernel
    inside = np.asarray(inputs, dtype=np.int64)[:, : rows * k, : columns * k]
    windows = inside.reshape(len(inside), rows, k, columns, k, spec.channels)
    return np.bitwise_or.reduce(np.bitwise_or.reduce(windows, axis=4), axis=2)


def write_rtl(spec: SpikePoolSpec, folder: Path) -> list[Path]:
    """Write the wrapper <name>.sv; returns the file."""
    values = vars(spec) | {"bits": spec.stream_bits, "padded": padded_bits(spec.stream_bits)}
    return [render("rtl", "spike_pool_wrapper.sv.j2", values, folder / f"{spec.name}.sv")]


def write_hls(spec: SpikePoolSpec, folder: Path) -> list[Path]:
    """Write <name>.hpp with the parameters and the function ``<name>(in, out)`` for one frame; returns the file."""
    folds = spec.channels // spec.pe
    windows = (spec.height // spec.kernel) * (spec.width // spec.kernel)
    values = vars(spec) | {
        "bits": spec.stream_bits,
        "in_words": spec.height * spec.width * folds,
        "out_words": windows * folds,
    }
    return [render("hls", "spike_pool_instance.hpp.j2", values, folder / f"{spec.name}.hpp")]
