"""Cases of the cores of residual streams, drawn at random."""

from __future__ import annotations

import random

import numpy as np
from core_cases import Case, case_of
from numpy.typing import NDArray

from codegen.core.core import Core, Stream, divisors
from codegen.core.stream_fork import StreamFork


def elements_of(stream: Stream, frames: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Random elements for so many frames, the extremes among them."""
    low = -(1 << (stream.element_bits - 1)) if stream.signed else 0
    high = low + (1 << stream.element_bits) - 1
    elements = rng.integers(low, high, frames * stream.words * stream.lanes, endpoint=True)
    elements[rng.random(len(elements)) < 0.1] = low
    elements[rng.random(len(elements)) < 0.1] = high
    return elements


def random_inputs(core: Core, frames: int, seed: int) -> Case:
    rng = np.random.default_rng(seed)
    return case_of(core, frames, *(elements_of(stream, frames, rng) for stream in core.inputs))


def random_fork(name: str, seed: int) -> Case:
    draw = random.Random(seed)
    channels, signed = draw.randint(1, 8), draw.random() < 0.5
    core = StreamFork(
        name,
        vectors=draw.randint(1, 5),
        channels=channels,
        pe=draw.choice(divisors(channels)),
        copies=draw.choice([2, 2, 2, 3, 5]),
        elements=draw.choice([1, 4, 7]) if signed else 1,
        element_bits=draw.choice([1, 4, 7, 20]),
        signed=signed,
    )
    return random_inputs(core, 3, seed)
