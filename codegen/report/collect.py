"""The measured values of a run, gathered from the files that its stages left; None is what was not measured."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from codegen.cores import core_class
from codegen.cores.core import LayerCore, StreamCore
from codegen.current import Results, load_results
from codegen.errors import ZooError
from codegen.event_results import EventCyclesResult
from codegen.fit import find_board
from codegen.hardware_results import BitstreamResult, SynthesisResult
from codegen.pruning import reached_ratio
from codegen.render.manifest import MANIFEST, RenderedNode, read_manifest
from codegen.report.content import (
    PASSAGES,
    Bitstream,
    Cycles,
    Measured,
    NodeFigures,
    PlacedNode,
    Report,
    ResourceUse,
    Toggles,
)
from codegen.report.energy import estimate_energy
from codegen.report.event_driven import MHZ, event_driven
from codegen.report.front import front_of
from codegen.report.origin import origins
from codegen.report.roofline import Rate, core_rate
from codegen.results import OnnxResult, RtlSimulationResult, SimulationResult, TogglesResult
from codegen.run_folder import RunFolder
from sca_train.errors import TrainError
from sca_train.measure.metrics_file import read_metrics
from sca_train.run_config import load_run_config


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
