"""The sliding window in HLS and RTL against its reference model, over kernels, strides, dilations, maps and folds."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cores.core_cases import Case
from bench.cores.core_checks import batch_faults
from bench.cores.window_cases import random_window, window_case

NAMED = (
    window_case("usual", (6, 7), (3, 3), (1, 1), simd=2, folds=2),
    # Stride larger than the kernel, on a map where a row holds one window.
    window_case("gaps_one_window_a_row", (5, 4), (2, 2), (3, 3)),
    window_case("gaps", (8, 8), (2, 2), (3, 3)),
    window_case("every_second_pixel", (5, 6), (1, 1), (2, 2), folds=3),
    window_case("kernel_is_the_map", (4, 5), (4, 5), (1, 1)),
    window_case("one_pixel", (1, 1), (1, 1), (1, 1)),
    window_case("one_row", (1, 9), (1, 3), (1, 2)),
    window_case("one_column", (9, 1), (3, 1), (2, 1), folds=2),
    window_case("dilated", (8, 9), (2, 3), (1, 2), (3, 2)),
    window_case("rows_left_over", (9, 8), (3, 3), (3, 3), simd=3),
)


def check(cases: list[Case], folder: Path, seed: int) -> None:
    faults = batch_faults(cases, folder, seed)
    assert not faults, "\n".join(faults)


def test_named_windows(tmp_path: Path) -> None:
    check(list(NAMED), tmp_path, seed=1)


@pytest.mark.parametrize("batch", [0, 1, *(pytest.param(batch, marks=pytest.mark.slow) for batch in range(2, 10))])
def test_random_windows(batch: int, tmp_path: Path) -> None:
    """All windows of a batch in one program and one Verilated top; seeds are batch * 1000 + index."""
    cases = [random_window(f"window_{index}", 1000 * batch + index) for index in range(20)]
    check(cases, tmp_path, seed=batch)


def test_the_interval_is_that_of_the_words_where_the_buffer_suffices() -> None:
    core = NAMED[0].core
    assert core.cycles >= max(core.inputs[0].words, core.outputs[0].words)
    assert core.cycles <= core.outputs[0].words + core.span  # type: ignore[attr-defined]
