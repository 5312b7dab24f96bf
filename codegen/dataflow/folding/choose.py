"""From what is asked of a folding, a file, a target or a share of a board, to the plan; and what would fit instead."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from qonnx.core.modelwrapper import ModelWrapper

from codegen.dataflow.folding.event import EventChoice
from codegen.dataflow.folding.file import NodeFolding, read_folding
from codegen.dataflow.folding.from_file import plan_from_file
from codegen.dataflow.folding.front import pareto_front
from codegen.dataflow.folding.layers import Layer, read_layers
from codegen.dataflow.folding.solver import Plan, Solver, cost, plan_cycles, plan_resources, within
from codegen.errors import FoldingError
from codegen.fit import Resources, advise, alike, estimated_budget
from codegen.pruning import Pruning
from codegen.results import FrontPoint
from fpga.boards import Board

BUDGET_SHARE = 0.7
"""Share of a board's LUTs that the estimate may fill: placement needs room, and the DMAs are not in the estimate."""

DEFAULT_SHARE = 0.15
"""Share of a board's LUTs used without target or file: fast, yet quick to simulate and synthesise."""

DEFAULT_FILL = 0.8
"""Share of a board's flip-flops, block RAMs and DSP slices beyond which a folding goes only for speed or many LUTs."""

DEFAULT_LANES = 1024
"""Multiply lanes that a folding without board, target and file aims at."""

_SHARE_STEPS = 1000
"""Shares are advised in thousandths."""


@dataclass(frozen=True)
class FoldingRequest:
    """What a folding shall meet: a file, or a target in cycles per frame, or (neither) as fast as ``share`` allows.

    Without a share the folding takes DEFAULT_SHARE of the board's LUTs, and more where that is too little. ``fill``
    bounds the share of its flip-flops, block RAMs and DSP slices: without it all of them, but DEFAULT_FILL where that
    costs no cycles, and no more LUTs than the block RAMs that it saves are worth. ``events``: that cores may be
    event-driven, so that cycles are those of a statistic over images.
    """

    board: Board | None
    target_cycles: int | None
    file: Path | None
    share: float | None = None
    fill: float | None = None
    events: EventChoice | None = None

    @property
    def fills(self) -> tuple[float, ...]:
        """The fills to choose from, the preferred one first and the largest last."""
        return (DEFAULT_FILL, 1.0) if self.fill is None else (self.fill,)


def choose_folding(model: ModelWrapper, request: FoldingRequest, pruning: Pruning) -> tuple[Plan, NodeFolding]:
    """The plan of an unfolded graph for a request, and what a file names outright.

    Raises FoldingError, with advice for a network pruned like that where a board is too small.
    """
    layers = read_layers(model)
    if request.fill is not None and (request.board is None or request.file is not None):
        why = "without a board; name one, such as BOARD=Pynq-Z2" if request.board is None else "with a folding file"
        raise FoldingError(f"a fill of a board's resources was asked for {why}")
    if request.file is not None:
        asked = read_folding(request.file, model)
        return plan_from_file(layers, asked), asked
    if request.board is not None:
        return _on_board(Solver(layers, events=request.events), request, request.board, pruning), {}
    if request.target_cycles is not None:
        return Solver(layers, events=request.events).cheapest(request.target_cycles), {}
    if request.share is not None:
        raise FoldingError("a share of a board's LUTs was asked for without a board; name one, such as BOARD=Pynq-Z2")
    return _fold_for_lanes(Solver(layers, events=request.events), DEFAULT_LANES), {}


def front_of(model: ModelWrapper, request: FoldingRequest) -> tuple[FrontPoint, ...]:
    """The Pareto front of an unfolded graph on the board of a request; empty without one, and for a file's folding.

    All LUTs of the board may be taken, and of the rest what the request lets be filled.
    """
    if request.board is None or request.file is not None:
        return ()
    solver = Solver(read_layers(model), events=request.events)
    return pareto_front(solver, offered(request.board, 1.0, request.fills[-1]))


def require_fit(needed: Resources, board: Board | None, pruning: Pruning) -> None:
    """Raise FoldingError with advice when the estimate exceeds the whole board."""
    if board is not None and not within(needed, estimated_budget(board)):
        raise FoldingError(_too_large(needed, board, pruning))


def _on_board(solver: Solver, request: FoldingRequest, board: Board, pruning: Pruning) -> Plan:
    if request.target_cycles is not None:
        plan = _roomiest(solver, request.target_cycles, board, 1.0, request.fills)
        if plan is not None:
            return plan
    else:
        for share in (DEFAULT_SHARE, BUDGET_SHARE) if request.share is None else (request.share,):
            fastest = solver.fastest(offered(board, share, request.fills[-1]))
            if fastest is not None:
                return _roomiest(solver, plan_cycles(fastest), board, share, request.fills) or fastest
    if request.share is not None:
        raise FoldingError(_no_share(solver, request, board, request.share))
    smallest = solver.smallest(request.target_cycles, offered(board, 1.0, 1.0))
    if smallest is not None and request.fill is None:
        return smallest
    if smallest is not None:
        raise FoldingError(_too_full(solver, request, board, plan_resources(smallest)))
    target = solver.intervals[-1] if request.target_cycles is None else request.target_cycles
    slower = solver.fastest(offered(board, 1.0, 1.0)) if request.target_cycles is not None else None
    larger = [b.name for b in alike(board) if solver.smallest(target, offered(b, 1.0, 1.0)) is not None]
    needed = plan_resources(solver.cheapest(target))
    raise FoldingError(_too_large(needed, board, pruning, plan_cycles(slower) if slower else 0, larger))


def _roomiest(solver: Solver, target: int, board: Board, share: float, fills: tuple[float, ...]) -> Plan | None:
    """Of the plans of fewest LUTs for a target within each fill, the one that costs least with block RAMs at their
    exchange rate: RAMs beyond the preferred fill are taken where they save as many LUTs, or where it takes them."""
    plans = (solver.smallest(target, offered(board, share, fill)) for fill in fills)
    found = [plan for plan in plans if plan is not None]
    return min(found, key=lambda plan: cost(plan_resources(plan)), default=None)


def offered(board: Board, share: float, fill: float) -> Resources:
    """A share of a board's LUTs, six-input ones of estimates, and a fill of its other resources."""
    whole = estimated_budget(board)
    half_rams = math.floor(round(2 * whole.bram36 * fill, 6))
    return Resources(int(whole.lut * share), int(whole.ff * fill), half_rams / 2, int(whole.dsp * fill))


def _no_share(solver: Solver, request: FoldingRequest, board: Board, share: float) -> str:
    """That no folding stays within a share of the LUTs; by how much, and the share and boards that would fit."""
    fill = request.fills[-1]
    smallest = solver.smallest(budget=offered(board, 1.0, fill))
    least = plan_resources(smallest or solver.cheapest(solver.intervals[-1]))
    ways = []
    if smallest is not None:
        ways.append(f"LUT_SHARE={_share_of(least.lut, board):g}")
    larger = [b.name for b in alike(board) if solver.smallest(budget=offered(b, share, fill)) is not None]
    if larger:
        ways.append(f"BOARD={' or '.join(larger)}")
    filled = "" if request.fill is None else f", filling {request.fill:g} of the rest"
    most = f"{offered(board, share, fill).lut:,} LUTs, the share {share:g} of {board.name}{filled}"
    return (
        f"no folding stays within {most}; the smallest takes {least.lut:,} LUTs and {least.bram36:g} of "
        f"{board.bram36} BRAM36 by estimate; "
        + (f"{', or '.join(ways)} would fit" if ways else "no other share or board would fit")
    )


def _share_of(lut: int, board: Board) -> float:
    """The smallest share, in steps, of the board's LUTs that holds so many."""
    whole = estimated_budget(board).lut
    return next(
        step / _SHARE_STEPS
        for step in range(_SHARE_STEPS * lut // whole, _SHARE_STEPS + 1)
        if int(whole * (step / _SHARE_STEPS)) >= lut
    )


def _too_full(solver: Solver, request: FoldingRequest, board: Board, least: Resources) -> str:
    """That a folding that fits the board does not fit what may be filled of it."""
    fill = request.fills[-1]
    if request.target_cycles is None:
        return (
            f"no folding stays within {BUDGET_SHARE:g} of the LUTs and {fill:g} of the flip-flops, BRAM36 and DSPs of "
            f"{board.name}; the smallest takes {least.lut:,} LUTs and {least.bram36:g} of {board.bram36} BRAM36 by "
            f"estimate, so LUT_SHARE={_share_of(least.lut, board):g} FILL=1 would fit"
        )
    slower = solver.fastest(offered(board, 1.0, fill))
    also = f", or CYCLES={plan_cycles(slower)}" if slower else ""
    return (
        f"no folding for {request.target_cycles} cycles per frame stays within {fill:g} of the flip-flops, BRAM36 and "
        f"DSPs of {board.name}; FILL=1{also} would fit"
    )


def _too_large(
    needed: Resources, board: Board, pruning: Pruning, cycles: int | None = None, larger: list[str] | None = None
) -> str:
    of_board = replace(needed, lut=round(needed.lut * board.luts_per_lut6))
    return f"by estimate, {advise(of_board, board, pruning.ratio, pruning.weight_bits, cycles, larger)}"


def _fold_for_lanes(solver: Solver, lanes: int) -> Plan:
    """A plan of about so many lanes: the work of the network over them, or the fastest that the layers reach."""
    return solver.cheapest(next(target for target in _targets(solver.layers, lanes) if target >= solver.intervals[0]))


def _targets(layers: tuple[Layer, ...], lanes: int) -> Iterator[int]:
    target = max(1, sum(layer.core.work for layer in layers) // lanes)
    while True:
        yield target
        target *= 2
