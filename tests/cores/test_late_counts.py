"""LateIF neurons whose threshold is one unit of the sum: a wrong current in any step shows in the spikes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.cores.core_cases import Case, case_of, mvau_case
from bench.cores.core_checks import check_rtl
from bench.cores.rtl_bench import RtlResult, run_rtl
from codegen.neurons import Constants

FOLDS = {"late_serial": 2, "late_pairs_of_steps": 6, "late_chain": 12}
"""SIMD of 12 inputs: with 6, 2 and 1 synapse folds, four steps take as many cycles as there is time for."""


def _case(name: str, simd: int) -> Case:
    """Few weights are not zero, so that sums are of 0 to 4 thresholds; the smallest threshold has all its fraction."""
    case = mvau_case(name, 1, mw=12, mh=4, simd=simd, pe=2, timesteps=4, neuron="LateIF", reset="soft", vectors=6)
    core = case.core
    assert core.counted_whole and not core.ternary
    rng = np.random.default_rng(simd)
    weights = np.where(rng.random((4, 12)) < 0.2, rng.integers(-2, 3, (4, 12)), 0)
    weights[:, 0] = 1
    constants = Constants(weights, rng.integers(-4, 5, 4), np.full(4, 1 << core.frac_bits))
    return case_of(replace(core, constants=constants), case.frames, *case.inputs)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Case], dict[str, RtlResult]]:
    cases = {name: _case(name, simd) for name, simd in FOLDS.items()}
    folder: Path = tmp_path_factory.mktemp("late")
    return cases, run_rtl(list(cases.values()), folder, 0)


@pytest.mark.parametrize("name", FOLDS)
def test_the_current_counts_once(results: tuple[dict[str, Case], dict[str, RtlResult]], name: str) -> None:
    cases, rtl = results
    spikes = {value.bit_count() for value in cases[name].outputs[0].ravel().tolist()}
    assert len(spikes) >= 4, "sums near the thresholds"
    assert check_rtl(cases[name], rtl[name]) == []
