"""From what is asked of a folding, a file, a target or a share of a board, to the plan; and what would fit instead."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from qonnx.core.modelwrapper import ModelWrapper

from codegen.dataflow.folding.event import EventChoice
from codegen.dataflow.folding.file import NodeFolding, read_folding
from codegen.dataflow.folding.from_file import plan_from_file
from codegen.dataflow.folding.front import pareto_front
from codegen.dataflow.folding.layers import Layer, read_layers
from codegen.dataflow.folding.options import MacPlaces, layer_options
from codegen.dataflow.folding.solver import Plan, Solver, cost, plan_cycles, plan_resources, within
from codegen.errors import FoldingError
from codegen.fit import Resources, advise, alike, estimated_budget
from codegen.pruning import Pruning
from codegen.results import FrontPoint
from fpga.boards import Board

WeightPlaces = Literal["chip", "external", "auto"]

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
    ``weights`` "external" is every layer that can have them outside the chip, "auto" as few of those with the most
    weights as the best folding needs. ``mac`` "dsp" is DSP slices for the sums of all layers, "auto" for those where
    they save LUTs, as far as the board has some.
    """

    board: Board | None
    target_cycles: int | None
    file: Path | None
    share: float | None = None
    fill: float | None = None
    events: EventChoice | None = None
    weights: WeightPlaces = "chip"
    mac: MacPlaces = "lut"

    @property
    def mac_places(self) -> MacPlaces:
        """Where the board that there is lets sums be accumulated."""
        without = self.board is not None and not self.board.has_dsp48
        return "lut" if self.mac == "auto" and without else self.mac

    @property
    def fills(self) -> tuple[float, ...]:
        """The fills to choose from, the preferred one first and the largest last."""
        return (DEFAULT_FILL, 1.0) if self.fill is None else (self.fill,)


@dataclass(frozen=True)
class Choice:
    """The plan that a request is met with, what its file names outright, and the solver that found the plan.

    A file's plan is no solver's.
    """

    plan: Plan
    asked: NodeFolding
    solver: Solver | None


def choose_folding(model: ModelWrapper, request: FoldingRequest, pruning: Pruning) -> Choice:
    """The plan of an unfolded graph for a request.

    Raises FoldingError, with advice for a network pruned like that where a board is too small.
    """
    layers = read_layers(model)
    _check_weights(request)
    _check_mac(request)
    if request.fill is not None and (request.board is None or request.file is not None):
        why = "without a board; name one, such as BOARD=Pynq-Z2" if request.board is None else "with a folding file"
        raise FoldingError(f"a fill of a board's resources was asked for {why}")
    if request.file is not None:
        asked = read_folding(request.file, model)
        plan = plan_from_file(layers, asked)
        _check_slices(plan, request.board)
        return Choice(plan, asked, None)
    if request.board is not None:
        return _on_board(layers, request, request.board, pruning)
    # Without a board there is no end of block RAM.
    external = _external_layers(layers) if request.weights == "external" else frozenset()
    solver = _solver(layers, request, external)
    if request.target_cycles is not None:
        return Choice(solver.cheapest(request.target_cycles), {}, solver)
    if request.share is not None:
        raise FoldingError("a share of a board's LUTs was asked for without a board; name one, such as BOARD=Pynq-Z2")
    return Choice(_fold_for_lanes(solver, DEFAULT_LANES), {}, solver)


def _solver(layers: tuple[Layer, ...], request: FoldingRequest, external: frozenset[str] = frozenset()) -> Solver:
    return Solver(layers, events=request.events, external=external, mac=request.mac_places)


def front_of(choice: Choice, request: FoldingRequest) -> tuple[FrontPoint, ...]:
    """The Pareto front of a network on the board of a request, its weights where the chosen plan has them; empty
    without a board, and for a file's folding.

    All LUTs of the board may be taken, and of the rest what the request lets be filled.
    """
    if request.board is None or choice.solver is None:
        return ()
    return pareto_front(choice.solver, offered(request.board, 1.0, request.fills[-1]))


def _check_weights(request: FoldingRequest) -> None:
    """Raise FoldingError where weights cannot be outside the chip as they were asked to."""
    if request.weights == "chip":
        return
    if request.file is not None:
        raise FoldingError(
            f"WEIGHTS={request.weights} was asked for with a folding file; it sets memStyle of each layer, "
            "external among them"
        )
    if request.board is not None and not request.board.weight_port:
        raise FoldingError(
            f"{request.board.name} has no memory port to read weights through; WEIGHTS=chip, or a Zynq board"
        )


def _check_mac(request: FoldingRequest) -> None:
    """Raise FoldingError where sums cannot be accumulated as they were asked to."""
    if request.mac == "lut":
        return
    if request.file is not None:
        raise FoldingError(
            f"MAC={request.mac} was asked for with a folding file; it sets macStyle of each layer, lut or dsp"
        )
    if request.mac == "dsp" and request.board is not None and not request.board.has_dsp48:
        raise FoldingError(f"{request.board.name} has no DSP48 slices to accumulate sums in; MAC=lut, or a Zynq board")


def _check_slices(plan: Plan, board: Board | None) -> None:
    """Raise FoldingError where a file asks for DSP slices that the board has not."""
    if board is None or board.has_dsp48:
        return
    for layer_plan in plan:
        if layer_plan.core.folding().get("macStyle") == "dsp":
            raise FoldingError(
                f"the folding file gives {layer_plan.core.name} macStyle 'dsp', and {board.name} has no DSP48 slices; "
                "valid is lut"
            )


def require_fit(needed: Resources, board: Board | None, pruning: Pruning) -> None:
    """Raise FoldingError with advice when the estimate exceeds the whole board."""
    if board is not None and not within(needed, estimated_budget(board)):
        raise FoldingError(_too_large(needed, board, pruning))


def _on_board(layers: tuple[Layer, ...], request: FoldingRequest, board: Board, pruning: Pruning) -> Choice:
    if request.weights == "auto":
        return _as_few_outside(layers, request, board, pruning)
    external = _external_layers(layers) if request.weights == "external" else frozenset()
    solver = _solver(layers, request, external)
    plan = _found(solver, request, board)
    if plan is None:
        raise FoldingError(_nothing(solver, request, board, pruning))
    return Choice(plan, {}, solver)


def _as_few_outside(layers: tuple[Layer, ...], request: FoldingRequest, board: Board, pruning: Pruning) -> Choice:
    """The best plan with all weights on the chip; where none is found, with those of the layers with the most weights
    outside, as few as a plan needs, and more as long as it gets faster."""
    chip = _solver(layers, request)
    plan = _found(chip, request, board)
    if plan is not None:
        return Choice(plan, {}, chip)
    best: Choice | None = None
    movable = _external_layers(layers)
    largest = sorted((layer for layer in layers if layer.name in movable), key=lambda layer: -layer.core.memory_bits)
    for count in range(1, len(largest) + 1):
        outside = frozenset(layer.name for layer in largest[:count])
        solver = _solver(layers, request, outside)
        plan = _found(solver, request, board)
        if best is not None and (plan is None or plan_cycles(plan) >= plan_cycles(best.plan)):
            return best
        best = Choice(plan, {}, solver) if plan is not None else None
    if best is None:
        raise FoldingError(_nothing(chip, request, board, pruning))
    return best


def _external_layers(layers: tuple[Layer, ...]) -> frozenset[str]:
    """Names of the layers that can have their weights outside the chip."""
    return frozenset(layer.name for layer in layers if layer_options(layer, external=True))


def _found(solver: Solver, request: FoldingRequest, board: Board) -> Plan | None:
    """The plan that a request gives on a board; None where there is none."""
    target = request.target_cycles
    if target is not None:
        if target < solver.intervals[0]:
            return None
        plan = _roomiest(solver, target, board, 1.0, request.fills)
        if plan is not None:
            return plan
    else:
        for share in (DEFAULT_SHARE, BUDGET_SHARE) if request.share is None else (request.share,):
            fastest = solver.fastest(offered(board, share, request.fills[-1]))
            if fastest is not None:
                return _roomiest(solver, plan_cycles(fastest), board, share, request.fills) or fastest
    if request.share is not None or request.fill is not None:
        return None
    return solver.smallest(target, offered(board, 1.0, 1.0))


def _nothing(solver: Solver, request: FoldingRequest, board: Board, pruning: Pruning) -> str:
    """That nothing fits, and what would; raises FoldingError where a layer cannot reach the target at all."""
    if request.share is not None:
        return _no_share(solver, request, board, request.share)
    smallest = solver.smallest(request.target_cycles, offered(board, 1.0, 1.0))
    if smallest is not None:
        return _too_full(solver, request, board, plan_resources(smallest))
    target = solver.intervals[-1] if request.target_cycles is None else request.target_cycles
    slower = solver.fastest(offered(board, 1.0, 1.0)) if request.target_cycles is not None else None
    larger = [b.name for b in alike(board) if solver.smallest(target, offered(b, 1.0, 1.0)) is not None]
    needed = plan_resources(solver.cheapest(target))
    outside = request.weights == "chip" and board.weight_port and _fits_outside(solver.layers, request, board)
    return _too_large(needed, board, pruning, plan_cycles(slower) if slower else 0, larger, outside)


def _fits_outside(layers: tuple[Layer, ...], request: FoldingRequest, board: Board) -> bool:
    """Whether anything fits with all weights outside that can be."""
    solver = _solver(layers, request, _external_layers(layers))
    target = solver.intervals[-1] if request.target_cycles is None else request.target_cycles
    return target >= solver.intervals[0] and solver.smallest(target, offered(board, 1.0, 1.0)) is not None


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
    needed: Resources,
    board: Board,
    pruning: Pruning,
    cycles: int | None = None,
    larger: list[str] | None = None,
    outside: bool = False,
) -> str:
    of_board = replace(needed, lut=round(needed.lut * board.luts_per_lut6))
    return f"by estimate, {advise(of_board, board, pruning.ratio, pruning.weight_bits, cycles, larger, outside)}"


def _fold_for_lanes(solver: Solver, lanes: int) -> Plan:
    """A plan of about so many lanes: the work of the network over them, or the fastest that the layers reach."""
    return solver.cheapest(next(target for target in _targets(solver.layers, lanes) if target >= solver.intervals[0]))


def _targets(layers: tuple[Layer, ...], lanes: int) -> Iterator[int]:
    target = max(1, sum(layer.core.work for layer in layers) // lanes)
    while True:
        yield target
        target *= 2
