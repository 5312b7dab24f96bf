"""The estimates of SpikingMVAU against the committed Yosys measurements, and the memories that they count with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.estimate_error import CALIBRATION_SEEDS, UNSEEN_COUNT, UNSEEN_SEED, draw_core
from bench.estimate_luts import errors
from codegen.cores.logic import Logic
from codegen.cores.memory import distinct_bits, rom_logic, rom_resources
from codegen.fit import NO_RESOURCES


def test_estimates_follow_the_measurements() -> None:
    found = errors()
    assert tuple(found) == CALIBRATION_SEEDS
    luts, ffs = (np.array([getattr(error, name) for error in found.values()]) for name in ("lut", "ff"))
    assert np.abs(luts).mean() < 0.06 > abs(luts.mean())
    assert np.abs(luts).max() < 0.2
    assert np.abs(ffs).mean() < 0.08
    assert np.abs(ffs).max() < 0.3
    assert {error.bram36 for error in found.values()} == {0.0}


def test_the_cores_of_the_bench_are_not_those_of_the_figures() -> None:
    assert not set(CALIBRATION_SEEDS) & set(range(UNSEEN_SEED, UNSEEN_SEED + UNSEEN_COUNT))


@pytest.mark.parametrize("seed", range(1, 19))
def test_estimates_need_no_constants(seed: int) -> None:
    """The folding solver's cores have none."""
    core = draw_core(seed)
    assert replace(core, constants=None).resources() == core.resources()


def test_luts_share_a_lut6_by_their_inputs() -> None:
    assert Logic(large=3, small=2).luts == 5
    assert Logic(small=2, tiny=2).luts == 2, "a LUT of two inputs goes with one of four"
    assert Logic(large=1, small=1, tiny=5).luts == 1 + 1 + 2, "and two of these go together"


def test_few_words_hold_few_bits() -> None:
    """Two words have the four columns 00, 01, 10 and 11, of which Yosys makes one or two; many words have any."""
    assert distinct_bits(1000, 2) < 4
    assert distinct_bits(100, 16) == pytest.approx(100, rel=0.01)
    assert rom_logic(100, 1).luts == 0
    assert [round(rom_logic(64, depth).luts / 64, 1) for depth in (2, 16, 64, 128)] == [0.0, 0.8, 3.9, 7.8]


@pytest.mark.parametrize("width", [6, 48, 800])
def test_a_deeper_rom_takes_no_fewer_luts(width: int) -> None:
    luts = [rom_logic(width, depth).luts for depth in range(1, 300)]
    assert luts == sorted(luts)


@pytest.mark.parametrize(
    ("width", "depth", "bram36"),
    [
        (36, 512, 0.5),
        (48, 1152, 2.0),
        (48, 1536, 2.0),
        (48, 2304, 3.5),
        (64, 2304, 4.5),
        (32, 1152, 1.5),
        (8, 2048, 0.5),
    ],
)
def test_the_last_columns_of_a_rom_share_block_rams(width: int, depth: int, bram36: float) -> None:
    """Of 36 bits each the RAMs hold one column of 48 and three times its other twelve bits, as Yosys measured."""
    assert rom_resources(width, depth, "block").bram36 == bram36


def test_a_single_word_is_no_memory() -> None:
    assert rom_resources(64, 1, "block") == rom_resources(64, 1, "distributed") == NO_RESOURCES
