"""What every hardware core has: streams, cycles, reference model, resources, foldings, and its rendering.

A core is one frozen dataclass: its fields are its parameters, and the rest of the project asks it for everything else.
``LayerCore`` leads a layer and chooses its folding, ``FollowerCore`` works behind one with the same parallelism,
``StreamCore`` only moves and buffers elements before one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from codegen.cores.rendering import Language
from codegen.errors import FoldingError
from codegen.fit import Resources
from codegen.weight_bus import frame_beats
from codegen.words import padded_bits, word_bytes

Frame = NDArray[Any]
"""The elements of one frame on a stream, [words, lanes]: int64, or Python integers where an element is wider."""

MAX_STREAM_BITS = 8191
"""Widest ``ap_uint`` of Vitis HLS (finn.util.basic.MAX_ALLOWED_AP_INT_W)."""

FIFO_DEPTHS = "inFIFODepths"
"""FINN's node attribute for the depths of the FIFOs before a node."""


@dataclass(frozen=True)
class Stream:
    """One end of a core: ``words`` words a frame, each of ``lanes`` elements of ``element_bits``."""

    lanes: int
    element_bits: int
    signed: bool
    words: int

    @property
    def bits(self) -> int:
        return self.lanes * self.element_bits

    @property
    def padded_bits(self) -> int:
        """Width of TDATA."""
        return padded_bits(self.bits)

    @property
    def bytes(self) -> int:
        return word_bytes(self.bits)

    @property
    def datatype(self) -> str:
        """The element's datatype as qonnx names it."""
        return f"{'INT' if self.signed else 'UINT'}{self.element_bits}"


@dataclass(frozen=True)
class Tensor:
    """A tensor of the dataflow graph that a stream carries: its shape, and which leading dimensions are not folded."""

    shape: tuple[int, ...]
    vectors: tuple[int, ...]


@dataclass(frozen=True)
class Constant:
    """A constant input of an operator, which lives inside the core: its shape and datatype in the dataflow graph."""

    name: str
    shape: tuple[int, ...]
    datatype: str


@dataclass(frozen=True)
class Rendered:
    """What a core wrote into a folder: sources in compile order and memory contents, relative to the folder."""

    sources: tuple[str, ...]
    data_files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Attribute:
    """One attribute of a core's operator in graph.onnx, and the fields of the core that it sets.

    ``kind``: FINN's "i", "s" and "ints"; "flag" is an integer of 0 or 1, "bits" the name of a datatype of which the
    core has the width, "signed" one of which it has whether it is signed, "count" a shape of which it has the number
    of elements, "shape" one that it has as it is.
    A list sets one field for each entry.
    """

    name: str
    kind: Literal["i", "s", "ints", "flag", "bits", "signed", "count", "shape"]
    fields: tuple[str, ...] = ()
    default: Any = None
    required: bool = True
    allowed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Fold:
    """What a folding may set at a node: an attribute, and the field it is.

    Its value divides the field ``divides``, which counts ``what``; or it is one of ``choices``.
    """

    attribute: str
    field: str = ""
    divides: str = ""
    what: str = ""
    choices: tuple[str | int, ...] = ()


@dataclass(frozen=True)
class Core(ABC):
    """One instance of a hardware core. Fields that do not compare are no parameters of the hardware."""

    op: ClassVar[str]
    """Name of its operator; graph.onnx has it with the backend's ending, ``_hls`` or ``_rtl``."""
    attributes: ClassVar[tuple[Attribute, ...]] = ()
    """Of the operator that FINN is given for it; empty where FINN has the operator itself."""
    folds: ClassVar[tuple[Fold, ...]] = ()
    """What a folding may set, in the order of folding.json; the first one is the number of lanes of its input."""
    sources: ClassVar[Mapping[Language, tuple[str, ...]]] = {"hls": (), "rtl": ()}
    """Hand-written files of hls_templates/<language> that a rendered instance needs, in compile order."""
    rtl_from_finn: ClassVar[bool] = False
    """Whether its RTL is FINN's, which is not ours to lint."""
    input_ports: ClassVar[int] = 1
    """Number of streams that it reads."""
    shift_registers: ClassVar[bool] = False
    """Whether its RTL holds shift registers with an addressed read, which Yosys needs a mapping for."""

    name: str

    @property
    @abstractmethod
    def inputs(self) -> tuple[Stream, ...]:
        """The streams it reads."""

    @property
    @abstractmethod
    def outputs(self) -> tuple[Stream, ...]:
        """The streams it writes."""

    @property
    @abstractmethod
    def cycles(self) -> int:
        """Bound of the cycles per frame, at full throughput."""

    @abstractmethod
    def reference(self, *frames: Frame) -> tuple[Frame, ...]:
        """Reference model: one frame of each input to one frame of each output."""

    @abstractmethod
    def resources(self) -> Resources:
        """Estimate from formulas fitted to Yosys results (7 series); sizes for choosing a folding, not results."""

    @abstractmethod
    def render(self, language: Language, folder: Path) -> Rendered:
        """Write the instance: the module <name> in RTL, the function <name>(in, out) for one frame in HLS.

        The function takes ``function_ports``; the module has in<i>_V for each of ``read_streams`` and out<i>_V for each
        output.

        Raises RenderError where it cannot be rendered.
        """

    @property
    def function_ports(self) -> tuple[tuple[str, Stream], ...]:
        """Parameters of the HLS function: ``in`` and ``out``, numbered where there are several; ``weights`` between."""
        weights = () if self.weight_stream is None else (("weights", self.weight_stream),)
        return (*_named_ports("in", self.inputs), *weights, *_named_ports("out", self.outputs))

    @property
    def weight_stream(self) -> Stream | None:
        """The stream of weights that it reads beside its inputs, all of them for each frame; None for most cores."""
        return None

    @property
    def read_streams(self) -> tuple[Stream, ...]:
        """All streams that it reads: its inputs, and the weights last."""
        return self.inputs if self.weight_stream is None else (*self.inputs, self.weight_stream)

    def weight_words(self) -> NDArray[np.uint8]:
        """Words [words, bytes] of ``weight_stream``, as ``codegen.words`` packs them."""
        raise NotImplementedError(f"{self.op} has no stream of weights")

    @property
    def input_tensors(self) -> tuple[Tensor, ...]:
        """The tensors of the dataflow graph that its inputs carry."""
        return tuple(Tensor((1, stream.words * stream.lanes), (1,)) for stream in self.inputs)

    @property
    def output_tensors(self) -> tuple[Tensor, ...]:
        """The tensors of the dataflow graph that its outputs carry."""
        return tuple(Tensor((1, stream.words * stream.lanes), (1,)) for stream in self.outputs)

    @property
    def constant_inputs(self) -> tuple[Constant, ...]:
        """The operator's constant inputs, which follow its streams."""
        return ()

    def with_constants(self, *values: NDArray[Any]) -> Self:
        """The core with the values of its ``constant_inputs``, without which it is neither rendered nor computed."""
        return self

    @property
    def memory_bits(self) -> int:
        """Bits of the constants that it stores."""
        return 0

    def operation_counts(self) -> dict[str, int]:
        """Operations and parameters per frame by kind, as FINN's analysis has them."""
        return {}

    @property
    def stream_depth(self) -> int:
        """Words of a stream that it stands for in HLS, where it is no function; 0 for a core that is one."""
        return 0

    def parameters(self) -> dict[str, Any]:
        """The parameters of the hardware by name."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.compare}

    @classmethod
    def from_operator(cls, operator: Any) -> Self:
        """The core of an operator of graph.onnx, its constants left out; its name is the node's."""
        values: dict[str, Any] = {"name": operator.onnx_node.name}
        for attribute in cls.attributes:
            found = operator.get_nodeattr(attribute.name)
            if attribute.kind == "ints":
                values.update(zip(attribute.fields, found, strict=True))
            else:
                values.update(dict.fromkeys(attribute.fields, _decoded(attribute.kind, found)))
        return cls(**values)

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        """Its main configurations, complete with constants, which ``lint`` renders; none where the RTL is not ours."""
        return ()

    def foldings(self) -> Iterator[Self]:
        """Every folding that divides, fewest lanes first."""
        dividing = [fold for fold in self.folds if fold.divides]
        for chosen in product(*(divisors(getattr(self, fold.divides)) for fold in dividing)):
            yield self.refolded({fold.field: value for fold, value in zip(dividing, chosen, strict=True)})

    def divisions(self) -> dict[str, int]:
        """The attributes by which it is folded."""
        return {fold.attribute: getattr(self, fold.field) for fold in self.folds if fold.divides}

    def folding(self) -> dict[str, Any]:
        """The node attributes of its folding: its divisions, and where its memory goes."""
        return dict(self.divisions())

    def memory_choices(self) -> tuple[Self, ...]:
        """The same folding with its memories in each place that they may go; one core where there is no choice."""
        return (self,)

    def external_choices(self) -> tuple[Self, ...]:
        """The same folding with its weights outside the chip; none where that is not possible."""
        return ()

    def dsp_choices(self) -> tuple[Self, ...]:
        """The same folding with its sums in DSP slices, the most slices last; none where that is not possible."""
        return ()

    @property
    def weight_beats(self) -> int:
        """Beats of the memory bus that its weights take in each frame, where they come from outside."""
        stream = self.weight_stream
        return 0 if stream is None else frame_beats(stream.bits, stream.words)

    def fold(self, asked: Mapping[str, Any], where: str) -> Self:
        """The core with a folding file's values; what the file leaves open stays.

        Raises FoldingError naming ``where`` and the valid divisors when a value does not divide.
        """
        values = {}
        for fold in self.folds:
            if fold.divides and fold.attribute in asked:
                value, number = int(asked[fold.attribute]), getattr(self, fold.divides)
                if value < 1 or number % value:
                    valid = ", ".join(map(str, divisors(number)))
                    raise FoldingError(
                        f"{where}: {fold.attribute}={value} does not divide its {number} {fold.what}; valid are {valid}"
                    )
                values[fold.field] = value
        return self.refolded(values)

    @property
    def most_lanes(self) -> int:
        """The most elements per word that it can be folded to read."""
        return int(getattr(self, self.folds[0].divides))

    def with_lanes(self, lanes: int, port: int = 0) -> Self:
        """The core folded to read so many elements per word of an input."""
        return self.refolded({self.folds[0].field: lanes})

    def refolded(self, values: Mapping[str, Any]) -> Self:
        """The core with other values of the fields by which it is folded, and what follows from them."""
        return replace(self, **values)


@dataclass(frozen=True)
class LayerCore(Core):
    """A core that leads a layer: its folding is chosen from ``foldings``, and the nodes around it follow."""

    def event_form(self) -> Self | None:
        """The same folding event-driven; None where there is no such core."""
        return None

    @property
    @abstractmethod
    def work(self) -> int:
        """Products per frame."""

    @property
    @abstractmethod
    def vector_words(self) -> int:
        """Input words that it reads in a burst."""

    @property
    @abstractmethod
    def vector_cycles(self) -> int:
        """Cycles from burst to burst."""

    @property
    def keeps_frames(self) -> bool:
        """Whether that burst is a whole frame, because it works on a frame at a time."""
        return False

    @property
    @abstractmethod
    def reads_image(self) -> bool:
        """Whether its input comes from memory, which can wait."""

    @property
    @abstractmethod
    def burst_words(self) -> int:
        """Words that the layer before gives while this core does not read; 0 where it always reads."""


@dataclass(frozen=True)
class FollowerCore(Core):
    """A core behind a layer, which takes the layer's output lanes."""

    def paces(self) -> tuple[int, ...]:
        """Cycles a frame of its foldings of the same lanes."""
        return (self.cycles,)

    def within(self, cycles: int) -> Self:
        """The cheapest folding of the same lanes that needs no more cycles a frame, or the fastest one."""
        return self


@dataclass(frozen=True)
class StreamCore(Core):
    """Stream infrastructure: it moves and buffers elements and computes none."""

    @property
    def fill_words(self) -> int:
        """Words of a frame that it takes before it gives the first one."""
        return 0

    @property
    def opening_words(self) -> int:
        """Words that it takes at once when a frame begins."""
        return 0

    @property
    def closing_words(self) -> int:
        """Words of the next frame that arrive while it ends the one before without reading."""
        return 0


def _named_ports(kind: str, streams: tuple[Stream, ...]) -> tuple[tuple[str, Stream], ...]:
    return tuple((kind if len(streams) == 1 else f"{kind}{port}", stream) for port, stream in enumerate(streams))


def port_name(node: str, kind: Literal["input", "output"], port: int, several: bool) -> str:
    """What messages call a port: the node's name, and the port where it has ``several``."""
    return f"{node} ({kind} {port})" if several else node


def divisors(number: int) -> tuple[int, ...]:
    """All divisors, smallest first."""
    small = [value for value in range(1, int(number**0.5) + 1) if number % value == 0]
    return tuple(sorted({*small, *(number // value for value in small)}))


def _decoded(kind: str, value: Any) -> Any:
    """The value of a field from that of its attribute."""
    if kind == "flag":
        return bool(value)
    if kind in ("bits", "signed"):
        from qonnx.core.datatype import DataType

        return DataType[value].bitwidth() if kind == "bits" else DataType[value].signed()
    if kind == "count":
        return int(prod(value))
    return tuple(value) if kind == "shape" else value
