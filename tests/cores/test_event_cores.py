"""Event-driven cores by name: HLS = RTL = reference model on any data, each word at the cycle that the model says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.cores.core_cases import Case, case_of, mvau_case
from bench.cores.core_checks import check_hls, check_rtl, event_ends
from bench.cores.hls_bench import HlsResult, run_hls
from bench.cores.rtl_bench import RtlResult, run_rtl
from codegen.cores.event_memories import bank_weights, fold_stride, place_step, queue_style
from codegen.cores.spiking_mvau import SpikingMVAU

CONV: dict[str, Any] = {"mw": 72, "mh": 8, "simd": 4, "pe": 2, "timesteps": 4, "taps": 9, "vectors": 4, "event": True}
LATE: dict[str, Any] = {**CONV, "neuron": "LateIF", "reset": "soft"}


def one_hot(name: str, seed: int, lane: int) -> Case:
    """A core whose elements are zero but for those that one bank of the first tap takes."""
    case = mvau_case(name, seed, **CONV)
    elements = case.inputs[0].copy()
    elements[:, np.arange(4) != lane] = 0
    return case_of(case.core, case.frames, elements)


CASES: dict[str, Case] = {
    case.name: case
    for case in [
        mvau_case("event_if", 1, **CONV),
        mvau_case("event_soft", 2, **CONV, reset="soft", half_start=True, density=0.1),
        mvau_case("event_all_zero", 3, **CONV, density=0.0),
        mvau_case("event_all_one", 4, **CONV, density=1.0, frames=5),
        mvau_case("event_sparse", 5, **CONV, density=0.01),
        mvau_case("event_late", 6, **LATE, density=0.1),
        mvau_case("event_late_zero", 7, **LATE, density=0.0),
        mvau_case("event_late_one", 8, **LATE, density=1.0),
        mvau_case("event_late_counts", 9, **LATE, density=0.1, step_bits=3),
        mvau_case("event_late_products", 10, **LATE, density=0.1, step_bits=8),
        mvau_case("event_lif", 11, **CONV, neuron="LIF", density=0.05),
        mvau_case("event_delayed", 12, **CONV, neuron="DelayedLIF", reset="soft", density=0.05),
        mvau_case("event_tp2", 13, **CONV, tp=2, density=0.1),
        mvau_case("event_tp1", 14, **{**CONV, "pe": 8}, tp=1, neuron="LIF", density=0.02),
        mvau_case("event_counts_tp1", 15, **CONV, tp=1, step_bits=3, density=0.05),
        mvau_case("event_ternary", 16, **CONV, weight_bits=2, narrow=True, density=0.1),
        mvau_case("event_late_ternary", 17, **{**LATE, "timesteps": 3}, weight_bits=2, narrow=True, density=0.1),
        mvau_case("event_ternary_one", 60, **CONV, weight_bits=2, narrow=True, density=1.0),
        mvau_case("event_ternary_simd1", 61, **{**CONV, "simd": 1}, weight_bits=2, narrow=True, density=0.2),
        mvau_case("event_ternary_simd3", 62, **{**CONV, "mw": 54, "simd": 3}, weight_bits=2, narrow=True, density=0.4),
        mvau_case("event_ternary_simd9", 63, **{**CONV, "simd": 9}, weight_bits=2, narrow=True, density=0.6),
        mvau_case("event_ternary_tp1", 64, **CONV, tp=1, weight_bits=2, narrow=True, density=0.1),
        mvau_case("event_ternary_counts", 65, **CONV, tp=2, step_bits=3, weight_bits=2, narrow=True, density=0.3),
        mvau_case("event_ternary_sums", 66, **CONV, mode="sums", weight_bits=2, narrow=True, density=0.3),
        mvau_case("event_late_ternary_one", 67, **LATE, weight_bits=2, narrow=True, density=1.0),
        mvau_case("event_late_ternary_counts", 68, **LATE, step_bits=3, weight_bits=2, narrow=True, density=0.3),
        mvau_case("event_late_two_steps", 41, **{**LATE, "timesteps": 2, "simd": 8}, narrow=False, density=0.5),
        mvau_case("event_late_three_steps", 42, **{**LATE, "timesteps": 3, "simd": 8}, narrow=False, density=0.9),
        mvau_case("event_late_lowest_weights", 43, **{**LATE, "simd": 12}, narrow=False, density=0.9),
        mvau_case("event_late_eight_bits", 44, **LATE, weight_bits=8, density=0.2),
        mvau_case("event_two_bits", 18, **CONV, weight_bits=2, narrow=False, density=0.1),
        mvau_case("event_eight_bits", 19, **CONV, weight_bits=8, density=0.1),
        mvau_case("event_simd1", 20, **{**CONV, "simd": 1}, density=0.1),
        mvau_case("event_simd2", 21, **{**CONV, "simd": 2}, density=0.1),
        mvau_case("event_simd8", 22, **{**CONV, "simd": 8}, density=0.3),
        mvau_case("event_simd3", 23, **{**CONV, "mw": 54, "simd": 3}, density=0.1),
        mvau_case("event_simd6", 24, **{**CONV, "mw": 108, "simd": 6}, density=0.2),
        mvau_case("event_simd9_across_taps", 25, **{**CONV, "simd": 9}, density=0.2),
        mvau_case("event_simd36_two_words", 26, **{**CONV, "simd": 36, "pe": 1}, density=0.5),
        mvau_case("event_full_queues", 27, **{**CONV, "mw": 64, "taps": 4}, density=1.0),
        mvau_case("event_full_and_empty_queues", 28, **{**CONV, "mw": 64, "taps": 4}, density=0.5),
        mvau_case("event_three_folds", 29, **{**CONV, "mh": 6}, density=0.1),
        mvau_case("event_three_folds_block", 30, **{**CONV, "mh": 6}, density=0.1, block=True),
        mvau_case("event_block_queues", 31, **{**LATE, "mw": 288, "simd": 2, "pe": 4}, density=0.1, block=True),
        mvau_case("event_twenty_steps", 32, **{**CONV, "timesteps": 20}, density=0.02),
        mvau_case("event_chain_of_units", 33, **{**CONV, "simd": 18, "timesteps": 8}, neuron="LIF", density=0.1),
        mvau_case("event_one_step", 34, **{**CONV, "timesteps": 1}, density=0.1),
        mvau_case("event_readout", 35, **CONV, mode="readout", density=0.1),
        mvau_case("event_readout_dsp", 36, **CONV, mode="readout", use_dsp=True, weight_bits=8, density=0.1),
        mvau_case("event_sums", 37, **CONV, mode="sums", density=0.1),
        mvau_case("event_sums_tp1", 38, **CONV, mode="sums", tp=1, density=0.02),
        mvau_case("event_loads", 39, **{**CONV, "pe": 4}, density=0.03),
        mvau_case("event_loads_and_scans", 40, **{**CONV, "pe": 4, "vectors": 12}, density=0.15),
        *(one_hot(f"event_lane_{lane}", 50 + lane, lane) for lane in range(4)),
    ]
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[HlsResult, RtlResult]]:
    folder = tmp_path_factory.mktemp("event_cores")
    hls = run_hls(list(CASES.values()), folder / "hls")
    rtl = run_rtl(list(CASES.values()), folder / "rtl", seed=12)
    return {name: (hls[name], rtl[name]) for name in CASES}


@pytest.mark.parametrize("name", CASES)
def test_hls_and_rtl_equal_the_model(name: str, results: dict[str, tuple[HlsResult, RtlResult]]) -> None:
    """Words without gaps and with random ones on both sides, trips, and the cycle of each word, across frames."""
    hls, rtl = results[name]
    assert check_hls(CASES[name], hls) + check_rtl(CASES[name], rtl) == []


def test_cases_are_what_their_names_say() -> None:
    def core(name: str) -> SpikingMVAU:
        found = CASES[name].core
        assert isinstance(found, SpikingMVAU)
        return found

    assert queue_style(core("event_block_queues")) == "block"
    assert (fold_stride(core("event_three_folds")), place_step(core("event_three_folds"))) == (3, 3)
    assert (fold_stride(core("event_three_folds_block")), place_step(core("event_three_folds_block"))) == (4, 1)
    assert core("event_full_queues").synapse_folds == 16 and np.all(CASES["event_full_queues"].inputs[0] != 0)
    assert core("event_simd9_across_taps").rotate_words == 0 and core("event_simd8").rotate_words == 1
    assert core("event_late_products").multiplies
    signed = {name for name, case in CASES.items() if isinstance(case.core, SpikingMVAU) and case.core.signed_ternary}
    assert signed == {name for name in CASES if "ternary" in name}
    assert not any(core(name).ternary for name in signed)
    # Places behind the end of a queue may lead beyond the weights, to what no memory holds.
    assert core("event_ternary").synapse_folds == 18
    zero, one = CASES["event_all_zero"], CASES["event_all_one"]
    assert event_ends(zero)[-1, -1] < event_ends(one)[11, -1] / 3


@pytest.mark.parametrize("name", CASES)
def test_the_reference_is_the_dense_cores(name: str) -> None:
    case = CASES[name]
    dense = replace(case.core, event=False, taps=1)  # type: ignore[call-arg]
    assert case_of(dense, case.frames, case.inputs[0]).output_words == case.output_words


@pytest.mark.parametrize("name", ["event_if", "event_simd3", "event_three_folds", "event_three_folds_block"])
def test_banks_hold_the_weights_of_what_they_take(name: str) -> None:
    """Element s of word w lies in bank (s + tap) mod SIMD, where the word's place and the fold lead to its weights."""
    core = CASES[name].core
    assert isinstance(core, SpikingMVAU) and core.constants
    banks, stride = bank_weights(core, core.constants.weights), fold_stride(core)
    assert banks.shape == (core.simd, core.synapse_folds * stride, core.pe)
    for channel, element in np.ndindex(core.mh, core.mw):
        (word, lane), (fold, pe) = divmod(element, core.simd), divmod(channel, core.pe)
        bank = (lane + word // core.rotate_words) % core.simd
        assert banks[bank, word * stride + fold, pe] == core.constants.weights[channel, element]


def test_a_late_word_is_noticed() -> None:
    """Words that come one cycle later from one fold on, and trips that are one too many."""
    case = CASES["event_if"]
    cycles = (event_ends(case).ravel() + 9).tolist()
    words = case.output_words
    assert check_rtl(case, RtlResult(words, [cycles], words)) == []
    late = [cycle + (index > 5) for index, cycle in enumerate(cycles)]
    assert "9, 10] cycles behind the ends of their folds" in check_rtl(case, RtlResult(words, [late], words))[0]
    trips = int(event_ends(case)[-1, -1])
    assert "trips instead of" in check_hls(case, HlsResult(words, trips + 1, 0))[0]
