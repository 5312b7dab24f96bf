"""Named configurations of the cores that compute, and a check that the benches notice a wrong weight."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from bench.cores.core_cases import Case, mvau_case, pool_case, sum_pool_case
from bench.cores.core_checks import check_hls, check_rtl
from bench.cores.hls_bench import HlsResult, run_hls
from bench.cores.rtl_bench import RtlResult, run_rtl
from codegen.cores.spiking_mvau import SpikingMVAU

CASES: dict[str, Case] = {
    case.name: case
    for case in [
        mvau_case("spikes_if_hard", 1, mw=16, mh=8, simd=4, pe=2, timesteps=4),
        mvau_case("spikes_if_soft", 2, mw=16, mh=8, simd=4, pe=2, timesteps=4, reset="soft"),
        mvau_case("spikes_lif_hard", 3, mw=16, mh=8, simd=4, pe=2, timesteps=4, neuron="LIF"),
        mvau_case(
            "spikes_lif_soft", 4, mw=16, mh=8, simd=4, pe=2, timesteps=4, neuron="LIF", reset="soft", leak_shift=3
        ),
        mvau_case("static_if", 5, mw=27, mh=8, simd=9, pe=4, timesteps=4, mode="static", weight_bits=8),
        mvau_case("static_lif", 6, mw=16, mh=4, simd=4, pe=4, timesteps=16, mode="static", weight_bits=8, neuron="LIF"),
        mvau_case("static_dsp", 7, mw=16, mh=4, simd=8, pe=2, timesteps=4, mode="static", weight_bits=8, use_dsp=True),
        mvau_case("static_two_bit_weights", 8, mw=8, mh=4, simd=8, pe=2, timesteps=4, mode="static", weight_bits=2),
        mvau_case("readout", 9, mw=32, mh=10, simd=4, pe=2, timesteps=16, mode="readout"),
        mvau_case("readout_one_fold", 10, mw=8, mh=5, simd=8, pe=5, timesteps=4, mode="readout"),
        mvau_case("time_folds", 11, mw=16, mh=8, simd=4, pe=2, timesteps=8, tp=2, neuron="LIF"),
        mvau_case("time_folds_unrolled_steps", 12, mw=8, mh=4, simd=8, pe=2, timesteps=12, tp=4, neuron="LIF"),
        mvau_case("one_step_a_cycle", 13, mw=6, mh=4, simd=3, pe=2, timesteps=6, tp=1, reset="soft"),
        mvau_case("one_neuron_fold", 14, mw=12, mh=4, simd=3, pe=4, timesteps=4),
        mvau_case("one_synapse_fold", 15, mw=8, mh=6, simd=8, pe=2, timesteps=4),
        mvau_case("fully_unfolded", 16, mw=8, mh=4, simd=8, pe=4, timesteps=4, vectors=5),
        mvau_case("one_timestep", 17, mw=10, mh=4, simd=5, pe=2, timesteps=1),
        mvau_case("thirty_two_timesteps", 18, mw=8, mh=4, simd=2, pe=2, timesteps=32, neuron="LIF"),
        mvau_case("chain_of_units", 19, mw=6, mh=4, simd=2, pe=2, timesteps=8, neuron="LIF", reset="soft"),
        mvau_case("block_memory", 20, mw=64, mh=16, simd=8, pe=2, timesteps=4, block=True),
        mvau_case("one_input_one_output", 21, mw=1, mh=1, simd=1, pe=1, timesteps=3, vectors=7),
        mvau_case("wide_tree", 22, mw=70, mh=2, simd=70, pe=1, timesteps=2),
        mvau_case("ternary", 23, mw=24, mh=6, simd=8, pe=3, timesteps=4, weight_bits=2, narrow=True),
        mvau_case("two_bits_not_ternary", 24, mw=24, mh=6, simd=8, pe=3, timesteps=4, weight_bits=2, narrow=False),
        mvau_case("ternary_lif", 25, mw=30, mh=4, simd=30, pe=2, timesteps=6, neuron="LIF", weight_bits=2, narrow=True),
        mvau_case("ternary_time_folds", 26, mw=9, mh=4, simd=3, pe=2, timesteps=6, tp=2, weight_bits=2, narrow=True),
        mvau_case("ternary_wide_tree", 27, mw=99, mh=2, simd=99, pe=1, timesteps=2, weight_bits=2, narrow=True),
        mvau_case("ternary_single", 28, mw=1, mh=1, simd=1, pe=1, timesteps=3, vectors=7, weight_bits=2, narrow=True),
        mvau_case(
            "ternary_counts", 29, mw=26, mh=4, simd=13, pe=2, timesteps=4, step_bits=3, weight_bits=2, narrow=True
        ),
        mvau_case(
            "ternary_late", 30, mw=50, mh=4, simd=25, pe=2, timesteps=3, neuron="LateIF", weight_bits=2, narrow=True
        ),
        mvau_case("pairs_if", 71, mw=24, mh=6, simd=8, pe=3, timesteps=4, block=True, narrow=False),
        mvau_case(
            "pairs_odd", 72, mw=15, mh=4, simd=5, pe=2, timesteps=4, tp=2, neuron="LIF", block=True, narrow=False
        ),
        mvau_case(
            "pairs_wide", 73, mw=48, mh=4, simd=24, pe=1, timesteps=3, block=True, weight_bits=8, half_start=True
        ),
        mvau_case("pairs_single", 74, mw=3, mh=2, simd=1, pe=1, timesteps=2, block=True, frac_bits=0, narrow=False),
        mvau_case("whole_counts_to_two", 75, mw=12, mh=4, simd=6, pe=2, timesteps=2, neuron="LateIF", narrow=False),
        mvau_case(
            "whole_counts_to_three",
            76,
            mw=15,
            mh=4,
            simd=5,
            pe=2,
            timesteps=3,
            neuron="LateIF",
            block=True,
            narrow=False,
        ),
        mvau_case("whole_counts_to_four", 77, mw=34, mh=4, simd=17, pe=4, timesteps=4, neuron="LateIF", narrow=False),
        mvau_case(
            "whole_counts_of_a_step",
            78,
            mw=8,
            mh=2,
            simd=8,
            pe=1,
            timesteps=1,
            step_bits=2,
            neuron="LateIF",
            narrow=False,
        ),
        mvau_case(
            "ternary_whole_counts",
            79,
            mw=18,
            mh=4,
            simd=9,
            pe=2,
            timesteps=4,
            neuron="LateIF",
            weight_bits=2,
            narrow=True,
        ),
        mvau_case("delayed", 61, mw=16, mh=8, simd=4, pe=2, timesteps=4, neuron="DelayedLIF"),
        mvau_case(
            "delayed_half_start",
            62,
            mw=16,
            mh=8,
            simd=16,
            pe=2,
            timesteps=8,
            neuron="DelayedLIF",
            leak_shift=3,
            half_start=True,
        ),
        mvau_case(
            "delayed_static",
            63,
            mw=27,
            mh=8,
            simd=9,
            pe=4,
            timesteps=6,
            mode="static",
            weight_bits=8,
            neuron="DelayedLIF",
        ),
        mvau_case(
            "delayed_time_folds",
            64,
            mw=16,
            mh=8,
            simd=4,
            pe=2,
            timesteps=8,
            tp=2,
            neuron="DelayedLIF",
            leak_shift=2,
            half_start=True,
        ),
        mvau_case("delayed_unrolled_steps", 65, mw=8, mh=4, simd=8, pe=2, timesteps=12, tp=4, neuron="DelayedLIF"),
        mvau_case("delayed_chain_of_units", 66, mw=6, mh=4, simd=2, pe=2, timesteps=8, neuron="DelayedLIF"),
        mvau_case("delayed_counts", 67, mw=12, mh=4, simd=6, pe=2, timesteps=6, tp=3, step_bits=2, neuron="DelayedLIF"),
        mvau_case("half_start_if_hard", 31, mw=16, mh=8, simd=4, pe=2, timesteps=4, half_start=True),
        mvau_case("half_start_if_soft", 32, mw=16, mh=8, simd=4, pe=2, timesteps=4, reset="soft", half_start=True),
        mvau_case("half_start_lif_hard", 33, mw=16, mh=8, simd=4, pe=2, timesteps=4, neuron="LIF", half_start=True),
        mvau_case(
            "half_start_lif_soft",
            34,
            mw=16,
            mh=8,
            simd=16,
            pe=2,
            timesteps=8,
            neuron="LIF",
            reset="soft",
            leak_shift=3,
            half_start=True,
        ),
        mvau_case(
            "half_start_static",
            35,
            mw=27,
            mh=8,
            simd=9,
            pe=4,
            timesteps=4,
            mode="static",
            weight_bits=8,
            half_start=True,
        ),
        mvau_case(
            "half_start_time_folds", 36, mw=16, mh=8, simd=4, pe=2, timesteps=8, tp=2, neuron="LIF", half_start=True
        ),
        mvau_case("half_start_one_step_a_cycle", 37, mw=6, mh=4, simd=3, pe=2, timesteps=6, tp=1, half_start=True),
        mvau_case("map_readout", 41, mw=24, mh=10, simd=4, pe=1, timesteps=4, mode="readout", map_pixels=16, vectors=1),
        mvau_case(
            "map_readout_more_folds_than_pixels",
            42,
            mw=12,
            mh=10,
            simd=3,
            pe=1,
            timesteps=4,
            mode="readout",
            map_pixels=4,
            vectors=1,
        ),
        mvau_case(
            "map_readout_as_many",
            43,
            mw=12,
            mh=9,
            simd=2,
            pe=1,
            timesteps=5,
            mode="readout",
            map_pixels=9,
            vectors=1,
            weight_bits=8,
            block=True,
        ),
        mvau_case(
            "map_readout_one_fold",
            44,
            mw=8,
            mh=5,
            simd=8,
            pe=5,
            timesteps=32,
            mode="readout",
            map_pixels=64,
            vectors=1,
            frames=5,
        ),
        mvau_case(
            "map_readout_one_synapse_fold",
            45,
            mw=6,
            mh=6,
            simd=6,
            pe=2,
            timesteps=1,
            mode="readout",
            map_pixels=2,
            vectors=1,
            frames=6,
            use_dsp=True,
        ),
        mvau_case("counts", 51, mw=16, mh=8, simd=4, pe=2, timesteps=4, step_bits=3, largest_step=4),
        mvau_case("counts_two_bits", 52, mw=12, mh=4, simd=6, pe=2, timesteps=6, tp=3, step_bits=2, neuron="LIF"),
        mvau_case("counts_five_bits", 53, mw=9, mh=4, simd=9, pe=2, timesteps=2, step_bits=5, reset="soft"),
        mvau_case("counts_six_bits", 54, mw=6, mh=4, simd=3, pe=1, timesteps=4, tp=1, step_bits=6, half_start=True),
        mvau_case("events", 55, mw=18, mh=4, simd=2, pe=1, timesteps=20, tp=5, step_bits=8, weight_bits=8),
        mvau_case("events_fully_unfolded", 56, mw=4, mh=2, simd=4, pe=2, timesteps=4, step_bits=8, vectors=5),
        mvau_case("events_of_32_steps", 57, mw=6, mh=2, simd=3, pe=1, timesteps=32, tp=4, step_bits=8, weight_bits=2),
        mvau_case("count_readout", 58, mw=32, mh=10, simd=4, pe=2, timesteps=20, mode="readout", step_bits=3),
        mvau_case(
            "count_map_readout",
            59,
            mw=24,
            mh=10,
            simd=4,
            pe=1,
            timesteps=8,
            mode="readout",
            map_pixels=9,
            vectors=1,
            step_bits=4,
        ),
        pool_case("pool", 23, height=6, width=6, channels=4, kernel=2, pe=2, timesteps=4),
        pool_case("pool_odd_map", 24, height=5, width=7, channels=3, kernel=2, pe=1, timesteps=20),
        pool_case("pool_copy", 25, height=3, width=3, channels=2, kernel=1, pe=2, timesteps=4),
        pool_case("pool_one_window", 26, height=4, width=4, channels=2, kernel=3, pe=1, timesteps=32),
        sum_pool_case("pool_sums", 61, height=6, width=6, channels=4, kernel=2, pe=2, timesteps=4),
        sum_pool_case("pool_sums_odd_map", 62, height=5, width=7, channels=3, kernel=3, pe=3, timesteps=20),
        sum_pool_case("pool_sums_counts", 63, height=7, width=4, channels=2, kernel=2, pe=1, timesteps=32, step_bits=6),
        sum_pool_case("pool_sums_copy", 64, height=2, width=3, channels=2, kernel=1, pe=1, timesteps=4),
        sum_pool_case("pool_sums_one_window", 65, height=15, width=15, channels=1, kernel=15, pe=1, timesteps=3),
    ]
}


def wrong_weight_case() -> Case:
    """One weight off by one in the rendered sources, with every input spiking, which moves a logit."""
    case = mvau_case("wrong_weight", 30, mw=8, mh=2, simd=4, pe=1, timesteps=4, mode="readout")
    assert isinstance(case.core, SpikingMVAU) and case.core.constants and case.inputs[0].any()
    weights = case.core.constants.weights.copy()
    weights[1, 5] += 1 if weights[1, 5] < 0 else -1
    return replace(case, core=replace(case.core, constants=replace(case.core.constants, weights=weights)))


WRONG = wrong_weight_case()


@dataclass(frozen=True)
class Results:
    hls: dict[str, HlsResult]
    rtl: dict[str, RtlResult]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("cores")
    cases = [*CASES.values(), WRONG]
    return Results(hls=run_hls(cases, folder / "hls"), rtl=run_rtl(cases, folder / "rtl", seed=7))


@pytest.mark.parametrize("name", CASES)
def test_hls_equals_model(name: str, results: Results) -> None:
    assert not check_hls(CASES[name], results.hls[name])


@pytest.mark.parametrize("name", CASES)
def test_rtl_equals_model(name: str, results: Results) -> None:
    assert not check_rtl(CASES[name], results.rtl[name])


def test_cores_of_spikes_with_weights_of_minus_one_to_one_are_ternary() -> None:
    ternary = {name for name, case in CASES.items() if isinstance(case.core, SpikingMVAU) and case.core.ternary}
    assert ternary >= {name for name in CASES if name.startswith("ternary")}
    assert not ternary & {"two_bits_not_ternary", "static_two_bit_weights", "spikes_if_hard", "readout"}


def test_pairs_are_stored_where_block_rams_have_room_for_them() -> None:
    paired = {name for name, case in CASES.items() if isinstance(case.core, SpikingMVAU) and case.core.paired}
    assert paired >= {name for name in CASES if name.startswith("pairs")}
    core = CASES["pairs_if"].core
    assert isinstance(core, SpikingMVAU)
    assert core.weight_word_bits == 3 * 4 * 9
    assert not replace(core, memory_style="distributed").paired
    # 4 x 9 x 4 bits are four block RAMs of 36 bits, and 4 pairs more are a fifth.
    assert not replace(core, mw=36, simd=9, mh=4, pe=4).paired


def test_counts_to_four_are_multiplied_whole() -> None:
    whole = {name for name, case in CASES.items() if isinstance(case.core, SpikingMVAU) and case.core.counted_whole}
    assert whole >= {name for name in CASES if name.startswith("whole_counts") or name == "ternary_whole_counts"}
    core = CASES["whole_counts_to_four"].core
    assert isinstance(core, SpikingMVAU)
    assert not replace(core, timesteps=5, tp=5).counted_whole


def test_a_wrong_weight_is_noticed(results: Results) -> None:
    assert any("HLS: word" in fault for fault in check_hls(WRONG, results.hls[WRONG.name]))
    faults = check_rtl(WRONG, results.rtl[WRONG.name])
    assert any("without gaps: word" in fault for fault in faults)
    assert any("random gaps: word" in fault for fault in faults)
