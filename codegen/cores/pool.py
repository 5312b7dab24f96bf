"""What the pooling cores share: non-overlapping square windows over a map, in raster order."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from codegen.cores.core import Attribute, Fold, FollowerCore, Frame, Rendered, Stream, Tensor
from codegen.cores.rendering import Language, render
from codegen.errors import FoldingError
from codegen.fit import Resources

CONTROL_LUTS = 60
"""Position counters, handshakes and the index into the row of windows."""


@dataclass(frozen=True)
class Pool(FollowerCore):
    """[height, width, channels] in, floor(height/kernel), floor(width/kernel) out.

    pe channels of ``timesteps`` steps per stream word; pe divides channels. Rows and columns past the last full window
    are read and dropped.
    """

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
    template: ClassVar[str]
    """Of its instances: <template>_wrapper.sv.j2 and <template>_instance.hpp.j2."""

    height: int
    width: int
    channels: int
    kernel: int
    pe: int
    timesteps: int

    def __post_init__(self) -> None:
        if self.pe < 1 or self.channels % self.pe:
            raise FoldingError(
                f"{self.op} {self.name!r}: PE={self.pe} does not divide the {self.channels} channels of the layer"
            )
        if not 1 <= self.kernel <= min(self.height, self.width):
            raise FoldingError(
                f"{self.op} {self.name!r}: a window of {self.kernel} does not fit a {self.height}x{self.width} map"
            )

    @property
    @abstractmethod
    def in_bits(self) -> int:
        """Width of an element."""

    @property
    @abstractmethod
    def out_bits(self) -> int:
        """Width of a pooled element."""

    @property
    @abstractmethod
    def combining_luts(self) -> int:
        """LUTs that add a word to its window, by estimate."""

    @property
    def folds_per_pixel(self) -> int:
        return self.channels // self.pe

    @property
    def out_size(self) -> tuple[int, int]:
        """Rows and columns of the pooled map."""
        return self.height // self.kernel, self.width // self.kernel

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.pe, self.in_bits, False, self.cycles),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.pe, self.out_bits, False, math.prod(self.out_size) * self.folds_per_pixel),)

    @property
    def input_tensors(self) -> tuple[Tensor, ...]:
        return (Tensor((1, self.height, self.width, self.channels), (1, self.height, self.width)),)

    @property
    def output_tensors(self) -> tuple[Tensor, ...]:
        return (Tensor((1, *self.out_size, self.channels), (1, *self.out_size)),)

    @property
    def cycles(self) -> int:
        return self.height * self.width * self.folds_per_pixel

    def windows(self, frame: Frame) -> Frame:
        """The elements of every window of a frame, [rows, columns, channels, kernel^2]."""
        (rows, columns), k = self.out_size, self.kernel
        image = frame.reshape(self.height, self.width, self.channels)
        windows = image[: rows * k, : columns * k].reshape(rows, k, columns, k, self.channels)
        return np.moveaxis(windows, (1, 3), (3, 4)).reshape(rows, columns, self.channels, k * k)

    def resources(self) -> Resources:
        """What combines a word with its window, and one row of windows in LUT RAM."""
        bits = self.outputs[0].bits
        words = self.out_size[1] * self.folds_per_pixel
        lut = CONTROL_LUTS + self.combining_luts + math.ceil(words / 64) * bits * 1.25
        return Resources(lut=round(lut), ff=round(2 * bits + CONTROL_LUTS), bram36=0, dsp=0)

    def render(self, language: Language, folder: Path) -> Rendered:
        template, suffix = ("wrapper.sv", "sv") if language == "rtl" else ("instance.hpp", "hpp")
        target = f"{self.name}.{suffix}"
        render(language, f"{self.template}_{template}.j2", self.template_values(), folder / target)
        return Rendered((target,))

    def template_values(self) -> dict[str, object]:
        """What its templates may name: its parameters and its streams."""
        source, sink = self.inputs[0], self.outputs[0]
        return self.parameters() | {
            "in_bits": source.bits,
            "in_padded": source.padded_bits,
            "in_words": source.words,
            "out_bits": sink.bits,
            "out_padded": sink.padded_bits,
            "out_words": sink.words,
        }
