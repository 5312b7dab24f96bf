"""The clock of an ECP5 board: the PLL's dividers, and what nextpnr's report says of the cores."""

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpga.boards.ecp5 import BOARDS
from fpga.build.ecp5_clock import CLOCK_MARGIN, choose_clock, core_of
from fpga.build.ecp5_pll import fastest_settings, set_dividers
from fpga.build.tools import find_program
from fpga.errors import BuildError

ULX3S = BOARDS[0]


@given(oscillator=st.sampled_from((25.0, 100.0, 12.0, 48.0)), at_most=st.floats(12, 200))
def test_a_pll_runs_within_its_limits_and_not_above_what_is_asked(oscillator: float, at_most: float) -> None:
    settings = fastest_settings(oscillator, at_most)
    clock = oscillator / settings.input_divider * settings.feedback_divider
    assert settings.clock_mhz == pytest.approx(clock)
    assert settings.clock_mhz <= at_most
    assert 400 <= clock * settings.output_divider <= 800
    assert oscillator / settings.input_divider >= 3.125
    assert settings.clock_mhz > at_most - oscillator / 2


@pytest.mark.parametrize("mhz", [50, 75, 81, 87.5, 96, 120])
def test_the_clock_is_as_near_as_the_open_tools_own_search_comes(mhz: float, tmp_path: Path) -> None:
    """ecppll looks for the nearest frequency on either side; below it, ours is not further away."""
    program = find_program("yowasp-ecppll")
    assert program is not None
    done = subprocess.run(
        [program, "-i", "25", "-o", str(mhz), "-f", "pll.v"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    found = re.search(r"clkout0 frequency: ([\d.]+) MHz", done.stdout)
    assert found is not None
    theirs = float(found.group(1))
    ours = fastest_settings(25, mhz).clock_mhz
    assert ours >= theirs - 1e-3 if theirs <= mhz else mhz - ours <= 2.5


def test_a_clock_that_no_divider_gives_is_refused() -> None:
    with pytest.raises(BuildError, match=r"^the PLL of an ECP5 makes no clock of at most 1 MHz from 25 MHz$"):
        fastest_settings(25, 1)


CONFIGURATION = """\
.tile_group MIB_R4C0:PLL0_UL MIB_R5C0:PLL1_UL
word: CLKI_DIV 0000010
word: CLKFB_DIV 0001001
word: CLKOP_DIV 0000110
word: CLKOP_CPHASE 0000011
word: CLKOS_DIV 0000111
enum: MODE EHXPLLL
"""


def test_dividers_are_replaced_and_nothing_else() -> None:
    changed = set_dividers(CONFIGURATION, fastest_settings(25, 90))
    assert changed.splitlines() == [
        ".tile_group MIB_R4C0:PLL0_UL MIB_R5C0:PLL1_UL",
        "word: CLKI_DIV 0000100",
        "word: CLKFB_DIV 0010001",
        "word: CLKOP_DIV 0000111",
        "word: CLKOP_CPHASE 0000100",
        "word: CLKOS_DIV 0000111",
        "enum: MODE EHXPLLL",
    ]


def test_a_configuration_without_a_pll_is_refused() -> None:
    with pytest.raises(BuildError, match="has 0 words CLKI_DIV of a PLL, not one"):
        set_dividers(".tile CIB\n", fastest_settings(25, 90))


def report(**changed: object) -> dict[str, object]:
    first = {
        "cell": "i_shell.i_accelerator.i_SpikingMVAU_rtl_2.i_core.count_q_TRELLIS_FF_Q",
        "loc": [1, 2],
        "port": "Q",
    }
    middle = {"cell": "i_shell.i_accelerator.i_SpikePool_rtl_2.i_core.x_LUT4_Z", "loc": [1, 2], "port": "A"}
    last = {
        "cell": "i_shell.i_accelerator.i_SpikingMVAU_rtl_2.i_core.potential_TRELLIS_FF_Q",
        "loc": [3, 2],
        "port": "DI",
    }
    path = [
        {"type": "clk-to-q", "delay": 0.5, "from": first, "to": first},
        {"type": "routing", "delay": 4.5, "from": first, "to": middle},
        {"type": "logic", "delay": 4.0, "from": middle, "to": middle},
        {"type": "routing", "delay": 0.75, "from": middle, "to": last},
        {"type": "setup", "delay": 0.25, "from": last, "to": last},
    ]
    net = {
        "driver": middle["cell"],
        "endpoints": [
            {"cell": last["cell"], "delay": [3.0, 9.5], "port": "DI"},
            {"cell": "i_shell.i_frames.words_q_TRELLIS_FF_Q", "delay": [1.0, 2.0], "port": "DI"},
        ],
    }
    whole: dict[str, object] = {
        "fmax": {"$glbnet$core_clk": {"achieved": 100.0, "constraint": 125}},
        "critical_paths": [
            {"from": "<async>", "to": "posedge $glbnet$core_clk", "path": []},
            {"from": "posedge $glbnet$core_clk", "to": "posedge $glbnet$core_clk", "path": path},
        ],
        "detailed_net_timings": [net],
        "utilization": {"DP16KD": {"available": 208, "used": 5}, "TRELLIS_FF": {"available": 9, "used": 0}},
    }
    return whole | changed


def test_the_clock_is_the_fastest_below_what_the_analysis_allows_and_the_slowest_core_is_named() -> None:
    choice = choose_clock(report(), ULX3S)
    assert choice.fmax_mhz == 100
    assert CLOCK_MARGIN * 100 - 2 < choice.pll.clock_mhz <= CLOCK_MARGIN * 100
    assert (choice.critical_from, choice.critical_to) == ("SpikingMVAU_rtl_2", "SpikingMVAU_rtl_2")
    assert (choice.critical_logic_ns, choice.critical_routing_ns) == (4.75, 5.25)
    assert [(path.core, path.delay_ns) for path in choice.cores] == [("SpikingMVAU_rtl_2", 9.5), ("shell", 2.0)]
    assert choice.used == {"DP16KD": 5}


@pytest.mark.parametrize("missing", ["fmax", "critical_paths", "utilization"])
def test_a_report_of_another_form_is_refused(missing: str) -> None:
    with pytest.raises(BuildError, match=r"^nextpnr's report.json has another form"):
        choose_clock({key: value for key, value in report().items() if key != missing}, ULX3S)


def test_two_clocks_are_refused() -> None:
    two = {"a": {"achieved": 90.0}, "b": {"achieved": 80.0}}
    with pytest.raises(BuildError, match="the design has 2 clocks"):
        choose_clock(report(fmax=two), ULX3S)


def test_a_cell_outside_all_cores_is_of_the_shell() -> None:
    assert core_of("i_shell.i_receiver.count_q_TRELLIS_FF_Q") == "shell"
