"""The folding solver against every combination of some options: targets, budgets of each resource, joins."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from finn_networks import map_sum, mini, residual, summed
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bench.networks import run_of
from codegen.dataflow.dataflow import load_model, to_dataflow
from codegen.dataflow.folding.layers import Layer, read_layers
from codegen.dataflow.folding.options import cost_vector, layer_options, undominated
from codegen.dataflow.folding.solver import LUTS_PER_BRAM36, Solver, cost, plan_cycles, plan_resources
from codegen.fit import Resources

PART = "xc7z020clg400-1"
NETWORKS = {
    "mini": mini(),
    "summed": summed(),
    "map_sum": map_sum(),
    "resnet": residual(before_addition=False),
    "preresnet": residual(before_addition=True, neuron="LIF"),
    "events": residual(before_addition=False, static=False, timesteps=6),
}
COMBINATIONS = 500
"""Foldings of a network that are compared one by one."""


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Layer, ...]]:
    folder = tmp_path_factory.mktemp("networks")
    runs = {name: run_of(network, folder / name) for name, network in NETWORKS.items()}
    return {
        name: read_layers(to_dataflow(load_model(run.path / "model.onnx"), "rtl", PART)) for name, run in runs.items()
    }


@pytest.mark.parametrize("name", NETWORKS)
@settings(
    max_examples=4,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_found_is_the_best_of_all_combinations(networks, name, seed):
    rng = np.random.default_rng(seed)
    layers = networks[name]
    each = int(COMBINATIONS ** (1 / len(layers)))
    options = []
    for layer in layers:
        offered = layer_options(layer)
        drawn = np.sort(rng.choice(len(offered), min(each, len(offered)), replace=False))
        options.append(tuple(offered[index] for index in drawn))
    plans = list(product(*options))
    cycles = np.array([plan_cycles(plan) for plan in plans])
    costs = np.array([cost_vector(plan_resources(plan)) for plan in plans])
    solver = Solver(layers, options)
    assert solver.intervals == tuple(sorted(set(cycles)))
    for _ in range(8):
        # Budgets that some combinations keep and some do not, in one resource or several.
        tightness = rng.choice([0.1, 0.3, 0.6, 1.0], 4)
        most = [np.quantile(costs[:, column], share, method="lower") for column, share in enumerate(tightness)]
        budget = Resources(int(most[0]), int(most[2]), most[1] / 2, int(most[3]))
        fitting = (costs <= most).all(axis=1)
        _check_fastest(solver.fastest(budget), cycles[fitting], costs[fitting])
        target = int(rng.choice(cycles))
        fast = cycles <= target
        _check_smallest(solver.smallest(target, budget), costs[fitting & fast])
        prices = costs[fast, 0] + LUTS_PER_BRAM36 * costs[fast, 1] / 2
        assert cost(plan_resources(solver.cheapest(target))) == prices.min()


def _check_fastest(plan, cycles, costs):
    if plan is None:
        assert not len(cycles)
        return
    assert plan_cycles(plan) == cycles.min()
    _check_smallest(plan, costs[cycles == cycles.min()])


def _check_smallest(plan, costs):
    if plan is None:
        assert not len(costs)
        return
    found = cost_vector(plan_resources(plan))
    assert found[:2] == min((lut, half_rams) for lut, half_rams, _, _ in costs.tolist())
    assert any(tuple(row) == found for row in costs.tolist())


def test_all_options_of_two_layers(networks):
    layers = networks["map_sum"][1:]
    head = Layer(layers[0].name, layers[0].core, layers[0].streams, layers[0].followers)
    layers = (head, layers[1])
    options = [layer_options(layer)[::3] for layer in layers]
    plans = list(product(*options))
    assert len(plans) > 300
    costs = np.array([cost_vector(plan_resources(plan)) for plan in plans])
    cycles = np.array([plan_cycles(plan) for plan in plans])
    solver = Solver(layers, options)
    for target in solver.intervals:
        _check_smallest(solver.smallest(target), costs[cycles <= target])


def test_the_same_input_gives_the_same_plan(networks):
    budget = Resources(9000, 20_000, 3, 0)
    first, second = (Solver(networks["resnet"]).fastest(budget) for _ in range(2))
    assert first == second is not None


def test_memories_go_where_there_is_room(networks):
    solver = Solver(networks["mini"])
    lots, none = (solver.smallest(2000, Resources(10**6, 10**6, rams, 0)) for rams in (100, 0))
    assert plan_resources(none).bram36 == 0 < plan_resources(lots).bram36
    assert plan_resources(lots).lut < plan_resources(none).lut
    assert solver.smallest(2000, Resources(plan_resources(lots).lut - 1, 10**6, 100, 0)) is None


@pytest.mark.parametrize("columns", [1, 2, 3, 5])
def test_undominated_rows(columns):
    rng = np.random.default_rng(columns)
    costs = rng.integers(0, 5, (60, columns))
    kept = undominated(costs)
    assert len({tuple(costs[row]) for row in kept}) == len(kept)
    for row, values in enumerate(costs):
        better = (costs <= values).all(axis=1) & (costs < values).any(axis=1)
        assert any((costs[kept] == values).all(axis=1)) == (not better.any()), row
