"""Property test: random core configurations, HLS = RTL = reference model, element by element and cycle by cycle."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bench.cores.core_cases import Case, mvau_case
from bench.cores.core_checks import batch_faults
from bench.cores.random_cases import (
    case_parameters,
    random_case,
    random_count_case,
    random_event_case,
    random_sums_case,
)

BATCHES = 13
BATCH_SIZE = 24
"""312 configurations of spikes and images in all."""
COUNT_BATCHES = 4
SUMS_BATCHES = 4
EVENT_BATCHES = 4


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_configurations(batch: int, tmp_path: Path) -> None:
    """All cores of a batch in one program and one Verilated top; seeds are batch * 1000 + index."""
    cases = [random_case(f"core_{index}", seed=1000 * batch + index) for index in range(BATCH_SIZE)]
    print(f"seeds {1000 * batch}..{1000 * batch + BATCH_SIZE - 1}")
    check(cases, tmp_path, seed=batch)


@pytest.mark.parametrize("batch", range(COUNT_BATCHES))
def test_random_counts(batch: int, tmp_path: Path) -> None:
    """The same of cores with several bits a step; seeds are 100000 + batch * 1000 + index."""
    first = 100_000 + 1000 * batch
    cases = [random_count_case(f"core_{index}", seed=first + index) for index in range(BATCH_SIZE)]
    print(f"seeds {first}..{first + BATCH_SIZE - 1}")
    check(cases, tmp_path, seed=batch)


@pytest.mark.parametrize("batch", range(SUMS_BATCHES))
def test_random_sums(batch: int, tmp_path: Path) -> None:
    """The same of cores that send their sums on; seeds are 200000 + batch * 1000 + index."""
    first = 200_000 + 1000 * batch
    cases = [random_sums_case(f"core_{index}", seed=first + index) for index in range(BATCH_SIZE)]
    print(f"seeds {first}..{first + BATCH_SIZE - 1}")
    check(cases, tmp_path, seed=batch)


@pytest.mark.parametrize("batch", range(EVENT_BATCHES))
def test_random_event_cores(batch: int, tmp_path: Path) -> None:
    """The same of event-driven cores, on data from no to all spikes; seeds are 300000 + batch * 1000 + index."""
    first = 300_000 + 1000 * batch
    cases = [random_event_case(f"core_{index}", seed=first + index) for index in range(BATCH_SIZE)]
    print(f"seeds {first}..{first + BATCH_SIZE - 1}")
    check(cases, tmp_path, seed=batch)


# Each example builds two programs, so that its cases are many and nothing is shrunk. The first is the simplest one.
@settings(max_examples=3, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(
    parameters=st.lists(case_parameters(), min_size=16, max_size=16),
    seed=st.integers(0, 2**16),
)
def test_half_starts_and_summed_maps(tmp_path_factory: pytest.TempPathFactory, parameters: list, seed: int) -> None:
    cases = [mvau_case(f"core_{index}", seed + index, **chosen) for index, chosen in enumerate(parameters)]
    check(cases, tmp_path_factory.mktemp("cores"), seed)


def check(cases: list[Case], folder: Path, seed: int) -> None:
    """Both implementations of every case against the reference model, without gaps and with random ones."""
    faults = batch_faults(cases, folder, seed)
    assert not faults, "\n".join(faults)
