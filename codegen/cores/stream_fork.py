"""StreamFork: copies a stream to several readers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

from codegen.cores.core import Attribute, Fold, FollowerCore, Frame, Rendered, Stream, Tensor
from codegen.cores.rendering import Language, render
from codegen.cores.stream_instance import StreamInstance, write_node
from codegen.errors import FoldingError
from codegen.fit import Resources

_CONTROL_LUTS = 2
"""LUTs of each output, whatever the width of the words, which are wires."""


@dataclass(frozen=True)
class StreamFork(FollowerCore):
    """[vectors, channels] in, and the same from each of ``copies`` outputs.

    A channel is ``elements`` integers of ``element_bits`` (the steps of a sum; 1 for spike trains); ``pe`` channels per
    stream word, pe divides channels.
    """

    op: ClassVar[str] = "StreamFork"
    attributes: ClassVar[tuple[Attribute, ...]] = (
        Attribute("NumChannels", "i", ("channels",), 0),
        Attribute("PE", "i", ("pe",), 1),
        Attribute("NumOutputStreams", "i", ("copies",), 2),
        Attribute("elementsPerChannel", "i", ("elements",), 1, required=False),
        Attribute("inputDataType", "bits", ("element_bits",), ""),
        Attribute("inputDataType", "signed", ("signed",), ""),
        Attribute("numInputVectors", "count", ("vectors",), [1]),
        Attribute("numInputVectors", "shape", ("vector_shape",), [1]),  # leading 1: the batch
    )
    folds: ClassVar[tuple[Fold, ...]] = (Fold("PE", "pe", "channels", "channels"),)
    sources: ClassVar[Mapping[Language, tuple[str, ...]]] = {
        "hls": ("trip_count.hpp", "stream_fork.hpp"),
        "rtl": ("stream_fork.sv",),
    }

    vectors: int
    channels: int
    pe: int
    copies: int
    elements: int
    element_bits: int
    signed: bool
    vector_shape: tuple[int, ...] = field(default=(), compare=False, repr=False)
    """``vectors`` as the dataflow graph has them, [1, rows, columns] of a map."""

    def __post_init__(self) -> None:
        if self.pe < 1 or self.channels % self.pe:
            raise FoldingError(
                f"StreamFork {self.name!r}: PE={self.pe} does not divide the {self.channels} channels of the layer"
            )
        if self.copies < 2:
            raise FoldingError(f"StreamFork {self.name!r}: a fork has 2 outputs or more, not {self.copies}")

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.pe * self.elements, self.element_bits, self.signed, self.cycles),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return self.inputs * self.copies

    @property
    def input_tensors(self) -> tuple[Tensor, ...]:
        vectors = self.vector_shape or (self.vectors,)
        return (Tensor((*vectors, self.channels * self.elements), vectors),)

    @property
    def output_tensors(self) -> tuple[Tensor, ...]:
        return self.input_tensors * self.copies

    @property
    def cycles(self) -> int:
        return self.vectors * self.channels // self.pe

    @property
    def most_lanes(self) -> int:
        return self.channels * self.elements

    def with_lanes(self, lanes: int, port: int = 0) -> Self:
        return self.refolded({"pe": lanes // self.elements})

    def reference(self, *frames: Frame) -> tuple[Frame, ...]:
        return frames * self.copies

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        spikes = cls("lint_fork", vectors=6, channels=4, pe=2, copies=2, elements=1, element_bits=4, signed=False)
        sums = cls("lint_fork_sums", vectors=6, channels=4, pe=1, copies=3, elements=4, element_bits=11, signed=True)
        return spikes, sums

    def resources(self) -> Resources:
        """The words are wires: what is kept is which outputs have taken the present one."""
        return Resources(lut=_CONTROL_LUTS * self.copies, ff=self.copies, bram36=0, dsp=0)

    def render(self, language: Language, folder: Path) -> Rendered:
        stream = self.inputs[0]
        summary = f"{self.copies} copies of a stream of {stream.bits}-bit words"
        if language == "hls":
            node = StreamInstance(self.name, summary, "stream_fork", self.function_ports, {"WORDS": stream.words})
            return write_node(node, folder)
        target = f"{self.name}.sv"
        values = {"name": self.name, "summary": summary, "copies": self.copies, "padded": stream.padded_bits}
        render("rtl", "stream_fork_wrapper.sv.j2", values, folder / target)
        return Rendered((target,))
