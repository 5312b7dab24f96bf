"""The Pareto front of a network's foldings: the fewest LUTs for each interval that a board can be given."""

from __future__ import annotations

import numpy as np

from codegen.dataflow.folding.solver import Plan, Solver, plan_cycles, plan_resources
from codegen.fit import Resources
from codegen.results import FrontPoint

POINTS = 12
"""Intervals that a front is computed for: each is a search of its own."""

SLOWEST = 64
"""The slowest interval of a front, in multiples of the fastest one; beyond it LUTs hardly become fewer."""


def pareto_plans(solver: Solver, budget: Resources, points: int = POINTS) -> tuple[Plan, ...]:
    """Plans within a budget, fastest first, of which each has fewer LUTs than those before.

    The first is the fastest that fits. Each is the exact optimum for the cycles that it takes; their targets are spaced
    evenly in the logarithm, so that other plans lie between them. Empty where nothing fits.
    """
    fastest = solver.fastest(budget)
    if fastest is None:
        return ()
    start = plan_cycles(fastest)
    plans = [fastest]
    for target in np.geomspace(start, min(solver.intervals[-1], SLOWEST * start), points)[1:]:
        plan = solver.smallest(round(target), budget)
        assert plan is not None, "what fits at an interval fits at a longer one"
        if plan_resources(plan).lut < plan_resources(plans[-1]).lut:
            plans.append(plan)
    return tuple(plans)


def pareto_front(solver: Solver, budget: Resources, points: int = POINTS) -> tuple[FrontPoint, ...]:
    """Cycles and estimates of ``pareto_plans``."""
    needed = ((plan_cycles(plan), plan_resources(plan)) for plan in pareto_plans(solver, budget, points))
    return tuple(FrontPoint(cycles, found.lut, found.bram36, found.dsp) for cycles, found in needed)
