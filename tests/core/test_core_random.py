"""Property test: random core configurations, HLS = RTL = naive model, element by element and cycle by cycle."""

from __future__ import annotations

from pathlib import Path

import pytest
from core_cases import random_case
from core_checks import check_hls, check_rtl
from hls_bench import run_hls
from rtl_bench import run_rtl

BATCHES = 13
BATCH_SIZE = 24
"""312 configurations in all."""


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_configurations(batch: int, tmp_path: Path) -> None:
    """All cores of a batch in one program and one Verilated top; seeds are batch * 1000 + index."""
    cases = [random_case(f"core_{index}", seed=1000 * batch + index) for index in range(BATCH_SIZE)]
    print(f"seeds {1000 * batch}..{1000 * batch + BATCH_SIZE - 1}")
    hls = run_hls(cases, tmp_path / "hls")
    rtl = run_rtl(cases, tmp_path / "rtl", seed=batch)
    faults = [
        f"{case.spec}: {fault}"
        for case in cases
        for fault in check_hls(case, hls[case.name]) + check_rtl(case, rtl[case.name])
    ]
    assert not faults, "\n".join(faults)
