"""Vivado's reports, in their documented form, become results/bitstream.json; what is no report is one sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import vivado_report_texts as texts

from codegen.current import load_results
from codegen.hardware_results import BitstreamResult
from codegen.run_folder import RunFolder
from fpga.boards import get_board
from fpga.build.plan import BuildPlan
from fpga.build.vivado import collect, vivado_plan
from fpga.build.vivado_reports import Timing, read_power, read_timing, read_utilization, read_version
from fpga.errors import BuildError


def test_utilization_by_hierarchy() -> None:
    cells = read_utilization(texts.UTILIZATION)
    assert [cell.depth for cell in cells] == [0, 1, 2, 2, 3, 4, 5, 5]
    top, core = cells[0], cells[6]
    assert (top.instance, top.lut, top.ff, top.bram, top.dsp) == ("spikefold_wrapper", 7654, 9876, 6.5, 2)
    assert (core.instance, core.module, core.lut, core.bram) == (
        "i_SpikingMVAU_rtl_0",
        "sf_0_0_SpikingMVAU_rtl_0",
        745,
        1.5,
    )


def test_columns_are_found_by_name() -> None:
    """UltraScale+ has one more column, UltraRAM, and older releases call DSPs otherwise."""
    rows = []
    for line in texts.UTILIZATION.splitlines():
        if line.startswith("|") and line.count("|") > 8:
            *front, dsp, end = line.split("|")
            line = "|".join(
                [*front, " URAM " if "Instance" in line else "    0 ", dsp.replace("DSP Blocks", "DSP48 Blocks"), end]
            )
        rows.append(line)
    assert read_utilization("\n".join(rows)) == read_utilization(texts.UTILIZATION)


@pytest.mark.parametrize(
    ("slacks", "expected", "met"),
    [
        (("1.111", "0.023", "3.750"), Timing(1.111, 0.023, 3.75), True),
        (("-0.321", "0.023", "3.750"), Timing(-0.321, 0.023, 3.75), False),
        (("1.111", "-0.004", "3.750"), Timing(1.111, -0.004, 3.75), False),
        (("NA", "NA", "3.750"), Timing(None, None, 3.75), True),
        (("0.000", "0.000", "0.000"), Timing(0.0, 0.0, 0.0), True),
    ],
)
def test_timing_summary(slacks: tuple[str, str, str], expected: Timing, met: bool) -> None:
    found = read_timing(texts.timing(*slacks))
    assert (found, found.met) == (expected, met)


def test_power_and_version() -> None:
    assert read_power(texts.POWER) == 1.625
    assert read_power(texts.POWER.replace("1.625        |", "61.625 (Junction temp exceeded!) |")) == 61.625
    assert read_version(texts.POWER) == "2022.2"


@pytest.mark.parametrize("read", [read_utilization, read_timing, read_power, read_version])
@pytest.mark.parametrize("text", ["", "dry run: no figures\n", "| Instance | Total LUTs |\n"])
def test_what_is_no_report_is_one_sentence(read, text: str) -> None:
    with pytest.raises(BuildError, match="Vivado"):
        read(text)


def test_a_count_that_is_none_is_one_sentence() -> None:
    with pytest.raises(BuildError, match=r"has a row that is no count \(invalid literal"):
        read_utilization(texts.UTILIZATION.replace("7654", "many"))
    with pytest.raises(BuildError, match=r"has '1\.2\.3' as a slack"):
        read_timing(texts.timing("1.2.3"))


def _built(plan: BuildPlan, timing: str) -> BuildPlan:
    """The plan with what Vivado would have left."""
    plan.write()
    (plan.folder / "spikefold.bit").write_bytes(b"configuration")
    reports = {"utilization": texts.UTILIZATION, "timing": timing, "power": texts.POWER}
    (plan.folder / "reports").mkdir()
    for name, text in reports.items():
        (plan.folder / "reports" / f"{name}.rpt").write_text(text)
    return plan


@pytest.fixture
def plan(run: RunFolder) -> BuildPlan:
    return vivado_plan(run, get_board("Pynq-Z2"), "dma", "rtl")


def test_reports_become_the_result(run: RunFolder, plan: BuildPlan) -> None:
    result = collect(_built(plan, texts.timing()), run)
    assert (result.tool, result.board, result.shell, result.impl) == ("Vivado 2022.2", "Pynq-Z2", "dma", "rtl")
    assert (result.lut, result.ff, result.bram, result.dsp, result.power_w) == (7654, 9876, 6.5, 2, 1.625)
    assert (result.clock_mhz, result.slack_ns, result.timing_met) == (100, 1.111, True)
    assert result.fmax_mhz == pytest.approx(1000 / (10 - 1.111))
    assert result.cores is not None
    assert {core.name: (core.lut, core.bram) for core in result.cores} == {
        "SpikingMVAU_rtl_0": (745, 1.5),
        "SpikePool_rtl_0": (40, 0),
    }
    assert result.bitstream == "bitstream/Pynq-Z2-dma-rtl/spikefold.bit"
    assert BitstreamResult.load(run) == result


def test_the_result_is_of_the_sources_that_are_there(run: RunFolder, plan: BuildPlan) -> None:
    collect(_built(plan, texts.timing()), run)
    (run.path / "results" / "onnx.json").write_text(json.dumps(_onnx_result(run)))
    assert load_results(run).bitstream is not None
    (run.path / "bitstream" / "Pynq-Z2-dma-rtl" / "spikefold.bit").write_bytes(b"another")
    with pytest.raises(
        Exception,
        match=r"belongs to another bitstream/.*spikefold\.bit .*; run `make bitstream RUN=small BOARD=Pynq-Z2 "
        "SHELL_FLOW=dma IMPL=rtl` again",
    ):
        load_results(run)


def _onnx_result(run: RunFolder) -> dict[str, object]:
    from codegen.digests import file_digest

    (run.path / "compact.safetensors").write_bytes(b"weights")
    counted = {"accuracy": None, "shipped_accuracy": None, "images": 1, "mismatches": None, "seconds": 1.0}
    digests = {"compact_sha256": file_digest(run.path / "compact.safetensors"), "test_set_sha256": "0"}
    return {
        **counted,
        **digests,
        "images_per_second": 1.0,
        "spike_sparsity": {},
        "spike_sparsity_images": 1,
        "model_sha256": file_digest(run.path / "model.onnx"),
    }


def test_a_missed_clock_is_an_error_and_the_bitstream_is_flagged(run: RunFolder, plan: BuildPlan) -> None:
    sentence = (
        r"^timing is not met: the slowest path has a slack of -0\.321 ns at 100 MHz \(it would do 96\.9 MHz\); "
        r"bitstream/Pynq-Z2-dma-rtl/spikefold\.bit is kept, and flagged in results/bitstream\.json$"
    )
    with pytest.raises(BuildError, match=sentence):
        collect(_built(plan, texts.timing("-0.321")), run)
    result = BitstreamResult.load(run)
    assert result is not None and not result.timing_met and result.slack_ns == -0.321
    assert (run.path / result.bitstream).is_file()


@pytest.mark.parametrize(
    ("slacks", "kind"),
    [(("1.0", "-0.004", "3.0"), "hold slack is -0.004"), (("1.0", "0.1", "-0.5"), "pulse width slack is -0.500")],
)
def test_other_slacks_are_named(run: RunFolder, plan: BuildPlan, slacks: tuple[str, str, str], kind: str) -> None:
    with pytest.raises(BuildError, match=f"^timing is not met: the worst {kind} ns; "):
        collect(_built(plan, texts.timing(*slacks)), run)


def test_a_plan_of_another_tool_is_refused(run: RunFolder, plan: BuildPlan) -> None:
    other = replace(plan, files={}, folder=Path(run.path / "other"))
    with pytest.raises(BuildError, match=r"is no build by Vivado$"):
        collect(other, run)
