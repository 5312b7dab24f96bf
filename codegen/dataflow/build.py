"""Build graph.onnx: the folded FINN dataflow graph of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from finn.analysis.fpgadataflow.exp_cycles_per_layer import exp_cycles_per_layer
from finn.analysis.fpgadataflow.res_estimation import res_estimation
from finn.util.basic import getHWCustomOp
from qonnx.core.modelwrapper import ModelWrapper

from codegen.dataflow.dataflow import Implementation, fold, load_model, to_dataflow
from codegen.dataflow.environment import quiet
from codegen.dataflow.folding.file import NodeFolding, depths_of, plan_folding, read_folding, with_depths, write_folding
from codegen.dataflow.folding.from_file import explicit, plan_from_file
from codegen.dataflow.folding.layers import read_layers
from codegen.dataflow.folding.solver import (
    Plan,
    fold_for_budget,
    fold_for_target,
    plan_resources,
    smallest_plan,
    within,
)
from codegen.digests import file_digest
from codegen.errors import FoldingError
from codegen.fit import NO_BOARD, Resources, advise, estimated_budget, find_board
from codegen.pruning import Pruning, pruning_of
from codegen.results import FoldedNode, FoldingResult
from codegen.run_folder import RunFolder
from fpga.boards import Board
from sca_train.files import write_whole

DEFAULT_PART = "xc7z020clg400-1"
"""Part that FINN's passes are told when no board is named; nothing in the graph depends on it."""

BUDGET_SHARE = 0.7
"""Share of a board's LUTs that the estimate may fill: placement needs room, and the DMAs are not in the estimate."""

DEFAULT_SHARE = 0.15
"""Share of a board's LUTs used without target or file: fast, yet quick to simulate and synthesise."""

DEFAULT_LANES = 1024
"""Multiply lanes that a folding without board, target and file aims at."""


FifoDepths = Literal["auto", "planned", "measured"]
"""Where FIFO depths come from: analytic ones, measured ones, or measured ones where streams join (auto)."""

MeasureDepths = Callable[[ModelWrapper, NodeFolding, str], Mapping[str, list[int]]]
"""FIFO depths, by node and input, that an unfolded graph needs with a folding on a part."""


@dataclass(frozen=True)
class FoldingRequest:
    """What a folding shall meet: a file, or a target in cycles per frame, or (neither) as fast as ``share`` allows.

    Without a share the folding takes DEFAULT_SHARE of the board's LUTs, and more where that is too little.
    """

    board: Board | None
    target_cycles: int | None
    file: Path | None
    share: float | None = None


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
) -> ModelWrapper:
    """Write graph.onnx, folding.json and results/folding.json of a run (into another one: ``into``); return the graph.

    ``board`` names a board of fpga.boards; "none" or None is no budget. Without ``target_cycles`` and ``folding_file``
    the folding is the fastest within ``lut_share`` of the board's LUTs (None: DEFAULT_SHARE, or more where that is too
    little), with planned FIFO depths. Measured ones, from ``measure``, then take their place where ``fifo_depths`` says
    so, but for those that a file names. Raises MappingError for nodes without a core, FoldingError for foldings that do
    not divide, meet the target, stay within the share or fit the board, UnknownBoardError, and what ``measure`` raises.
    """
    target_board = None if board is None or board.lower() == NO_BOARD else find_board(board)
    source = run.require("model.onnx")
    if target_cycles is not None and target_cycles < 1:
        raise FoldingError(f"a target of {target_cycles} cycles per frame is not possible, it must be at least 1")
    request = FoldingRequest(target_board, target_cycles, folding_file, lut_share)
    part = target_board.part if target_board and target_board.finn_name else DEFAULT_PART
    pruning = pruning_of(run)
    with quiet():
        loaded = load_model(source)
        model_digest = file_digest(source)
        model = to_dataflow(loaded, impl, part)
        plan, asked = choose_folding(model, request, pruning)
    folding = explicit(plan_folding(plan), asked)
    if measure is not None and _measures(fifo_depths, plan, asked):
        folding = explicit(with_depths(folding, measure(model, folding, part)), asked)
    estimate = plan_resources(plan, depths_of(folding))
    _require_fit(estimate, target_board, pruning)
    with quiet():
        model = fold(model, folding, part)
        nodes = analyse(model, part)
    into = into or run
    write_whole(into.path / "graph.onnx", lambda aside: model.save(str(aside)))
    write_folding(folding, into.path / "folding.json")
    FoldingResult(
        target_cycles=target_cycles,
        estimate=estimate,
        bound=max(node.cycles for node in nodes),
        nodes=nodes,
        model_sha256=model_digest,
        graph_sha256=file_digest(into.path / "graph.onnx"),
    ).save(into)
    return model


def _measures(fifo_depths: FifoDepths, plan: Plan, asked: NodeFolding) -> bool:
    """Whether depths are measured: on demand, or where streams join at a node for which a file names none."""
    joins = [core.name for layer_plan in plan for core in layer_plan.nodes if len(core.inputs) > 1]
    unnamed = [name for name in joins if name not in depths_of(asked)]
    return fifo_depths == "measured" or (fifo_depths == "auto" and bool(unnamed))


def choose_folding(model: ModelWrapper, request: FoldingRequest, pruning: Pruning) -> tuple[Plan, NodeFolding]:
    """The plan of an unfolded graph for a request, and what a file names outright.

    Raises FoldingError, with advice for a network pruned like that where a board is too small.
    """
    layers = read_layers(model)
    if request.file is not None:
        asked = read_folding(request.file, model)
        return plan_from_file(layers, asked), asked
    if request.target_cycles is not None:
        plan = fold_for_target(layers, request.target_cycles)
    elif request.board is not None and request.share is not None:
        plan = _within_share(layers, request.board, request.share)
    elif request.board is not None:
        plan = _largest(layers, request.board, pruning)
    elif request.share is not None:
        raise FoldingError("a share of a board's LUTs was asked for without a board; name one, such as BOARD=Pynq-Z2")
    else:
        plan = _fold_for_lanes(layers, DEFAULT_LANES)
    return plan, {}


def _fold_for_share(layers: Any, board: Board, share: float) -> Plan | None:
    offered = estimated_budget(board)
    return fold_for_budget(layers, replace(offered, lut=int(offered.lut * share)))


def _within_share(layers: Any, board: Board, share: float) -> Plan:
    """The fastest plan within a share of the board's LUTs that was asked for."""
    plan = _fold_for_share(layers, board, share)
    if plan is None:
        least = plan_resources(smallest_plan(layers))
        raise FoldingError(
            f"no folding stays within {int(estimated_budget(board).lut * share):,} LUTs, the share {share:g} of "
            f"{board.name}; the "
            f"smallest takes {least.lut:,} LUTs and {least.bram36:g} of {board.bram36} BRAM36 by estimate"
        )
    return plan


def _largest(layers: Any, board: Board, pruning: Pruning) -> Plan:
    """The fastest plan within the default share of the board's LUTs, or within the usable ones where that is too
    little."""
    for share in (DEFAULT_SHARE, BUDGET_SHARE):
        plan = _fold_for_share(layers, board, share)
        if plan is not None:
            return plan
    plan = smallest_plan(layers)
    _require_fit(plan_resources(plan), board, pruning, slower_fits=False)
    return plan


def _require_fit(needed: Resources, board: Board | None, pruning: Pruning, slower_fits: bool = True) -> None:
    """Raise FoldingError with advice when the estimate exceeds the whole board."""
    if board is not None and not within(needed, estimated_budget(board)):
        of_board = replace(needed, lut=round(needed.lut * board.luts_per_lut6), ff=0)
        advice = advise(of_board, board, pruning.ratio, pruning.weight_bits, slower_fits)
        raise FoldingError(f"by estimate, {advice}")


def _fold_for_lanes(layers: Any, lanes: int) -> Plan:
    """A plan of about so many lanes: the work of the network over them, or the fastest that the layers reach."""
    work = sum(layer.core.work for layer in layers)
    target = max(1, work // lanes)
    while True:
        try:
            return fold_for_target(layers, target)
        except FoldingError:
            target *= 2


def analyse(model: ModelWrapper, part: str) -> tuple[FoldedNode, ...]:
    """FINN's own analyses of a folded graph: cycles and estimate of every node."""
    cycles = model.analysis(exp_cycles_per_layer)
    resources = res_estimation(model, part)
    nodes = []
    for node in model.graph.node:
        instance = getHWCustomOp(node)
        known = instance.get_nodeattr_types()
        values = {
            name: instance.get_nodeattr(name) if name in known else None for name in ("PE", "SIMD", "TP", "layer")
        }
        estimate = resources[node.name]
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
            )
        )
    return tuple(nodes)
