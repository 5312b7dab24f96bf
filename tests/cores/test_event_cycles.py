"""Event-driven cores: the cycles that they take, and the foldings that cannot be."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.cores.core_cases import mvau_case
from bench.event_luts import MEASUREMENTS
from codegen.cores.event_cycles import bank_lanes, event_frame_cycles, scan_lengths, shortest_scan, vector_cycles
from codegen.cores.spiking_mvau import SpikingMVAU
from codegen.errors import FoldingError
from codegen.neurons import SUMS

CASE = mvau_case("conv", 0, mw=36, mh=6, simd=2, pe=3, timesteps=4)
assert isinstance(CASE.core, SpikingMVAU)
CORE = replace(CASE.core, event=True, taps=9)


def queue_lengths(vector: NDArray[np.bool_], simd: int, rotate_words: int) -> list[int]:
    """Entries of each bank's queue, one element at a time."""
    lengths = [0] * simd
    for index, nonzero in enumerate(vector):
        word, lane = divmod(index, simd)
        tap = word // rotate_words if rotate_words else 0
        lengths[(lane + tap) % simd] += bool(nonzero)
    return lengths


@pytest.mark.parametrize(("simd", "rotate_words"), [(1, 0), (2, 2), (3, 0), (3, 2), (4, 1), (6, 3), (12, 2), (36, 0)])
@pytest.mark.parametrize("density", [0.0, 0.1, 0.5, 1.0])
def test_a_scan_takes_the_longest_queue(simd: int, rotate_words: int, density: float) -> None:
    nonzero = np.random.default_rng(simd).random((20, 36)) < density
    expected = [max(1, *queue_lengths(vector, simd, rotate_words)) for vector in nonzero]
    assert scan_lengths(nonzero, simd, rotate_words).tolist() == expected


def test_the_banks_of_a_word_are_all_its_lanes() -> None:
    lanes = bank_lanes(6, 3, 2)
    assert lanes.tolist() == [[0, 1, 2], [0, 1, 2], [2, 0, 1], [2, 0, 1], [1, 2, 0], [1, 2, 0]]
    assert bank_lanes(2, 3, 0).tolist() == [[0, 1, 2], [0, 1, 2]]


@pytest.mark.parametrize(
    ("change", "rotate_words"),
    [({}, 2), ({"simd": 4}, 1), ({"simd": 12}, 0), ({"simd": 1}, 0), ({"taps": 1}, 0), ({"simd": 3}, 0)],
)
def test_elements_rotate_where_words_end_with_the_tap(change: dict[str, int], rotate_words: int) -> None:
    assert replace(CORE, **change).rotate_words == rotate_words


def test_cycles_of_a_vector_by_hand() -> None:
    """18 words in 19 cycles, 2 folds of at least 4 cycles for the steps of a neuron."""
    assert (CORE.synapse_folds, CORE.neuron_folds, shortest_scan(CORE)) == (18, 2, 4)
    lengths = np.array([1, 4, 9, 10, 18])
    assert vector_cycles(lengths, CORE).tolist() == [19, 19, 19, 20, 36]
    assert event_frame_cycles(lengths, CORE) == 113
    assert vector_cycles(lengths, replace(CORE, pe=1)).tolist() == [24, 24, 54, 60, 108]


def test_all_one_takes_as_long_as_dense() -> None:
    for change in ({}, {"simd": 18, "pe": 3}, {"pe": 6, "tp": 2}, {"simd": 18, "pe": 6, "tp": 1}):
        core = replace(CORE, **change)
        ones = np.ones((core.vectors, core.mw), np.bool_)
        lengths = scan_lengths(ones, core.simd, core.rotate_words)
        assert event_frame_cycles(lengths, core) == core.cycles == replace(core, event=False).cycles


@pytest.mark.parametrize(
    ("change", "cycles"),
    [
        ({}, 4),
        ({"simd": 18}, 2),
        ({"tp": 2}, 2),
        ({"tp": 1}, 1),
        ({"timesteps": 1, "tp": 1}, 2),
        ({"timesteps": 6, "tp": 6, "simd": 9}, 4),
        ({"timesteps": 12, "tp": 6, "simd": 9}, 3),
        ({"neuron": "none"}, 2),
        ({"neuron": SUMS, "output_bits": CORE.acc_bits}, 2),
        ({"neuron": SUMS, "output_bits": CORE.acc_bits, "tp": 2}, 1),
    ],
)
def test_a_fold_is_no_shorter_than_its_neurons(change: dict[str, Any], cycles: int) -> None:
    assert shortest_scan(replace(CORE, **change)) == cycles


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"static_input": True}, "event=1 is not possible, an image has no spikes"),
        (
            {"neuron": "none", "map_pixels": 4, "vectors": 1},
            "event=1 is not possible, its inputs are counted over 4 pixels before they are multiplied",
        ),
        (
            {"simd": 36},
            "event=1 is not possible, with SIMD=36, PE=3, TP=4 it takes no longer than its inputs take to arrive",
        ),
        (
            {"pe": 6},
            "event=1 is not possible, with SIMD=2, PE=6, TP=4 it takes no longer than its inputs take to arrive",
        ),
        ({"taps": 5}, "its 36 inputs are not those of 5 kernel positions"),
        ({"taps": 0}, "its 36 inputs are not those of 0 kernel positions"),
    ],
)
def test_what_cannot_be_event_driven_is_one_sentence(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(FoldingError) as caught:
        replace(CORE, **change)
    assert str(caught.value) == f"SpikingMVAU 'conv': {sentence}"


def test_a_folding_file_makes_a_core_event_driven() -> None:
    unfolded = replace(CORE, event=False, simd=1, pe=1)
    folded = unfolded.fold({"SIMD": 4, "PE": 2, "event": 1}, "conv")
    assert (folded.event, folded.folding()["event"]) == (True, 1)
    assert "event" not in unfolded.fold({"SIMD": 4}, "conv").folding()
    with pytest.raises(FoldingError, match="it takes no longer than its inputs take to arrive"):
        unfolded.fold({"SIMD": 36, "event": 1}, "conv")


def test_foldings_of_an_event_driven_core_are_those_that_can_be() -> None:
    dense = {(core.simd, core.pe, core.tp) for core in replace(CORE, event=False).foldings()}
    event = {(core.simd, core.pe, core.tp) for core in CORE.foldings()}
    assert all(core.event for core in CORE.foldings())
    assert dense - event == {fold for fold in dense if fold[0] == 36 or fold[1:] == (6, 4)}


@pytest.mark.parametrize("pair", json.loads(MEASUREMENTS.read_text()), ids=lambda pair: pair["event"]["spec"]["name"])
def test_estimates_are_near_what_yosys_uses(pair: dict[str, Any]) -> None:
    measured = pair["event"]
    estimate = SpikingMVAU(**measured["spec"]).resources()
    assert abs(estimate.lut / measured["lut"] - 1) < 0.3
    assert estimate.bram36 == measured["bram36"]
    assert measured["lut"] <= 1.15 * pair["dense"]["lut"]
