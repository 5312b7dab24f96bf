"""The estimates of FINN's stream infrastructure against the committed Yosys measurements."""

import pytest

from bench.stream_luts import estimate, read
from codegen.cores.width_converter import converter_resources

# Mean error in LUTs that a formula may have over the measured sizes.
ALLOWED = {
    "FMPadding_rtl": 4,
    "ConvolutionInputGenerator_rtl": 7,
    "StreamingDataWidthConverter_rtl": 15,
    "StreamingFIFO_rtl": 6,
}


@pytest.mark.parametrize("op", ALLOWED)
def test_estimates_follow_the_measurements(op: str) -> None:
    rows = [row for row in read() if row.op == op]
    assert len(rows) >= 7
    guesses = [estimate(row) for row in rows]
    errors = [abs(guess.lut - row.lut) for guess, row in zip(guesses, rows, strict=True)]
    assert sum(errors) / len(errors) <= ALLOWED[op]
    assert [guess.bram36 for guess in guesses] == [row.bram36 for row in rows]


def test_equal_widths_need_no_converter() -> None:
    assert converter_resources(32, 32).lut == 0
