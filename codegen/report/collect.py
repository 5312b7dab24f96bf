"""The measured values of a run, gathered from the files that its stages left; None is what was not measured."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from codegen.cores import core_class
from codegen.cores.core import LayerCore, StreamCore
from codegen.current import Results, load_results
from codegen.errors import ZooError
from codegen.event_results import EventCyclesResult
from codegen.fit import find_board
from codegen.pruning import reached_ratio
from codegen.render.manifest import MANIFEST, RenderedNode, read_manifest
from codegen.report.energy import Energy, estimate_energy
from codegen.report.event_driven import MHZ, EventDriven, event_driven
from codegen.report.front import Front, front_of
from codegen.report.origin import origins
from codegen.report.roofline import Rate, core_rate
from codegen.results import (
    BitstreamResult,
    OnnxResult,
    PredictionsResult,
    RtlSimulationResult,
    SimulationResult,
    SynthesisResult,
    TimingLimit,
    TogglesResult,
)
from codegen.run_folder import RunFolder
from sca_train.config import TrainConfig
from sca_train.errors import TrainError
from sca_train.measure.metrics_file import Epoch, Imported, Reduction, read_metrics
from sca_train.run_config import load_run_config

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
    """The last bitstream of the run (``codegen.results.BitstreamResult``) beside the estimates of its cores."""

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


def collect(run: RunFolder, data: Path | None = None) -> Measured:
    """Read what the stages of a run left, and measure what the integer network decides where no stage has.

    That is where the export was made elsewhere, such as that of a kept network; and on ``data``, where that is given.
    Raises RunFolderError when the run has not been trained or a result is of another network or folding than the rest,
    TrainError when config.toml says otherwise than the network, and the stage's error when a result file is damaged.
    """
    run.require("config.toml")
    config = load_run_config(run.path)
    run.require("metrics.json")
    metrics = read_metrics(run.path)
    results, no_predictions = _with_predictions(run, load_results(run), data)
    predictions = results.predictions
    compared: dict[str, OnnxResult | SimulationResult | None]
    compared = {"onnx": results.onnx, "csim": results.csim, "rtl": results.rtl}
    accuracies = {stage: result.accuracy if result else None for stage, result in compared.items()}
    images = {stage: result.images if result else None for stage, result in compared.items()}
    rtl = run.path / "rtl"
    nodes = read_manifest(rtl).nodes if (rtl / MANIFEST).exists() else ()
    rates = _rates(nodes, results.rtl, results.event_cycles)
    clock_mhz = _clock(results.synth, results.bitstream)
    report = Report(
        model=config.model,
        dataset=config.dataset,
        ratio=reached_ratio(config.ratio, config.budget, metrics),
        timesteps=config.timesteps,
        weight_bits=config.weight_bits,
        seed=config.seed,
        params=metrics.params,
        synops=metrics.synops,
        channels=metrics.channels,
        accuracy={"float": metrics.accuracy, **accuracies},
        images={"float": metrics.images, **images},
        mismatches={
            "csim": results.csim.mismatches if results.csim else None,
            "rtl": results.rtl.mismatches if results.rtl else None,
        },
        cycles=_cycles(results.rtl, _bound(nodes), clock_mhz),
        resources=_resources(results.synth),
        layers=_layers(nodes, results, rates),
        bitstream=_bitstream(results.bitstream, results.synth),
        classes=(predictions.classes or None) if predictions else None,
        confusion=predictions.confusion if predictions else None,
        energy=estimate_energy(metrics.synops.compact if metrics.synops else None, metrics.first_layer_macs),
        toggles=_toggles(results.toggles),
        event_driven=event_driven(results.event_cycles, clock_mhz),
        timing=results.synth.timing if results.synth else None,
        front=front_of(results.folding),
        imported=metrics.imported,
        made_of=origins(run),
    )
    return Measured(
        report=report,
        config=config,
        history=metrics.history,
        scores=metrics.scores or {},
        training_seconds=metrics.seconds,
        passages={key: value for key, value in metrics.accuracies.items() if key in PASSAGES},
        images_per_second={stage: result.images_per_second if result else None for stage, result in compared.items()},
        rtl_cycles_per_second=results.rtl.cycles_per_second if results.rtl else None,
        routed_clock=results.bitstream is not None and _counts(results.bitstream, results.synth),
        shipped={stage: result.shipped_accuracy if result else None for stage, result in compared.items()},
        predictions=predictions,
        no_predictions=no_predictions,
        rates=rates,
    )


def _with_predictions(run: RunFolder, results: Results, data: Path | None) -> tuple[Results, str]:
    """The results with predictions, and else why there are none; writes those that it measures into the run folder."""
    from codegen.verify.predictions import check_predictions, measure_run

    if results.predictions is not None:
        check_predictions(run, results.predictions)
    if results.onnx is None or (results.predictions is not None and data is None):
        return results, ""

    try:
        predictions = measure_run(run, data, results.predictions)
    except (TrainError, ZooError) as error:
        if data is not None:
            raise
        return results, str(error)
    predictions.save(run)
    return replace(results, predictions=predictions), ""


def _rates(
    nodes: tuple[RenderedNode, ...], rtl: RtlSimulationResult | None, events: EventCyclesResult | None
) -> tuple[Rate, ...]:
    """Rates of the nodes; an event-driven one has its mean cycles where they are known."""
    interval = rtl.interval if rtl else None
    means = {core.name: round(core.cycles.mean) for core in events.cores} if events else {}
    found = (core_rate(node.name, node.parameters, means.get(node.name, node.cycles), interval) for node in nodes)
    return tuple(rate for rate in found if rate is not None)


def _toggles(counted: TogglesResult | None) -> Toggles:
    if counted is None:
        return Toggles(None, None)
    return Toggles(counted.images, sum(core.toggles for core in counted.cores) / counted.images)


def _counts(placed: BitstreamResult, synth: SynthesisResult | None) -> bool:
    """Whether a bitstream's clock is the one to reckon with: it met it, and is for the board of the other figures."""
    return placed.timing_met and (synth is None or synth.board == placed.board)


def _clock(synth: SynthesisResult | None, placed: BitstreamResult | None) -> float | None:
    """What the bitstream is clocked at; without one the board's target, which an ECP5 has none of."""
    if placed is not None and _counts(placed, synth):
        return placed.clock_mhz
    board = find_board(synth.board) if synth else None
    return board.clock_mhz if board and board.family != "ecp5" else None


def _cycles(rtl: RtlSimulationResult | None, bound: int | None, clock_mhz: float | None) -> Cycles:
    interval = rtl.interval if rtl else None
    return Cycles(
        latency=rtl.latency if rtl else None,
        interval=interval,
        bound=bound,
        clock_mhz=clock_mhz,
        fps=clock_mhz * MHZ / interval if clock_mhz and interval else None,
    )


def _bound(nodes: tuple[RenderedNode, ...]) -> int | None:
    """Cycles per frame of the slowest layer: what only moves elements is left out, so no interval can be shorter."""
    return max((node.cycles for node in nodes if not issubclass(core_class(node.op), StreamCore)), default=None)


def _resources(synth: SynthesisResult | None) -> ResourceUse:
    if synth is None:
        nothing: dict[str, float | None] = {"lut": None, "ff": None, "bram36": None, "dsp": None}
        return ResourceUse(None, None, None, None, tool=None, board=None, budget=nothing, fits=None)
    total, budget = synth.total, synth.budget
    return ResourceUse(
        lut=total.lut,
        ff=total.ff,
        bram36=total.bram36,
        dsp=total.dsp,
        tool=synth.tool,
        board=synth.board,
        budget={"lut": budget.lut, "ff": budget.ff, "bram36": budget.bram36, "dsp": budget.dsp},
        fits=synth.fits,
    )


def _layers(nodes: tuple[RenderedNode, ...], results: Results, rates: tuple[Rate, ...]) -> list[NodeFigures]:
    """The nodes of the accelerator in stream order; a node has the sparsity of the layer that it computes."""
    cores = {core.name: core for core in results.synth.cores} if results.synth else {}
    layers = {node.name: node.layer for node in results.folding.nodes} if results.folding else {}
    # The read-out sends logits and has no sparsity.
    sparsities = results.onnx.spike_sparsity if results.onnx else {}
    densities = {entry.layer: entry.nonzero for entry in results.density.layers} if results.density else {}
    rate_of = {rate.name: rate for rate in rates}
    counted = results.toggles
    toggles = {core.name: core.toggles / counted.images for core in counted.cores} if counted else {}
    figures = []
    for node in nodes:
        parameters, rate = node.parameters, rate_of.get(node.name)
        core, layer = cores.get(node.name), layers.get(node.name)
        leads_layer = issubclass(core_class(node.op), LayerCore)
        figures.append(
            NodeFigures(
                name=node.name,
                op=node.op,
                pe=parameters.get("pe"),
                simd=parameters.get("simd"),
                tp=parameters.get("tp"),
                # FINN has no estimate for FIFOs and width converters and says 0.
                cycles=node.cycles or None,
                lut=core.lut if core else None,
                bram36=core.bram36 if core else None,
                sparsity=sparsities.get(layer) if layer and leads_layer else None,
                work=rate.work if rate else None,
                lanes=rate.lanes if rate else None,
                utilisation=rate.utilisation if rate else None,
                toggles=toggles.get(node.name),
                event=bool(parameters.get("event")),
                density=densities.get(layer) if layer and leads_layer else None,
                period_ns=core.period_ns if core else None,
            )
        )
    return figures


def _bitstream(placed: BitstreamResult | None, synth: SynthesisResult | None) -> Bitstream | None:
    if placed is None:
        return None
    estimates = {core.name: core for core in synth.cores} if synth and synth.board == placed.board else {}
    cores = []
    for core in placed.cores or ():
        estimate = estimates.get(core.name)
        cores.append(
            PlacedNode(
                **asdict(core),
                estimated_lut=estimate.lut if estimate else None,
                estimated_ff=estimate.ff if estimate else None,
                estimated_bram=estimate.bram36 if estimate else None,
                estimated_dsp=estimate.dsp if estimate else None,
            )
        )
    shared: dict[str, Any] = {field.name: getattr(placed, field.name) for field in fields(Bitstream)}
    return Bitstream(**shared | {"cores": None if placed.cores is None else cores})
