"""SpikePool: OR pooling of spike trains over non-overlapping square windows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from codegen.core.core import Attribute, Fold, FollowerCore, Frame, Rendered, Stream, Tensor
from codegen.core.rendering import Language, render
from codegen.errors import FoldingError
from codegen.fit import Resources


@dataclass(frozen=True)
class SpikePool(FollowerCore):
    """[height, width, channels] in, floor(height/kernel), floor(width/kernel) out.

    pe channels of UINT{timesteps} per stream word; pe divides channels. Rows and columns past the last full window
    are read and dropped.
    """

    op: ClassVar[str] = "SpikePool"
    attributes: ClassVar[tuple[Attribute, ...]] = (
        Attribute("ImgDim", "ints", ("height", "width"), []),
        Attribute("NumChannels", "i", ("channels",), 0),
        Attribute("KernelSize", "i", ("kernel",), 2),
        Attribute("PE", "i", ("pe",), 1),
        Attribute("T", "i", ("timesteps",), 1),
        Attribute("inputDataType", "s", (), ""),
        Attribute("layer", "s", (), "", required=False),  # name of the layer in model.onnx
    )
    folds: ClassVar[tuple[Fold, ...]] = (Fold("PE", "pe", "channels", "channels"),)
    sources: ClassVar[Mapping[Language, tuple[str, ...]]] = {
        "hls": ("trip_count.hpp", "spike_pool.hpp"),
        "rtl": ("spike_pool.sv",),
    }

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
    def folds_per_pixel(self) -> int:
        return self.channels // self.pe

    @property
    def out_size(self) -> tuple[int, int]:
        """Rows and columns of the pooled map."""
        return self.height // self.kernel, self.width // self.kernel

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.pe, self.timesteps, False, self.cycles),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.pe, self.timesteps, False, math.prod(self.out_size) * self.folds_per_pixel),)

    @property
    def input_tensors(self) -> tuple[Tensor, ...]:
        return (Tensor((1, self.height, self.width, self.channels), (1, self.height, self.width)),)

    @property
    def output_tensors(self) -> tuple[Tensor, ...]:
        return (Tensor((1, *self.out_size, self.channels), (1, *self.out_size)),)

    @property
    def cycles(self) -> int:
        return self.height * self.width * self.folds_per_pixel

    def reference(self, *frames: Frame) -> tuple[Frame, ...]:
        (rows, columns), k = self.out_size, self.kernel
        image = frames[0].reshape(self.height, self.width, self.channels)
        windows = image[: rows * k, : columns * k].reshape(rows, k, columns, k, self.channels)
        pooled = np.bitwise_or.reduce(np.bitwise_or.reduce(windows, axis=3), axis=1)
        return (pooled.reshape(-1, self.pe),)

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls(name="lint_pool", height=6, width=7, channels=4, kernel=2, pe=2, timesteps=4),)

    def resources(self) -> Resources:
        """OR gates and one row of pooled words in LUT RAM."""
        bits = self.inputs[0].bits
        words = self.out_size[1] * self.folds_per_pixel
        lut = 60 + bits + math.ceil(words / 64) * bits * 1.25
        return Resources(lut=round(lut), ff=round(2 * bits + 60), bram36=0, dsp=0)

    def render(self, language: Language, folder: Path) -> Rendered:
        template, suffix = ("spike_pool_wrapper.sv", "sv") if language == "rtl" else ("spike_pool_instance.hpp", "hpp")
        target = f"{self.name}.{suffix}"
        stream = self.inputs[0]
        values = vars(self) | {
            "bits": stream.bits,
            "padded": stream.padded_bits,
            "in_words": stream.words,
            "out_words": self.outputs[0].words,
        }
        render(language, f"{template}.j2", values, folder / target)
        return Rendered((target,))
