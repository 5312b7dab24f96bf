"""Build graph.onnx: the folded FINN dataflow graph of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from finn.analysis.fpgadataflow.exp_cycles_per_layer import exp_cycles_per_layer
from finn.analysis.fpgadataflow.res_estimation import res_estimation
from finn.util.basic import getHWCustomOp
from qonnx.core.modelwrapper import ModelWrapper

from codegen.cores import core_of
from codegen.current import density_is_current, require_density
from codegen.dataflow.dataflow import Implementation, fold, load_model, to_dataflow
from codegen.dataflow.environment import quiet
from codegen.dataflow.folding.choose import FoldingRequest, WeightPlaces, choose_folding, front_of, require_fit
from codegen.dataflow.folding.event import EventChoice, core_spread, is_event_driven
from codegen.dataflow.folding.file import NodeFolding, depths_of, plan_folding, with_depths, write_folding
from codegen.dataflow.folding.from_file import explicit
from codegen.dataflow.folding.options import MacPlaces
from codegen.dataflow.folding.solver import Plan, plan_beats, plan_resources
from codegen.digests import file_digest
from codegen.errors import FoldingError
from codegen.event_results import DensityResult
from codegen.fit import NO_BOARD, find_board
from codegen.pruning import pruning_of
from codegen.results import FoldedNode, FoldingResult, Spread
from codegen.run_folder import RunFolder
from codegen.statistic import Statistic
from codegen.weight_bus import bus_cycles
from sca_train.files import write_whole

DEFAULT_PART = "xc7z020clg400-1"
"""Part that FINN's passes are told when no board is named; nothing in the graph depends on it."""

FifoDepths = Literal["auto", "planned", "measured"]
"""Where FIFO depths come from: analytic ones, measured ones, or measured ones where streams join (auto)."""

MeasureDepths = Callable[[ModelWrapper, NodeFolding, str], Mapping[str, list[int]]]
"""FIFO depths, by node and input, that an unfolded graph needs with a folding on a part."""


def build_graph(
    run: RunFolder,
    board: str | None = "Pynq-Z2",
    target_cycles: int | None = None,
    folding_file: Path | None = None,
    impl: Implementation = "rtl",
    lut_share: float | None = None,
    fifo_depths: FifoDepths = "planned",
    measure: MeasureDepths | None = None,
    into: RunFolder | None = None,
    fill: float | None = None,
    event: Statistic | None = None,
    guaranteed: int | None = None,
    weights: WeightPlaces = "chip",
    mac: MacPlaces = "lut",
) -> ModelWrapper:
    """Write graph.onnx, folding.json and results/folding.json of a run (into another one: ``into``); return the graph.

    ``board`` names a board of fpga.boards; "none" or None is no budget. Without ``target_cycles`` and ``folding_file``
    the folding is the fastest within ``lut_share`` of the board's LUTs (None: DEFAULT_SHARE, or more where that is too
    little) and ``fill`` of its other resources (None: all, or DEFAULT_FILL where that costs little), of those the
    one of fewest LUTs, with planned FIFO depths. Measured ones, from ``measure``, then take their place where
    ``fifo_depths`` says so, but for those that a file names. ``event``: cores may be event-driven where the densities
    of results/density.json say that it pays; cycles are those of this statistic over images then, and ``guaranteed``
    are the most for any image at all. ``weights`` are on the chip, outside, or (auto) outside where nothing fits so.
    ``mac``: sums are accumulated in look-up tables, in DSP slices, or (auto) there where that saves LUTs.
    Raises RunFolderError without those densities, MappingError for nodes without a core, FoldingError for foldings that
    do not divide, meet the target, stay within the share or fit the board, UnknownBoardError, and what ``measure``
    raises.
    """
    target_board = None if board is None or board.lower() == NO_BOARD else find_board(board)
    source = run.require("model.onnx")
    if target_cycles is not None and target_cycles < 1:
        raise FoldingError(f"a target of {target_cycles} cycles per frame is not possible, it must be at least 1")
    density = _density(run, event, guaranteed, folding_file)
    events = EventChoice.of(density, event, guaranteed) if density and event else None
    request = FoldingRequest(target_board, target_cycles, folding_file, lut_share, fill, events, weights, mac)
    part = target_board.part if target_board and target_board.finn_name else DEFAULT_PART
    pruning = pruning_of(run)
    with quiet():
        loaded = load_model(source)
        model_digest = file_digest(source)
        model = to_dataflow(loaded, impl, part)
        choice = choose_folding(model, request, pruning)
        front = front_of(choice, request)
    plan, asked = choice.plan, choice.asked
    if impl == "hls" and any(layer_plan.core.folding().get("macStyle") == "dsp" for layer_plan in plan):
        raise FoldingError("sums in DSP slices (MAC, macStyle) are of the RTL; with IMPL=hls Vitis HLS decides itself")
    folding = explicit(plan_folding(plan), asked)
    if measure is not None and _measures(fifo_depths, plan, asked):
        folding = explicit(with_depths(folding, measure(model, folding, part)), asked)
    estimate = plan_resources(plan, depths_of(folding))
    require_fit(estimate, target_board, pruning)
    with quiet():
        model = fold(model, folding, part)
        nodes = analyse(model, part, density)
    into = into or run
    write_whole(into.path / "graph.onnx", lambda aside: model.save(str(aside)))
    write_folding(folding, into.path / "folding.json")
    FoldingResult(
        target_cycles=target_cycles,
        estimate=estimate,
        bound=max(bus_cycles(plan_beats(plan)), *(node.cycles for node in nodes)),
        weight_beats=plan_beats(plan),
        nodes=nodes,
        model_sha256=model_digest,
        graph_sha256=file_digest(into.path / "graph.onnx"),
        statistic=event,
        spread=_slowest(nodes),
        front=front,
    ).save(into)
    return model


def _density(
    run: RunFolder, event: Statistic | None, guaranteed: int | None, file: Path | None
) -> DensityResult | None:
    """The densities that were measured on the run's model.onnx; those that are not asked for may be missing."""
    if event is None:
        if guaranteed is not None:
            raise FoldingError("cycles are to be guaranteed, but no core may be event-driven; say EVENT=1, or CYCLES")
        return DensityResult.load(run) if file is not None and density_is_current(run) else None
    if file is not None:
        raise FoldingError("a folding file says itself which cores are event-driven; leave out EVENT (--event)")
    return require_density(run)


def _slowest(nodes: tuple[FoldedNode, ...]) -> Spread | None:
    """Cycles of the slowest node by each statistic; None without event-driven cores, or where one has no measure."""
    if not any(node.event for node in nodes) or any(node.event and node.spread is None for node in nodes):
        return None
    return Spread.slowest([node.spread or Spread(node.cycles, node.cycles, node.cycles) for node in nodes])


def _measures(fifo_depths: FifoDepths, plan: Plan, asked: NodeFolding) -> bool:
    """Whether depths are measured: on demand, or where streams join at a node for which a file names none."""
    joins = [core.name for layer_plan in plan for core in layer_plan.nodes if len(core.inputs) > 1]
    unnamed = [name for name in joins if name not in depths_of(asked)]
    return fifo_depths == "measured" or (fifo_depths == "auto" and bool(unnamed))


def analyse(model: ModelWrapper, part: str, density: DensityResult | None = None) -> tuple[FoldedNode, ...]:
    """FINN's own analyses of a folded graph: cycles and estimate of every node, and what ``density`` tells of it."""
    densities = {entry.layer: entry for entry in density.layers} if density else {}
    cycles = model.analysis(exp_cycles_per_layer)
    resources = res_estimation(model, part)
    nodes = []
    for node in model.graph.node:
        instance = getHWCustomOp(node)
        known = instance.get_nodeattr_types()
        values = {
            name: instance.get_nodeattr(name) if name in known else None for name in ("PE", "SIMD", "TP", "layer")
        }
        estimate, core = resources[node.name], core_of(instance)
        nodes.append(
            FoldedNode(
                name=node.name,
                op=node.op_type,
                layer=values["layer"],
                pe=values["PE"],
                simd=values["SIMD"],
                tp=values["TP"],
                cycles=cycles[node.name],
                lut=estimate["LUT"],
                bram36=estimate["BRAM_18K"] / 2,
                dsp=estimate["DSP"],
                event=is_event_driven(core),
                spread=core_spread(densities.get(values["layer"] or ""), core),
            )
        )
    return tuple(nodes)
