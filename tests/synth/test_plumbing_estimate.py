"""The plumbing estimates against the committed Yosys measurements."""

import pytest

from bench.plumbing_luts import read
from codegen.synth.plumbing_estimate import estimate_plumbing

# Mean error in LUTs that a formula may have over the measured sizes.
ALLOWED = {
    "FMPadding_rtl": 4,
    "ConvolutionInputGenerator_rtl": 20,
    "StreamingDataWidthConverter_rtl": 15,
    "StreamingFIFO_rtl": 6,
}


@pytest.mark.parametrize("op", ALLOWED)
def test_estimates_follow_the_measurements(op: str) -> None:
    rows = [row for row in read() if row.op == op]
    assert len(rows) >= 7
    estimates = [estimate_plumbing(row.op, row.in_bits, row.out_bits, row.depth) for row in rows]
    errors = [abs(guess.lut - row.lut) for guess, row in zip(estimates, rows, strict=True)]
    assert sum(errors) / len(errors) <= ALLOWED[op]
    assert [guess.bram36 for guess in estimates] == [row.bram36 for row in rows]


def test_equal_widths_need_no_converter() -> None:
    assert estimate_plumbing("StreamingDataWidthConverter_rtl", 32, 32, 0).lut == 0


def test_other_ops_have_no_estimate() -> None:
    with pytest.raises(ValueError, match="no estimate for Pool_hls"):
        estimate_plumbing("Pool_hls", 8, 8, 0)
