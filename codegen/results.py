"""What the stages measured: one frozen class for each file of results/, with the digests of what it was measured on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import Field

from codegen.errors import (
    CodegenError,
    ExportError,
    FoldingError,
    RenderError,
    SimulationError,
)
from codegen.fit import Resources
from codegen.run_folder import RunFolder
from codegen.statistic import STATISTICS, Statistic
from sca_train.files import write_text
from sca_train.records import RecordError, read_record

MEASURED = (
    "results/csim.json",
    "results/rtl.json",
    "results/rtl_stalled.json",
    "results/synth.json",
    "results/bitstream.json",
    "results/toggles.json",
    "results/event_cycles.json",
)
"""What is measured on sources: of no use once these are replaced."""

_Result = TypeVar("_Result", bound="Result")


@dataclass(frozen=True)
class Result:
    """Content of results/<stage>.json; the field names are its keys."""

    STAGE: ClassVar[str]
    COMMAND: ClassVar[str]
    ERROR: ClassVar[type[CodegenError]]
    OPTIONS: ClassVar[Mapping[str, str]] = {}
    """Of the command, by make's names, without which it leaves no such file."""
    INDENT: ClassVar[int | None] = 2
    """Of the file; None: it is one line, of a result with long lists of numbers."""

    @property
    def stage(self) -> str:
        """Name of the file, without .json."""
        return self.STAGE

    def save(self, run: RunFolder) -> None:
        """Write results/<stage>.json whole or not at all."""
        folder = run.path / "results"
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / f"{self.stage}.json", json.dumps(asdict(self), indent=self.INDENT) + "\n")

    @classmethod
    def load(cls: type[_Result], run: RunFolder) -> _Result | None:
        """The result of a run, None where the stage has not been run.

        Raises the stage's error, one sentence, for a file that is damaged or in which a field is missing or wrong.
        """
        file = run.path / "results" / f"{cls.STAGE}.json"
        if not file.exists():
            return None
        try:
            return read_record(cls, file)
        except RecordError as error:
            raise cls.ERROR(f"{error}; run `{run.command(cls.COMMAND, **cls.OPTIONS)}` again") from None


@dataclass(frozen=True)
class OnnxResult(Result):
    """What ONNX Runtime made of the test set.

    ``accuracy`` is that on the data set's test images, ``shipped_accuracy`` that on the shipped ones in their place;
    the other one is None. ``compact_sha256`` is "" where model.onnx itself was imported. ``spike_sparsity``: share of
    zero bits in the spike trains of each layer with neurons.
    """

    STAGE = "onnx"
    COMMAND = "export"
    ERROR = ExportError

    accuracy: float | None
    shipped_accuracy: float | None
    images: int
    mismatches: None
    seconds: float
    images_per_second: float
    spike_sparsity: dict[str, float]
    spike_sparsity_images: int
    compact_sha256: str
    model_sha256: str
    test_set_sha256: str


Packed = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]*={0,2}$")]
"""Bytes in base64."""


@dataclass(frozen=True)
class Sample:
    """An image of the test set and what the integer network made of it.

    ``number``: its place in the test set. ``png``: the image, at most 96 pixels wide and high. ``logits``:
    [T, classes], sums up to and with each step.
    """

    number: int
    label: int
    decided: int
    png: Packed
    logits: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Raster:
    """The spikes of one layer for one image: ``bits`` has them as numpy.packbits of [steps, channels, positions].

    ``channels`` and ``positions`` are the first of ``all_channels`` and ``all_positions``.
    """

    layer: str
    number: int
    steps: int
    channels: int
    positions: int
    all_channels: int
    all_positions: int
    bits: Packed


@dataclass(frozen=True)
class PredictionsResult(Result):
    """What the integer network decided, image by image.

    ``confusion``: test images by [label, decided class]; None where these are the ``shipped`` images. ``classes``:
    names in the order of the logits, empty where the network names none.
    """

    STAGE = "predictions"
    COMMAND = "export"
    ERROR = ExportError

    images: int
    shipped: bool
    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...] | None
    samples: tuple[Sample, ...]
    raster: Raster | None
    model_sha256: str
    test_set_sha256: str


Natural = Annotated[int, Field(ge=1)]

ImageKind = Literal["test images", "shipped images", "random images"]
"""What something was measured on, in words."""


@dataclass(frozen=True)
class Spread:
    """Cycles a frame over many images."""

    mean: Annotated[float, Field(gt=0)]
    p99: Natural
    worst: Natural

    @classmethod
    def slowest(cls, spreads: Sequence[Spread]) -> Spread:
        """The largest of each statistic."""
        return cls(*(max(getattr(spread, name) for spread in spreads) for name in STATISTICS))


@dataclass(frozen=True)
class FoldedNode:
    """One node of the folded graph and FINN's estimates of it; None where its operator has no such attribute.

    ``event``: whether it is event-driven. ``cycles`` then are those that it takes at most, whatever the image, and
    ``spread`` those over the images of results/density.json, None where that does not tell.
    """

    name: str
    op: str
    layer: str | None
    pe: int | None
    simd: int | None
    tp: int | None
    cycles: int
    lut: float
    bram36: float
    dsp: float
    event: bool = False
    spread: Spread | None = None


@dataclass(frozen=True)
class FrontPoint:
    """A folding with the fewest LUTs for its cycles a frame, by estimate; cycles are those that it was chosen for."""

    cycles: int
    lut: int
    bram36: float
    dsp: int


@dataclass(frozen=True)
class FoldingResult(Result):
    """The folding of model.onnx that graph.onnx holds: cycles a frame of its slowest node (``bound``), estimates.

    ``statistic``: of the cycles over images that the folding was chosen for, where cores could be event-driven.
    ``spread``: cycles a frame of the slowest node over those images; None without event-driven cores. ``front``: what
    else the board could be given, fastest first; empty without a board, or where the folding is a file's.
    weight_beats: of the memory bus for the weights of a frame that are not on the chip; where these take longer than
    the slowest node, they are the bound.
    """

    STAGE = "folding"
    COMMAND = "hls"
    ERROR = FoldingError

    target_cycles: int | None
    estimate: Resources
    bound: int
    nodes: tuple[FoldedNode, ...]
    model_sha256: str
    graph_sha256: str
    statistic: Statistic | None = None
    spread: Spread | None = None
    front: tuple[FrontPoint, ...] = ()
    weight_beats: int = 0

    @property
    def told(self) -> str:
        """The cycles of the slowest node in words: where they depend on the image, over images and at most."""
        if self.spread is None:
            return f"{self.bound} cycles a frame"
        return (
            f"{self.spread.mean:.0f} cycles a frame on average (at most {self.spread.p99} for 99 % of the images of "
            f"results/density.json, {self.spread.worst} for all of them, {self.bound} for any image)"
        )


@dataclass(frozen=True)
class SourcesResult(Result):
    """Which graph hls/ and rtl/ were rendered from, and what they held then."""

    STAGE = "sources"
    COMMAND = "hls"
    ERROR = RenderError

    graph_sha256: str
    hls_sha256: str
    rtl_sha256: str


@dataclass(frozen=True)
class SimulationResult(Result):
    """What a simulator made of test images, compared with ONNX Runtime's logits of model.onnx; accuracies as there.

    ``sources_sha256`` is the digest of the sources that were simulated.
    """

    ERROR = SimulationError

    accuracy: float | None
    shipped_accuracy: float | None
    images: int
    mismatches: int
    seconds: float
    images_per_second: float | None
    model_sha256: str
    sources_sha256: str


@dataclass(frozen=True)
class HlsSimulationResult(SimulationResult):
    """The C simulation; ``trips``: by node, trips of its II=1 loops for one image."""

    STAGE = "csim"
    COMMAND = "csim"

    trips: dict[str, int]


@dataclass(frozen=True)
class RtlSimulationResult(SimulationResult):
    """The RTL simulation, in clock cycles; a run with random stalls is kept apart, since it measures no interval."""

    STAGE = "rtl"
    COMMAND = "rtlsim"

    latency: int
    interval: int | None
    interval_max: int | None
    cycles: int
    cycles_per_second: float
    stall_in: float
    stall_out: float
    seed: int

    @property
    def stage(self) -> str:
        return "rtl_stalled" if self.stall_in > 0 or self.stall_out > 0 else self.STAGE


@dataclass(frozen=True)
class CoreToggles:
    """One core: the bits of its signals that changed at all, and how often they did, over all images of the run."""

    name: str
    bits: int
    toggles: int


@dataclass(frozen=True)
class TogglesResult(Result):
    """Toggles in the RTL simulation of some images back to back, from the end of the reset to the last logit word.

    ``codegen.verify.toggles`` says which signals count. ``cycles``: all of the run.
    """

    STAGE = "toggles"
    COMMAND = "rtlsim"
    OPTIONS: ClassVar[Mapping[str, str]] = {"TOGGLES": "4"}
    ERROR = SimulationError

    images: Annotated[int, Field(ge=1)]
    cycles: int
    cores: tuple[CoreToggles, ...]
    seconds: float
    model_sha256: str
    sources_sha256: str
