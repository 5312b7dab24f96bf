"""The sliding window in HLS and RTL against its reference model, over kernels, strides, dilations, maps and folds."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from core_cases import Case, case_of
from core_checks import differences
from hls_bench import run_hls
from rtl_bench import run_rtl

from codegen.cores.sliding_window import SlidingWindow

FRAMES = 5
MAX_WORDS = 1200
"""Bound of a frame's words, so that a batch simulates in reasonable time."""


def window_case(
    name: str, shape: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int],
    dilation: tuple[int, int] = (1, 1), *, simd: int = 1, folds: int = 1, bits: int = 4, seed: int = 0,
    memory: str = "auto",
) -> Case:  # fmt: skip
    """A window over random maps of so many rows and columns."""
    core = SlidingWindow(name, *shape, simd * folds, kernel, stride, dilation, simd, element_bits=bits, memory=memory)
    source = core.inputs[0]
    elements = np.random.default_rng(seed).integers(0, 1 << bits, FRAMES * source.words * source.lanes)
    return case_of(core, FRAMES, elements)


def random_window(name: str, seed: int) -> Case:
    """Kernel 1..5, stride 1..4, dilation 1..3, maps down to the kernel's extent."""
    draw = random.Random(seed)
    while True:
        square = draw.random() < 0.6
        rows, columns = draw.randint(1, 5), draw.randint(1, 5)
        kernel = (rows, rows) if square else (rows, columns)
        strides = draw.randint(1, 4), draw.randint(1, 4)
        stride = (strides[0], strides[0]) if square else strides
        dilation = (1, 1) if draw.random() < 0.7 else (draw.randint(1, 2), draw.randint(1, 3))
        shape = (
            (kernel[0] - 1) * dilation[0] + 1 + draw.randint(0, 6),
            (kernel[1] - 1) * dilation[1] + 1 + draw.randint(0, 6),
        )
        simd, folds, bits = draw.choice([1, 2, 3]), draw.choice([1, 1, 2, 3, 5]), draw.choice([1, 4, 8])
        memory = draw.choice(["auto", "block", "distributed"])
        case = window_case(
            name, shape, kernel, stride, dilation, simd=simd, folds=folds, bits=bits, seed=seed, memory=memory
        )
        if max(case.core.inputs[0].words, case.core.outputs[0].words) <= MAX_WORDS:
            return case


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
    hls = run_hls(cases, folder / "hls")
    rtl = run_rtl(cases, folder / "rtl", seed)
    faults = []
    for case in cases:
        words = case.core.outputs[0].words
        before, last = rtl[case.name].free_cycles[0][words - 1 :: words][-2:]
        found = {
            "HLS": differences(hls[case.name].words, case.output_words),
            "RTL without gaps": differences(rtl[case.name].free_words, case.output_words),
            "RTL with random gaps": differences(rtl[case.name].stalled_words, case.output_words),
            "interval": "" if last - before == case.core.cycles else f"{last - before} cycles a frame",
        }
        faults += [f"{case.core}: {where}: {fault}" for where, fault in found.items() if fault]
        assert not hls[case.name].unread
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
