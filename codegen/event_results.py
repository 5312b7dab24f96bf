"""What is measured for event-driven cores: density.json and event_cycles.json of results/ (``codegen.results``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from codegen.errors import ExportError, SimulationError
from codegen.results import ImageKind, Natural, Packed, Result, Spread


@dataclass(frozen=True)
class ScanLengths:
    """How long an event-driven core of ``simd`` banks scans a vector (codegen.cores.event_cycles.scan_lengths).

    ``lengths``: quantiles over all vectors of all images, each standing for as many vectors, smallest first. ``p99``
    and ``worst``: how many times the mean the scans of an image take together, in the 99th percentile and at most.
    """

    simd: Natural
    lengths: Annotated[tuple[Natural, ...], Field(min_length=1)]
    p99: Annotated[float, Field(gt=0)]
    worst: Annotated[float, Field(gt=0)]


@dataclass(frozen=True)
class LayerDensity:
    """How densely the input of one layer spikes: ``nonzero`` is the share of the elements of its vectors, zero padding
    among them, that are not zero in all time steps.

    ``channels``: the share of each input channel's pixels, a byte each, in 255ths. ``scans``: by number of banks.
    """

    layer: str
    nonzero: Annotated[float, Field(ge=0, le=1)]
    channels: Packed
    scans: tuple[ScanLengths, ...]


@dataclass(frozen=True)
class DensityResult(Result):
    """Which inputs of each layer spike at all, and how long event-driven cores would scan them.

    ``images``: of the test set, evenly spread, or of what took its place (``kind``). ``layers``: those whose input is
    spikes, their sums or event frames.
    """

    STAGE = "density"
    COMMAND = "export"
    ERROR = ExportError
    INDENT = None

    images: Natural
    kind: ImageKind
    layers: tuple[LayerDensity, ...]
    model_sha256: str
    test_set_sha256: str


@dataclass(frozen=True)
class EventCore:
    """One event-driven core and the frames of real images.

    ``nonzero``: share of the elements of its vectors that are not zero. ``ideal``: mean cycles if every lane took one
    of them in every cycle. ``cycles``: those that it takes; ``guaranteed``: at most, whatever the image.
    """

    name: str
    layer: str
    nonzero: float
    ideal: float
    cycles: Spread
    guaranteed: Natural


@dataclass(frozen=True)
class SimulatedInterval:
    """Mean cycles between ``images`` frames and those before them: in Verilator, and as the cores' model has them."""

    images: int
    measured: float
    modelled: float


@dataclass(frozen=True)
class EventCyclesResult(Result):
    """Cycles from frame to frame of an accelerator with event-driven cores, over images (codegen.verify.event_cycles).

    ``interval``: of the slowest node for each image; ``guaranteed``: at most, whatever the image. ``simulated``: None
    where there were too few images.
    """

    STAGE = "event_cycles"
    COMMAND = "rtlsim"
    ERROR = SimulationError

    images: Natural
    kind: ImageKind
    interval: Spread
    guaranteed: Natural
    cores: tuple[EventCore, ...]
    simulated: SimulatedInterval | None
    model_sha256: str
    sources_sha256: str
