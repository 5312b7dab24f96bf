"""The folding of fewest LUTs for a target, and the fastest that fits a budget; both are exact.

Exact means: among all combinations of ``layer_options``, by the cores' own estimates, which ``plan_resources`` adds up.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import cached_property

from codegen.cores.core import Core
from codegen.dataflow.folding.event import EventChoice
from codegen.dataflow.folding.joins import depths_resources, planned_depths
from codegen.dataflow.folding.layers import Layer
from codegen.dataflow.folding.options import RESOURCES, MacPlaces, cost_vector, layer_choices, layer_options
from codegen.dataflow.folding.plan import LayerPlan
from codegen.dataflow.folding.search import Search
from codegen.errors import FoldingError
from codegen.fit import Resources, total
from codegen.weight_bus import BUS_BITS, BUS_SHARE, bus_cycles

LUTS_PER_BRAM36 = 300
"""Exchange rate by which one block RAM counts as cost next to LUTs where no board says how many there are (an XC7Z020
has 380 LUTs per BRAM36)."""

_FEWEST_LUTS = (1 << 24, 1, 0, 0)
"""Objective: fewest LUTs, of those with as many the one with the fewest block RAMs."""

_LEAST_COST = (2, LUTS_PER_BRAM36, 0, 0)
"""Objective: twice the LUTs with block RAMs at their exchange rate."""

Plan = tuple[LayerPlan, ...]


def cost(resources: Resources) -> float:
    """LUTs, with block RAMs at their exchange rate."""
    return resources.lut + LUTS_PER_BRAM36 * resources.bram36


def plan_resources(plan: Plan, depths: Mapping[str, Sequence[int]] | None = None) -> Resources:
    """Estimate of the whole accelerator, with FIFOs of these ``depths`` by core; of the planned ones without."""
    before: dict[str, Core] = {}
    parts = [depths_resources(plan, planned_depths(plan) if depths is None else depths)]
    for layer_plan in plan:
        parts.append(layer_plan.core_resources(before))
        before.update(layer_plan.cores)
    return total(parts)


def plan_cycles(plan: Plan) -> int:
    """Cycles per frame of the slowest node, or of the weights that come from outside."""
    return max(bus_cycles(plan_beats(plan)), *(layer_plan.cycles for layer_plan in plan))


def plan_beats(plan: Plan) -> int:
    """Beats of the memory bus that a frame's weights take."""
    return sum(layer_plan.core.weight_beats for layer_plan in plan)


class Solver:
    """The foldings of a network; what it finds is the same in every run.

    options: those to choose from, of each layer and fastest first; all ``layer_options`` without, with the weights of
    the layers named in ``external`` outside the chip. All options of a layer take as many beats of the memory bus.
    events: that these have event-driven cores too, whose cycles are then those of a statistic over images.
    mac: where their cores accumulate sums.
    """

    def __init__(
        self,
        layers: tuple[Layer, ...],
        options: Sequence[tuple[LayerPlan, ...]] | None = None,
        events: EventChoice | None = None,
        external: frozenset[str] = frozenset(),
        mac: MacPlaces = "lut",
    ) -> None:
        self.layers = layers
        made = (layer_options(layer, events, layer.name in external, mac) for layer in layers)
        self._options = tuple(made if options is None else options)
        self._search = Search(layers, tuple(layer_choices(options) for options in self._options))

    @cached_property
    def intervals(self) -> tuple[int, ...]:
        """Every number of cycles per frame that the slowest node can need, smallest first."""
        floor = max(self.weight_cycles, *(options[0].cycles for options in self._options))
        return tuple(sorted({floor, *(o.cycles for options in self._options for o in options if o.cycles >= floor)}))

    @cached_property
    def weight_cycles(self) -> int:
        """Cycles in which the weights come that are outside the chip."""
        return bus_cycles(sum(options[0].core.weight_beats for options in self._options))

    def cheapest(self, target_cycles: int) -> Plan:
        """The plan of least cost, LUTs with block RAMs at their exchange rate, for a target in cycles per frame.

        Raises FoldingError when a layer cannot be that fast even with the largest SIMD and PE.
        """
        self._require_reached(target_cycles)
        plan = self._search.best(target_cycles, _LEAST_COST, {})
        assert plan is not None
        return plan

    def smallest(self, target_cycles: int | None = None, budget: Resources | None = None) -> Plan | None:
        """The plan of fewest LUTs, then block RAMs, within a budget; None where there is none.

        ``target_cycles`` per frame are the most that a node may need; any number without. Raises FoldingError when a
        layer cannot be that fast.
        """
        target = self.intervals[-1] if target_cycles is None else target_cycles
        self._require_reached(target)
        most = None if budget is None else cost_vector(budget)
        limits: dict[int, int] = {}
        while True:
            # Without limits it is the least of all; those of what it exceeds are added until it exceeds none. Each
            # search is a relaxation of the whole problem, so the first plan within all limits is an optimum.
            plan = self._search.best(target, _FEWEST_LUTS, limits)
            if plan is None or most is None:
                return plan
            needed = cost_vector(plan_resources(plan))
            exceeded = [column for column in range(len(RESOURCES)) if needed[column] > most[column]]
            if not exceeded:
                return plan
            if 0 in exceeded:
                return None  # no plan has fewer LUTs
            assert not limits.keys() & set(exceeded), "the search and plan_resources add up differently"
            limits |= {column: most[column] for column in exceeded}

    def fastest(self, budget: Resources) -> Plan | None:
        """The plan of the fewest cycles per frame within a budget, of those the one of fewest LUTs; None where even
        the smallest plan does not fit."""
        slowest = self.smallest(budget=budget)
        if slowest is None:
            return None
        plans: dict[int, Plan | None] = {}

        def fits(target: int) -> bool:
            plans[target] = self.smallest(target, budget)
            return plans[target] is not None

        found = bisect_left(self.intervals[:-1], True, key=fits)
        return plans.get(self.intervals[found], slowest)

    def _require_reached(self, target_cycles: int) -> None:
        if self.weight_cycles > target_cycles:
            raise FoldingError(
                f"the weights that are not on the chip take {self.weight_cycles} cycles per frame, at "
                f"{float(BUS_SHARE * BUS_BITS):g} bits a cycle; the target is {target_cycles}"
            )
        for layer, options in zip(self.layers, self._options, strict=True):
            fastest = options[0]
            if fastest.cycles > target_cycles:
                folds = ", ".join(f"{name}={value}" for name, value in fastest.core.divisions().items())
                raise FoldingError(
                    f"layer {layer.name!r} needs at least {fastest.cycles} cycles per frame ({folds}), "
                    f"the target is {target_cycles}"
                )


def fold_for_target(layers: tuple[Layer, ...], target_cycles: int) -> Plan:
    """``Solver.cheapest`` of these layers."""
    return Solver(layers).cheapest(target_cycles)


def fold_for_budget(layers: tuple[Layer, ...], budget: Resources) -> Plan | None:
    """``Solver.fastest`` of these layers."""
    return Solver(layers).fastest(budget)


def within(needed: Resources, budget: Resources) -> bool:
    """Whether LUTs, flip-flops, block RAMs and DSPs stay within the budget."""
    return all(want <= have for want, have in zip(cost_vector(needed), cost_vector(budget), strict=True))
