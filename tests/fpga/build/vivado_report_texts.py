"""Reports in the form that AMD documents (UG906, UG907), with made-up figures: Vivado wrote none of them."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent / "reports"
UTILIZATION = (_FOLDER / "utilization.rpt").read_text()
POWER = (_FOLDER / "power.rpt").read_text()
_TIMING = (_FOLDER / "timing.rpt").read_text()


def timing(setup: str = "1.111", hold: str = "0.023", pulse_width: str = "3.750") -> str:
    """A timing report with these worst slacks."""
    return _TIMING.replace("1.111", setup).replace("0.023", hold).replace("3.750", pulse_width)
