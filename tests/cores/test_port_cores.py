"""Cores of several streams: HLS = RTL = reference model, element by element and cycle by cycle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cores.core_cases import Case
from bench.cores.core_checks import batch_faults
from bench.cores.port_cases import random_add, random_bank, random_fork

BATCH_SIZE = 14


def check(cases: list[Case], folder: Path, seed: int) -> None:
    faults = batch_faults(cases, folder, seed)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("batch", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("draw", [random_fork, random_add, random_bank])
def test_random_cores(draw: Callable[[str, int], Case], batch: int, tmp_path: Path) -> None:
    """All cores of a batch in one program and one Verilated top; seeds are batch * 1000 + index."""
    check([draw(f"core_{index}", 1000 * batch + index) for index in range(BATCH_SIZE)], tmp_path, seed=batch)
