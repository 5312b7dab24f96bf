"""By how much a network misses a board, and what would fit."""

import pytest

from codegen.fit import NO_RESOURCES, Resources, advise, budget, fits, scaled, total
from fpga.boards import BOARDS, get_board

PYNQ = get_board("Pynq-Z2")


def test_a_full_board_fits_and_one_more_of_anything_does_not() -> None:
    for board in BOARDS:
        full = budget(board)
        assert fits(full, board)
        for more in (Resources(1, 0, 0, 0), Resources(0, 1, 0, 0), Resources(0, 0, 0.5, 0), Resources(0, 0, 0, 1)):
            assert not fits(full + more, board)


def test_sum() -> None:
    parts = [Resources(1, 2, 0.5, 3), Resources(10, 20, 0.5, 30)]
    assert total(parts) == Resources(11, 22, 1.0, 33)
    assert total([]) == NO_RESOURCES


def test_sentence_says_by_how_much_and_what_would_fit() -> None:
    needed = Resources(lut=61_200, ff=3_000, bram36=150.5, dsp=0)
    assert advise(needed, PYNQ, ratio=0.5, weight_bits=4) == (
        "the network does not fit Pynq-Z2: it needs 61,200 of 53,200 LUT (8,000 too many) and 150.5 of 140 BRAM36 "
        "(10.5 too many); scaled from these figures, RATIO=0.55, or WBITS=2, or BOARD=AUP-ZU3 or Ultra96-V2 or "
        "ZCU104 or ZCU102 would fit (as would more cycles per frame)"
    )


def test_each_option_named_fits_by_the_same_scaling() -> None:
    needed = Resources(lut=100_000, ff=1_000, bram36=100, dsp=10)
    advice = advise(needed, PYNQ, ratio=0.5, weight_bits=8)
    assert "RATIO=0.65, or WBITS=2, or BOARD=KV260 or ZCU104 or ZCU102" in advice
    assert [fits(scaled(needed, 0.5, 8, ratio, 8), PYNQ) for ratio in (0.6, 0.65)] == [False, True]
    assert [fits(scaled(needed, 0.5, 8, 0.5, bits), PYNQ) for bits in (4, 2)] == [False, True]


def test_no_ratio_and_no_board_is_enough() -> None:
    needed = Resources(lut=60_000_000, ff=0, bram36=0, dsp=0)
    assert advise(needed, PYNQ, ratio=0.0, weight_bits=2).endswith(
        "no RATIO, WBITS or BOARD alone would fit, so fold it over more cycles per frame"
    )


def test_scaling_keeps_a_network_that_does_not_change() -> None:
    needed = Resources(lut=1_234, ff=567, bram36=8.5, dsp=9)
    assert scaled(needed, 0.5, 4, 0.5, 4) == needed


def test_advice_is_only_for_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="fits Pynq-Z2"):
        advise(NO_RESOURCES, PYNQ, ratio=0.5, weight_bits=4)
