"""What a report holds: report.json's fields, and what only its page shows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from codegen.hardware_results import TimingLimit
from codegen.report.energy import Energy
from codegen.report.event_driven import EventDriven
from codegen.report.front import Front
from codegen.report.roofline import Rate
from codegen.results import PredictionsResult
from sca_train.config import TrainConfig
from sca_train.measure.metrics_file import Epoch, Imported, Reduction

STAGES = ("float", "onnx", "csim", "rtl")


@dataclass(frozen=True)
class Cycles:
    """Clock cycles from first input word to last output word, and from frame to frame; bound is the analytic one."""

    latency: int | None
    interval: int | None
    bound: int | None
    clock_mhz: float | None
    fps: float | None


@dataclass(frozen=True)
class ResourceUse:
    """What synthesis counted (LUT6s, flip-flops, 36 Kb block RAMs, DSP slices), against what the board has."""

    lut: float | None
    ff: float | None
    bram36: float | None
    dsp: float | None
    tool: str | None
    board: str | None
    budget: dict[str, float | None]
    fits: bool | None


@dataclass(frozen=True)
class NodeFigures:
    """One node of the dataflow graph; ``sparsity`` is the share of zero bits in the spike trains it sends.

    ``event``: whether it is event-driven; ``cycles`` are those that it takes at most then. ``density``: share of the
    elements that it reads, zero padding among them, that are not zero at all steps. ``work``, ``lanes`` and
    ``utilisation`` as in ``codegen.report.roofline.Rate``. ``toggles``: of its signals per frame in the RTL simulation.
    ``period_ns``: its shortest clock period, by the analysis of its netlist.
    """

    name: str
    op: str
    pe: int | None
    simd: int | None
    tp: int | None
    cycles: int | None
    lut: float | None
    bram36: float | None
    sparsity: float | None
    work: int | None
    lanes: int | None
    utilisation: float | None
    toggles: float | None
    event: bool
    density: float | None
    period_ns: float | None


@dataclass(frozen=True)
class Toggles:
    """Toggles of all cores' signals per frame, counted in the RTL simulation of ``images`` images."""

    images: int | None
    per_frame: float | None


@dataclass(frozen=True)
class PlacedNode:
    """A node in the placed design; ``estimated_*`` is what `make synth` said of it for the same board, else None."""

    name: str
    lut: int
    ff: int
    bram: float
    dsp: int
    estimated_lut: int | None
    estimated_ff: int | None
    estimated_bram: float | None
    estimated_dsp: int | None


@dataclass(frozen=True)
class Bitstream:
    """The last bitstream of the run (``BitstreamResult``) beside the estimates of its cores."""

    tool: str
    board: str
    part: str
    shell: str
    impl: str
    clock_mhz: float
    fmax_mhz: float | None
    slack_ns: float | None
    timing_met: bool
    critical_path: str | None
    lut: int
    ff: int
    bram: float
    dsp: int
    power_w: float | None
    cores: list[PlacedNode] | None
    bitstream: str
    bitstream_sha256: str


PASSAGES = ("rates", "converted")
"""Of metrics.json's accuracies: those of a training that began with the rate-equivalent network."""


@dataclass(frozen=True)
class Report:
    """report.json; the field names are its keys (``as_json``)."""

    model: str
    dataset: str
    ratio: float
    timesteps: int
    weight_bits: int
    seed: int
    params: Reduction | None
    synops: Reduction | None
    channels: dict[str, tuple[int, int]]
    accuracy: dict[str, float | None]
    images: dict[str, int | None]
    mismatches: dict[str, int | None]
    cycles: Cycles
    resources: ResourceUse
    layers: list[NodeFigures]
    bitstream: Bitstream | None
    classes: tuple[str, ...] | None
    """Names in the order of the logits; None where the network names none, or was not tried on images."""
    confusion: tuple[tuple[int, ...], ...] | None
    """Test images by [label, class that the integer network decides for]."""
    energy: Energy
    toggles: Toggles
    event_driven: EventDriven | None
    """None without event-driven cores, or before an RTL simulation of them."""
    timing: TimingLimit | None
    """The core that limits the clock, by the analysis of the cores' netlists."""
    front: Front | None
    """Other foldings for the board."""
    imported: Imported | None
    """Where the network came from, if no training here made it."""
    made_of: dict[str, str]
    """SHA-256 of each file or source tree of the run folder that the report takes figures from."""

    def as_json(self) -> dict[str, Any]:
        """The content of report.json: every key is there, null where nothing was measured."""
        return asdict(self)


@dataclass(frozen=True)
class Measured:
    """A report with what only the page shows: the training, its channel scores, and the speed of each simulator.

    ``shipped``: by stage, the share of the shipped images that are classified right, where a stage had no test set. The
    report says null for its accuracy then.
    """

    report: Report
    config: TrainConfig
    history: tuple[Epoch, ...]
    scores: dict[str, tuple[float, ...]]
    training_seconds: float
    passages: dict[str, float]
    """Accuracy on the whole test set as rates, and converted to spikes before the last epochs; empty without rates."""
    images_per_second: dict[str, float | None]
    rtl_cycles_per_second: float | None
    routed_clock: bool
    """Whether the clock is the bitstream's, by its timing analysis, and not a target."""
    shipped: dict[str, float | None]
    predictions: PredictionsResult | None
    no_predictions: str
    """Why there are none, where images were looked for."""
    rates: tuple[Rate, ...]
