"""The Pareto front of foldings: exact points of it, none dominated, the fastest that fits among them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from bench.network_cases import random_network
from bench.networks import run_of
from codegen.dataflow.build import build_graph
from codegen.dataflow.dataflow import load_model, to_dataflow
from codegen.dataflow.folding.front import SLOWEST, pareto_front, pareto_plans
from codegen.dataflow.folding.layers import read_layers
from codegen.dataflow.folding.solver import Solver, plan_cycles, plan_resources, within
from codegen.fit import Resources
from codegen.results import FoldingResult
from codegen.run_folder import RunFolder

PART = "xc7z020clg400-1"
ROOMY = Resources(50_000, 100_000, 100, 0)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return run_of(random_network(3), tmp_path_factory.mktemp("runs") / "drawn")


@pytest.fixture(scope="module")
def solver(run: RunFolder) -> Solver:
    return Solver(read_layers(to_dataflow(load_model(run.path / "model.onnx"), "rtl", PART)))


def test_each_point_has_more_cycles_and_fewer_luts(solver: Solver) -> None:
    front = pareto_front(solver, ROOMY)
    assert len(front) > 2
    for faster, slower in pairwise(front):
        assert faster.cycles < slower.cycles and faster.lut > slower.lut
    assert front[-1].cycles <= SLOWEST * front[0].cycles


def test_its_ends_are_those_of_the_solver_and_every_plan_keeps_the_budget(solver: Solver) -> None:
    slowest = plan_resources(solver.smallest(budget=ROOMY))
    budget = Resources(slowest.lut * 2, slowest.ff * 3, slowest.bram36 + 4, 0)
    plans = pareto_plans(solver, budget)
    assert plan_cycles(plans[0]) == plan_cycles(solver.fastest(budget))
    assert all(within(plan_resources(plan), budget) for plan in plans)
    for plan in plans:
        best = solver.smallest(plan_cycles(plan), budget)
        assert plan_resources(best).lut == plan_resources(plan).lut


def test_there_is_none_where_nothing_fits(solver: Solver) -> None:
    assert pareto_front(solver, Resources(10, 10, 0, 0)) == ()


def test_a_folding_for_a_board_has_its_front(run: RunFolder, tmp_path: Path) -> None:
    build_graph(run, "Pynq-Z2", target_cycles=100_000)
    found = FoldingResult.load(run)
    assert found is not None and found.front
    near = [point for point in found.front if point.cycles <= found.bound]
    assert all(point.lut >= found.estimate.lut for point in near)
    build_graph(run, None, target_cycles=100_000)
    without = FoldingResult.load(run)
    assert without is not None and without.front == ()
