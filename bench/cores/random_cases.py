"""Random core configurations: shapes, folds, modes, neurons, constants; each from its seed or drawn by hypothesis."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from hypothesis import assume
from hypothesis import strategies as st

from bench.cores.core_cases import Case, Mode, extreme_sums_case, mvau_case, pool_case, sum_pool_case
from codegen.cores.core import divisors
from codegen.cores.dsp_sums import MAC_STYLES
from codegen.neurons import NEURONS

MAX_LANES = 128
"""Bound of SIMD*PE*TP for random configurations, so that a batch compiles in reasonable time."""
MAX_CYCLES = 160
"""Bound of the cycles per vector for random configurations, so that a batch simulates in reasonable time."""
STEPS = (1, 2, 3, 4, 4, 5, 6, 8, 12, 16, 20, 31, 32)
"""Numbers of time steps that are drawn."""


@dataclass(frozen=True)
class Folded:
    """Shape and folds of a SpikingMVAU; its fields are arguments of mvau_case."""

    mw: int
    mh: int
    simd: int
    pe: int
    timesteps: int
    tp: int

    def cycles(self, map_pixels: int = 1) -> int:
        """Of a vector, whose inputs are counted over so many pixels."""
        return self.mw // self.simd * max(self.mh // self.pe * (self.timesteps // self.tp), map_pixels)


def draw_folds(draw: random.Random, mw: int, mh: int, steps: Sequence[int], shared: bool) -> Folded:
    """Folds of a matrix; one of ``steps`` is T, and so is TP where the sums are ``shared`` by all steps."""
    simd, pe = draw.choice(divisors(mw)), draw.choice(divisors(mh))
    timesteps = draw.choice(steps)
    return Folded(mw, mh, simd, pe, timesteps, timesteps if shared else draw.choice(divisors(timesteps)))


def random_case(name: str, seed: int) -> Case:
    """Any core of spikes or an image, of any shape, fold and mode; the same seed gives the same case."""
    draw = random.Random(seed)
    if draw.random() < 0.15:
        kernel = draw.choice([1, 2, 2, 3])
        channels = draw.randint(1, 8)
        return pool_case(
            name,
            seed,
            height=draw.randint(kernel, 7),
            width=draw.randint(kernel, 7),
            channels=channels,
            kernel=kernel,
            pe=draw.choice(divisors(channels)),
            timesteps=draw.randint(1, 32),
            frames=2,
        )
    mode: Literal["spikes", "static", "readout"] = draw.choice(["spikes", "spikes", "spikes", "static", "readout"])
    while True:
        folded = draw_folds(draw, draw.randint(1, 40), draw.randint(1, 12), STEPS, shared=False)
        map_pixels = draw.choice([1, 2, 3, 4, 9, 16, 25, 64]) if mode == "readout" else 1
        lanes = folded.tp if mode == "spikes" else 4
        # Of what serves all steps mvau_case takes TP = T.
        cycles = (folded if mode == "spikes" else replace(folded, tp=folded.timesteps)).cycles(map_pixels)
        if folded.simd * folded.pe * lanes <= MAX_LANES and cycles <= MAX_CYCLES:
            break
    return mvau_case(
        name,
        seed,
        **vars(folded),
        mode=mode,
        neuron=draw.choice(list(NEURONS)),
        leak_shift=draw.randint(1, 4),
        reset=draw.choice(["hard", "soft"]),
        weight_bits=draw.choice([2, 4, 8]),
        frac_bits=draw.choice([0, 2, 4, 4, 7]),
        input_bits=draw.choice([1, 4, 8, 8]),
        vectors=draw.randint(1, 3) if map_pixels == 1 else 1,
        frames=2,
        block=draw.random() < 0.5,
        use_dsp=draw.random() < 0.3,
        half_start=draw.random() < 0.5,
        map_pixels=map_pixels,
        mac_style=draw.choice(MAC_STYLES),
    )


def random_count_case(name: str, seed: int) -> Case:
    """Any core that reads or writes several bits of each step; the same seed gives the same case."""
    draw = random.Random(seed)
    if draw.random() < 0.25:
        kernel = draw.choice([1, 2, 2, 3, 4])
        channels = draw.randint(1, 6)
        return sum_pool_case(
            name,
            seed,
            height=draw.randint(kernel, 9),
            width=draw.randint(kernel, 9),
            channels=channels,
            kernel=kernel,
            pe=draw.choice(divisors(channels)),
            timesteps=draw.choice([1, 2, 4, 5, 8, 20, 32]),
            step_bits=draw.randint(1, 4),
            frames=2,
        )
    mode: Literal["spikes", "readout"] = draw.choice(["spikes", "spikes", "readout"])
    step_bits = draw.randint(2, 8)
    while True:
        mw, mh = draw.randint(1, 24), draw.randint(1, 8)
        folded = draw_folds(draw, mw, mh, [1, 2, 3, 4, 5, 8, 20, 31, 32], mode == "readout")
        map_pixels = draw.choice([1, 2, 4, 9, 25]) if mode == "readout" else 1
        lanes = folded.tp * step_bits if mode == "spikes" else 4
        if folded.simd * folded.pe * lanes <= MAX_LANES and folded.cycles(map_pixels) <= MAX_CYCLES:
            break
    return mvau_case(
        name,
        seed,
        **vars(folded),
        mode=mode,
        neuron=draw.choice(list(NEURONS)),
        leak_shift=draw.randint(1, 4),
        reset=draw.choice(["hard", "soft"]),
        weight_bits=draw.choice([2, 4, 8]),
        frac_bits=draw.choice([0, 2, 4]),
        vectors=draw.randint(1, 3) if map_pixels == 1 else 1,
        frames=2,
        block=draw.random() < 0.5,
        use_dsp=draw.random() < 0.3,
        half_start=draw.random() < 0.5,
        map_pixels=map_pixels,
        step_bits=step_bits,
        largest_step=draw.choice([0, 0, 1 << (step_bits - 1), draw.randint(1, (1 << step_bits) - 1)]),
        mac_style=draw.choice(MAC_STYLES),
    )


def random_sums_case(name: str, seed: int) -> Case:
    """Any SpikingMVAU that sends its sums on, of spikes, counts or an image; the same seed gives the same case."""
    draw = random.Random(seed)
    mode: Mode = draw.choice(["sums", "sums", "sums", "static sums"])
    step_bits = draw.choice([1, 1, 1, 2, 3, 8]) if mode == "sums" else 1
    while True:
        folded = draw_folds(draw, draw.randint(1, 40), draw.randint(1, 12), STEPS, mode == "static sums")
        lanes = folded.tp * step_bits if mode == "sums" else 4
        if folded.simd * folded.pe * lanes <= MAX_LANES and folded.cycles() <= MAX_CYCLES:
            break
    build = draw.choice([mvau_case, mvau_case, mvau_case, extreme_sums_case])
    return build(
        name,
        seed,
        **vars(folded),
        mode=mode,
        weight_bits=draw.choice([2, 4, 8]),
        frac_bits=draw.choice([0, 4]),
        input_bits=draw.choice([1, 4, 8, 8]),
        vectors=draw.randint(1, 3),
        block=draw.random() < 0.5,
        use_dsp=draw.random() < 0.3,
        step_bits=step_bits,
        mac_style=draw.choice(MAC_STYLES),
    )


def random_event_case(name: str, seed: int) -> Case:
    """Any event-driven SpikingMVAU, from no to all elements not zero; the same seed gives the same case."""
    draw = random.Random(seed)
    mode: Mode = draw.choice(["spikes", "spikes", "spikes", "readout", "sums"])
    step_bits = draw.choice([1, 1, 1, 1, 2, 3, 8])
    neuron = draw.choice([*NEURONS, "LateIF"])
    shared = mode == "readout" or (NEURONS[neuron].late and mode == "spikes")
    while True:
        taps = draw.choice([1, 2, 3, 4, 9, 9])
        folded = draw_folds(draw, taps * draw.randint(1, 16), draw.randint(1, 12), STEPS, shared)
        synapse_folds = folded.mw // folded.simd
        lanes = 4 if shared else folded.tp * step_bits
        small = folded.simd * folded.pe * lanes <= MAX_LANES and folded.cycles() <= MAX_CYCLES
        if small and 1 < synapse_folds < folded.cycles():
            break
    return mvau_case(
        name,
        seed,
        **vars(folded),
        mode=mode,
        neuron=neuron,
        leak_shift=draw.randint(1, 4),
        reset=draw.choice(["hard", "soft"]),
        weight_bits=draw.choice([2, 4, 8]),
        frac_bits=draw.choice([0, 2, 4, 4, 7]),
        vectors=draw.randint(1, 5),
        block=draw.random() < 0.5,
        use_dsp=draw.random() < 0.3,
        half_start=draw.random() < 0.5,
        step_bits=step_bits,
        event=True,
        taps=taps,
        density=draw.choice([0.0, 0.005, 0.02, 0.1, 0.1, 0.3, 0.3, 0.6, 0.9, 1.0]),
        mac_style=draw.choice(MAC_STYLES),
    )


@st.composite
def case_parameters(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of mvau_case for neurons that start at half their threshold, or for a read-out that sums its map."""
    mode = draw(st.sampled_from(["spikes", "static", "readout"]))
    timesteps = draw(st.sampled_from([1, 2, 3, 4, 6, 8, 20, 32]))
    mw, mh = draw(st.integers(1, 24)), draw(st.integers(1, 12))
    simd, pe = draw(st.sampled_from(divisors(mw))), draw(st.sampled_from(divisors(mh)))
    tp = draw(st.sampled_from(divisors(timesteps))) if mode == "spikes" else timesteps
    map_pixels = draw(st.integers(2, 40)) if mode == "readout" else 1
    assume(simd * pe * (tp if mode == "spikes" else 4) <= MAX_LANES)
    assume(mw // simd * max(mh // pe * (timesteps // tp), map_pixels) <= MAX_CYCLES)
    return {
        "mode": mode,
        "mw": mw,
        "mh": mh,
        "simd": simd,
        "pe": pe,
        "timesteps": timesteps,
        "tp": tp,
        "neuron": draw(st.sampled_from(list(NEURONS))),
        "leak_shift": draw(st.integers(1, 4)),
        "reset": draw(st.sampled_from(["hard", "soft"])),
        "weight_bits": draw(st.sampled_from([2, 4, 8])),
        "frac_bits": draw(st.sampled_from([0, 2, 4, 7])),
        "vectors": draw(st.integers(1, 3)) if map_pixels == 1 else 1,
        "block": draw(st.booleans()),
        "use_dsp": draw(st.booleans()),
        "half_start": True,
        "map_pixels": map_pixels,
        "mac_style": draw(st.sampled_from(MAC_STYLES)),
    }
