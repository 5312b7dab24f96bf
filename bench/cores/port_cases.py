"""Cases of the cores of residual streams, drawn at random."""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray

from bench.cores.core_cases import Case, case_of
from codegen.cores.core import Core, Stream, divisors
from codegen.cores.neuron_bank import NeuronBank
from codegen.cores.residual_add import Operand, ResidualAdd
from codegen.cores.stream_fork import StreamFork
from codegen.neurons import NEURONS


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


def random_add(name: str, seed: int) -> Case:
    """Two operands of any kind; the output is as wide as their extremes need it."""
    draw = random.Random(seed)
    channels, timesteps = draw.randint(1, 8), draw.choice([1, 2, 4, 4, 5, 20, 32])
    kinds = [draw.choice(["spikes", "counts", "sums", "sums", "static", "image"]) for _ in range(2)]
    operands = []
    for kind in kinds:
        signed = kind in ("sums", "static")
        bits = {"spikes": 1, "counts": min(3, 60 // timesteps), "image": 8}.get(kind) or draw.randint(2, 14)
        operands.append(Operand(bits, signed, kind in ("static", "image"), draw.choice([1, 2, 4])))
    first, second = operands
    core = ResidualAdd(
        name,
        vectors=draw.randint(1, 5),
        channels=channels,
        pe=draw.choice(divisors(channels)),
        timesteps=timesteps,
        first_bits=first.bits,
        first_signed=first.signed,
        second_bits=second.bits,
        second_signed=second.signed,
        output_bits=max(first.shifted_bits, second.shifted_bits) + 1,
        first_static=first.static,
        second_static=second.static,
        first_factor=first.factor,
        second_factor=second.factor,
    )
    return random_inputs(core, 3, seed)


def random_bank(name: str, seed: int) -> Case:
    draw = random.Random(seed)
    channels, timesteps = draw.randint(1, 8), draw.choice([1, 2, 3, 4, 4, 6, 8, 20, 32])
    core = NeuronBank(
        name,
        vectors=draw.randint(1, 4),
        channels=channels,
        pe=draw.choice(divisors(channels)),
        timesteps=timesteps,
        tp=draw.choice(divisors(timesteps)),
        sum_bits=draw.randint(1, 14),
        static_sums=draw.random() < 0.3,
        signs=draw.random() < 0.6,
        neuron=draw.choice(list(NEURONS)),
        leak_shift=draw.randint(1, 4),
        reset=draw.choice(["hard", "soft"]),
        half_start=draw.random() < 0.5,
        frac_bits=draw.choice([0, 2, 4, 4, 7]),
        potential_bits=1,
        bias_bits=1,
        threshold_bits=1,
    )
    return random_inputs(core.with_random_constants(seed), 2, seed)
