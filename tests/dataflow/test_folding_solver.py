"""The folding solver against every combination of some options: targets, budgets of each resource, joins."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from finn_networks import map_sum, mini, residual, summed
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bench.networks import random_images, run_of
from codegen.dataflow.dataflow import load_model, to_dataflow
from codegen.dataflow.folding.event import EventChoice, core_spread, is_event_driven
from codegen.dataflow.folding.layers import Layer, read_layers
from codegen.dataflow.folding.options import cost_vector, layer_options, undominated
from codegen.dataflow.folding.solver import LUTS_PER_BRAM36, Solver, cost, plan_cycles, plan_resources
from codegen.errors import FoldingError
from codegen.event_results import DensityResult
from codegen.fit import Resources
from codegen.run_inputs import LabelledImages
from codegen.statistic import STATISTICS
from codegen.verify.density import measure_density

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
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("networks")
    return {name: run_of(network, folder / name).path / "model.onnx" for name, network in NETWORKS.items()}


@pytest.fixture(scope="module")
def networks(models: dict[str, Path]) -> dict[str, tuple[Layer, ...]]:
    return {name: read_layers(to_dataflow(load_model(model), "rtl", PART)) for name, model in models.items()}


@pytest.fixture(scope="module")
def densities(models: dict[str, Path]) -> dict[str, DensityResult]:
    """Of images of which most pixels are dark."""
    found = {}
    for name, network in NETWORKS.items():
        images = random_images(network, 4)
        images[1:] *= np.random.default_rng(1).random(images[1:].shape) < 0.1
        found[name] = measure_density(models[name], LabelledImages(images, np.zeros(4, np.int64)), "")
    return found


@pytest.mark.parametrize("name", NETWORKS)
@settings(
    max_examples=4,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_found_is_the_best_of_all_combinations(networks, densities, name, seed):
    rng = np.random.default_rng(seed)
    layers = networks[name]
    each = int(COMBINATIONS ** (1 / len(layers)))
    events = rng.choice([None, *(EventChoice.of(densities[name], statistic) for statistic in STATISTICS)])
    options = []
    for layer in layers:
        offered = layer_options(layer, events, mac="auto")
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


def test_event_driven_cores_are_taken_where_they_save_luts(networks, densities):
    layers, density = networks["mini"], densities["mini"]
    dense = Solver(layers)
    luts = {statistic: [] for statistic in STATISTICS}
    for target in dense.intervals[:: len(dense.intervals) // 6]:
        most = plan_resources(dense.smallest(target)).lut
        for statistic in STATISTICS:
            events = EventChoice.of(density, statistic)
            plan = Solver(layers, events=events).smallest(target)
            assert plan_cycles(plan) <= target
            luts[statistic].append(plan_resources(plan).lut)
            for option in plan:
                if not is_event_driven(option.core):
                    assert option.event_cycles is None
                    continue
                spread = core_spread(events.layers[option.layer.name], option.core)
                assert option.event_cycles == np.ceil(getattr(spread, statistic)) <= target
                assert spread.mean <= spread.p99 <= spread.worst <= option.core.cycles
        assert all(found[-1] <= most for found in luts.values())
    assert sum(luts["mean"]) < sum(luts["worst"])
    assert any(is_event_driven(option.core) for option in Solver(layers, events=events).smallest(2000))


def test_the_guaranteed_cycles_hold_for_any_image(networks, densities):
    layers, density = networks["mini"], densities["mini"]
    for guaranteed in (1500, 4000, 40_000):
        plan = Solver(layers, events=EventChoice.of(density, "mean", guaranteed)).smallest(1500)
        assert max(core.cycles for option in plan for core in [option.core]) <= guaranteed
    with pytest.raises(
        FoldingError, match=r"^layer 'conv1' needs at least \d+ cycles per frame for some image, and 3 "
    ):
        Solver(layers, events=EventChoice.of(density, "mean", 3))


def test_a_layer_that_was_not_measured_stays_dense(networks, densities):
    layers = networks["mini"]
    nothing = Solver(layers, events=EventChoice("mean", {}))
    assert nothing.smallest(2000) == Solver(layers).smallest(2000)
    event = next(e for core in layers[1].core.foldings() if core.simd > 1 and (e := core.event_form()))
    assert core_spread(None, event) is None
    measured = {layer.layer: layer for layer in densities["mini"].layers}[layers[1].name]
    assert core_spread(measured, event) is not None
    assert core_spread(replace(measured, scans=()), event) is None
