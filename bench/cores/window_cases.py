"""Cases of the sliding window, drawn at random."""

from __future__ import annotations

import random

import numpy as np

from bench.cores.core_cases import Case, case_of
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
