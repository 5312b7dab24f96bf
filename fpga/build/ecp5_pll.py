"""The PLL of an ECP5: dividers for a clock, and those of a routed design replaced.

nextpnr's timing analysis says only after routing how fast a design may be clocked. Its routing does not depend on the
PLL's dividers, so they are written then, into the textual configuration that ecppack reads.
Source: ECP5 sysCLOCK PLL/DLL usage guide (FPGA-TN-02200); word names of Project Trellis.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fpga.errors import BuildError

_PHASE_DETECTOR_MHZ = (3.125, 400.0)
_VCO_MHZ = (400.0, 800.0)
_HIGHEST_DIVIDER = 128
_WORD_BITS = 7


@dataclass(frozen=True)
class PllSettings:
    """Dividers of input, feedback (by the output) and output, and the clock that they give from the oscillator's."""

    input_divider: int
    feedback_divider: int
    output_divider: int
    clock_mhz: float

    @property
    def output_phase(self) -> int:
        """CLKOP_CPHASE of a clock without a phase shift; half of the divider keeps it within the feedback's range."""
        return self.output_divider // 2


def fastest_settings(oscillator_mhz: float, at_most_mhz: float) -> PllSettings:
    """The settings of the fastest clock that is not above ``at_most_mhz``; of equal ones those with the fastest VCO.

    Raises BuildError where no setting gives a clock that slow.
    """
    best: PllSettings | None = None
    best_key = (0.0, 0.0)
    for input_divider in range(1, _HIGHEST_DIVIDER + 1):
        reference = oscillator_mhz / input_divider
        if not _PHASE_DETECTOR_MHZ[0] <= reference <= _PHASE_DETECTOR_MHZ[1]:
            continue
        feedback_divider = min(int(at_most_mhz / reference), _HIGHEST_DIVIDER)
        if feedback_divider < 1:
            continue
        clock = reference * feedback_divider
        output_divider = min(int(_VCO_MHZ[1] / clock), _HIGHEST_DIVIDER)
        if clock * output_divider < _VCO_MHZ[0]:
            continue
        # A little slack makes equal clocks equal, whatever their dividers.
        key = (round(clock, 6), clock * output_divider)
        if key > best_key:
            best, best_key = PllSettings(input_divider, feedback_divider, output_divider, round(clock, 6)), key
    if best is None:
        raise BuildError(
            f"the PLL of an ECP5 makes no clock of at most {at_most_mhz:g} MHz from {oscillator_mhz:g} MHz"
        )
    return best


def set_dividers(configuration: str, settings: PllSettings) -> str:
    """The textual configuration of a routed design with the dividers of its one PLL set anew.

    Raises BuildError unless each divider is there exactly once.
    """
    words = {
        "CLKI_DIV": settings.input_divider - 1,
        "CLKFB_DIV": settings.feedback_divider - 1,
        "CLKOP_DIV": settings.output_divider - 1,
        "CLKOP_CPHASE": settings.output_phase,
    }
    for name, value in words.items():
        line = f"word: {name} {value:0{_WORD_BITS}b}"
        configuration, count = re.subn(rf"^word: {name} [01]+$", line, configuration, flags=re.MULTILINE)
        if count != 1:
            raise BuildError(f"the routed configuration has {count} words {name} of a PLL, not one")
    return configuration
