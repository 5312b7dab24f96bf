"""SpikingMVAU with weights from a stream: HLS = RTL = reference model, at the cycles of weights on the chip."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.cores.core_cases import mvau_case
from bench.cores.core_checks import batch_faults
from bench.cores.external_cases import external_case, random_external
from codegen.cores.spiking_mvau import SpikingMVAU
from codegen.cores.spiking_mvau_shape import EXTERNAL
from codegen.cores.streamed_weights import bank_shape, memory_style, results_shape, vectors_shape
from codegen.errors import FoldingError

BATCHES = 3
BATCH_SIZE = 24

LARGE: dict[str, Any] = {"mw": 288, "mh": 162, "simd": 2, "pe": 9, "timesteps": 4, "vectors": 12, "frames": 2}
"""Whose memories are block RAMs."""

CASES = [
    mvau_case("map", 1, mw=16, mh=8, simd=4, pe=2, timesteps=4, vectors=6),
    mvau_case("one_vector", 2, mw=16, mh=8, simd=4, pe=2, timesteps=4, vectors=1),
    mvau_case("one_vector_every_cycle", 3, mw=4, mh=8, simd=2, pe=8, timesteps=4, vectors=1),
    mvau_case("one_neuron_fold", 4, mw=16, mh=8, simd=4, pe=8, timesteps=4, vectors=6),
    mvau_case("one_synapse_fold", 5, mw=8, mh=4, simd=8, pe=4, timesteps=4, vectors=6),
    mvau_case("one_word", 6, mw=8, mh=4, simd=8, pe=4, timesteps=1, vectors=1),
    mvau_case("as_many_results_as_leave", 7, mw=8, mh=7, simd=2, pe=1, timesteps=4, vectors=6, neuron="LIF"),
    mvau_case("time_folds", 8, mw=8, mh=8, simd=4, pe=2, timesteps=8, tp=2, vectors=5),
    mvau_case("ternary", 9, mw=24, mh=6, simd=8, pe=3, timesteps=4, weight_bits=2, narrow=True, vectors=4),
    mvau_case("image", 10, mw=27, mh=8, simd=9, pe=4, timesteps=4, mode="static", weight_bits=8, vectors=4),
    mvau_case("readout", 11, mw=32, mh=10, simd=4, pe=2, timesteps=16, mode="readout", vectors=1),
    mvau_case("sums", 12, mw=24, mh=6, simd=4, pe=2, timesteps=4, tp=2, mode="sums", vectors=3),
    mvau_case("late_counts", 13, mw=12, mh=6, simd=4, pe=2, timesteps=4, step_bits=3, neuron="LateIF", vectors=4),
    mvau_case("block_memories", 14, **LARGE),
]


def test_named_configurations(tmp_path: Path) -> None:
    faults = batch_faults([external_case(case) for case in CASES], tmp_path, seed=1)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_configurations(batch: int, tmp_path: Path) -> None:
    """All cores of a batch in one program and one Verilated top; seeds are 300000 + batch * 1000 + index."""
    first = 300_000 + 1000 * batch
    print(f"seeds {first}..{first + BATCH_SIZE - 1}")
    faults = batch_faults([random_external(f"core_{i}", first + i) for i in range(BATCH_SIZE)], tmp_path, seed=batch)
    assert not faults, "\n".join(faults)


def core(**values: Any) -> SpikingMVAU:
    made = mvau_case("core", 1, **{"mw": 16, "mh": 8, "simd": 4, "pe": 2, "timesteps": 4, "vectors": 6, **values}).core
    assert isinstance(made, SpikingMVAU)
    return made


def test_memories_of_the_large_case_are_block_rams() -> None:
    large = core(**LARGE)
    assert {memory_style(shape(large)) for shape in (bank_shape, vectors_shape, results_shape)} == {"block"}


def test_a_frame_reads_each_weight_once_and_takes_no_more_cycles() -> None:
    chip = core()
    external = replace(chip, memory_style=EXTERNAL)
    stream = external.weight_stream
    assert stream is not None and chip.weight_stream is None
    assert stream.words * stream.bits == chip.memory_bits
    assert external.cycles == chip.cycles
    assert external.weight_words().shape == (stream.words, stream.bytes)
    # Neuron fold 0, synapse fold 1: channel 0 has inputs 4..7 in the low bits, channel 1 above.
    assert external.constants is not None
    lanes = np.concatenate([external.constants.weights[0, 4:8], external.constants.weights[1, 4:8]])
    word = sum((int(weight) & 15) << (4 * lane) for lane, weight in enumerate(lanes))
    assert int.from_bytes(external.weight_words()[1].tobytes(), "little") == word


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"mode": "readout", "vectors": 1, "map_pixels": 4}, "a read-out that sums a map has its weights on the chip"),
        ({"simd": 16, "vectors": 1}, "SIMD=16 reads a whole frame in one word"),
        ({"simd": 16, "pe": 1}, "its 8 neuron folds give more results than leave in 1 cycles a vector"),
    ],
)
def test_foldings_that_cannot_stream(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(FoldingError, match=reason):
        replace(core(**values), memory_style=EXTERNAL)


def test_event_driven_cores_have_their_weights_on_the_chip() -> None:
    event = replace(core(), event=True)
    assert not event.external_choices()
    with pytest.raises(FoldingError, match=r"cannot be external, an event-driven core reads them in another order"):
        replace(event, memory_style=EXTERNAL)
