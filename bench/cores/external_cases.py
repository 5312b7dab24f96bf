"""SpikingMVAU with weights from a stream, drawn at random."""

from __future__ import annotations

import random
from dataclasses import replace

from bench.cores.core_cases import Case, Mode, mvau_case
from bench.cores.random_cases import MAX_CYCLES, MAX_LANES, draw_folds
from codegen.cores.dsp_sums import MAC_STYLES
from codegen.cores.spiking_mvau import SpikingMVAU
from codegen.cores.spiking_mvau_shape import EXTERNAL
from codegen.cores.streamed_weights import streaming_fault
from codegen.neurons import NEURONS

_MOST_VECTORS = 12


def random_external(name: str, seed: int) -> Case:
    """Any SpikingMVAU that can have its weights from a stream; the same seed gives the same case."""
    draw = random.Random(seed)
    while True:
        case = _drawn(name, seed, draw)
        assert isinstance(case.core, SpikingMVAU)
        if not streaming_fault(case.core):
            return external_case(case)


def external_case(case: Case) -> Case:
    """The same case with the weights on a stream."""
    assert isinstance(case.core, SpikingMVAU)
    return replace(case, core=replace(case.core, memory_style=EXTERNAL))


def _drawn(name: str, seed: int, draw: random.Random) -> Case:
    mode: Mode = draw.choice(["spikes", "spikes", "spikes", "static", "readout", "sums"])
    step_bits = draw.choice([1, 1, 1, 2, 3]) if mode != "static" else 1
    while True:
        shared = mode in ("static", "readout")
        folded = draw_folds(draw, draw.randint(1, 40), draw.randint(1, 12), [1, 2, 3, 4, 4, 5, 8, 20], shared)
        lanes = 4 if shared else folded.tp * step_bits
        vectors = draw.choice([1, 1, 2, 3, 4, draw.randint(1, _MOST_VECTORS)])
        if folded.simd * folded.pe * lanes <= MAX_LANES and vectors * folded.cycles() <= 3 * MAX_CYCLES:
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
        input_bits=draw.choice([1, 4, 8]),
        vectors=vectors,
        frames=3,
        use_dsp=draw.random() < 0.3,
        half_start=draw.random() < 0.5,
        step_bits=step_bits,
        mac_style=draw.choice(MAC_STYLES),
    )
