"""Build graph.onnx: the folded FINN dataflow graph of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from finn.analysis.fpgadataflow.exp_cycles_per_layer import exp_cycles_per_layer
from finn.analysis.fpgadataflow.res_estimation import res_estimation
from finn.util.basic import getHWCustomOp
from qonnx.core.modelwrapper import ModelWrapper

from codegen.dataflow.dataflow import Implementation, fold, load_model, to_dataflow
from codegen.dataflow.environment import quiet
from codegen.dataflow.folding.choose import FoldingRequest, choose_folding, require_fit
from codegen.dataflow.folding.file import NodeFolding, depths_of, plan_folding, with_depths, write_folding
from codegen.dataflow.folding.from_file import explicit
from codegen.dataflow.folding.solver import Plan, plan_resources
from codegen.digests import file_digest
from codegen.errors import FoldingError
from codegen.fit import NO_BOARD, find_board
from codegen.pruning import pruning_of
from codegen.results import FoldedNode, FoldingResult
from codegen.run_folder import RunFolder
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
) -> ModelWrapper:
    """Write graph.onnx, folding.json and results/folding.json of a run (into another one: ``into``); return the graph.

    ``board`` names a board of fpga.boards; "none" or None is no budget. Without ``target_cycles`` and ``folding_file``
    the folding is the fastest within ``lut_share`` of the board's LUTs (None: DEFAULT_SHARE, or more where that is too
    little) and ``fill`` of its other resources (None: all, or DEFAULT_FILL where that costs little), of those the
    one of fewest LUTs, with planned FIFO depths. Measured ones, from ``measure``, then take their place where
    ``fifo_depths`` says so, but for those that a file names. Raises MappingError for nodes without a core, FoldingError
    for foldings that do not divide, meet the target, stay within the share or fit the board, UnknownBoardError, and
    what ``measure`` raises.
    """
    target_board = None if board is None or board.lower() == NO_BOARD else find_board(board)
    source = run.require("model.onnx")
    if target_cycles is not None and target_cycles < 1:
        raise FoldingError(f"a target of {target_cycles} cycles per frame is not possible, it must be at least 1")
    request = FoldingRequest(target_board, target_cycles, folding_file, lut_share, fill)
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
    require_fit(estimate, target_board, pruning)
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
