"""The whole of both shells' flows for every board and implementation, against stand-ins that check all Tcl."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from build_run import BOARDS

from codegen.run_folder import RunFolder
from fpga.__main__ import main
from fpga.boards import BOARDS as KNOWN
from fpga.boards import get_board
from fpga.build.dry_run import DryRunReport
from fpga.build.plan import BuildPlan
from fpga.build.tools import HLS_VERSIONS, VIVADO_VERSIONS
from fpga.build.vivado import collect, dry_run, vivado_plan
from fpga.errors import BuildError


def _written(plan: BuildPlan) -> set[str]:
    return {file.relative_to(plan.folder).as_posix() for file in plan.folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("impl", ["rtl", "hls"])
@pytest.mark.parametrize("board", BOARDS)
def test_dma_shell(run: RunFolder, board: str, impl: str) -> None:
    plan = vivado_plan(run, get_board(board), "dma", impl)
    report = dry_run(plan)
    expected = ("package", "design", "synthesis", "implementation")
    assert report.steps == (expected if impl == "rtl" else ("hls", *expected))
    assert all(count > 10 for script, count in report.commands.items() if script.startswith(("package", "block")))
    # Written, and nothing of the dry run with it.
    assert _written(plan) == {*plan.files, "plan.txt"}
    assert plan.folder == run.path / "bitstream" / f"{board}-dma-{impl}"


@pytest.mark.parametrize("impl", ["rtl", "hls"])
@pytest.mark.parametrize("board", BOARDS)
def test_finn_shell(rendered: RunFolder, tmp_path: Path, board: str, impl: str) -> None:
    plan = vivado_plan(rendered, get_board(board), "finn", impl)
    report = dry_run(plan)
    assert report.steps == ("finn", "reports")
    # Two DMAs in HLS and, for hls, the three cores of this project; three stitched cores and the design around them.
    hls = [script for script in report.commands if script.startswith("hls_syn_")]
    own = [script for script in hls if "Spik" in script]
    assert (len(hls) - len(own), len(own)) == (2, 3 if impl == "hls" else 0)
    assert report.commands["ip_config.tcl"] > 100
    assert report.commands["make_project.tcl"] > 300
    assert report.commands["finn_reports.tcl"] > 5
    assert _written(plan) == {*plan.files, "plan.txt"}


@pytest.mark.parametrize("release", VIVADO_VERSIONS)
def test_every_release_has_the_cores(run: RunFolder, release: str) -> None:
    report = dry_run(vivado_plan(run, get_board("ZCU104"), "dma", "rtl"), release)
    assert report.release == release
    assert f"dry run for Vivado {release}: 4 steps (package, design, synthesis, implementation)" in report.sentence


def test_a_release_that_is_not_accepted_is_refused(run: RunFolder) -> None:
    with pytest.raises(BuildError, match=r"^dry run: vivado 2022\.2, .* is needed, and .* is version 2019\.1$"):
        dry_run(vivado_plan(run, get_board("Pynq-Z2"), "dma", "rtl"), "2019.1")
    with pytest.raises(BuildError, match=r"^dry run: vitis_hls 2022\.2, .* is version 2024\.2$"):
        dry_run(vivado_plan(run, get_board("Pynq-Z2"), "dma", "hls"), "2024.2")
    assert set(HLS_VERSIONS) < set(VIVADO_VERSIONS)


def test_without_tclsh_there_is_one_sentence(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fpga.build.dry_run.find_program", lambda program: None)
    with pytest.raises(BuildError, match=r"^a dry run needs tclsh \(Debian's package tcl\), which is not on PATH$"):
        dry_run(vivado_plan(run, get_board("Pynq-Z2"), "dma", "rtl"))


def test_without_vivado_the_plan_names_tool_and_version(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(run.path))
    sentence = (
        r"^vivado 2022\.2, 2023\.1, 2023\.2, 2024\.1 or 2024\.2 \(AMD Vivado .*\) is needed, and vivado is not on PATH$"
    )
    plan = vivado_plan(run, get_board("Pynq-Z2"), "dma", "rtl")
    with pytest.raises(BuildError, match=sentence):
        plan.execute(progress=lambda text: None)
    assert "1. package\n     vivado -mode batch" in plan.show()
    with pytest.raises(
        BuildError, match=r"^there is no .*spikefold\.bit; run `make bitstream RUN=small` to its end first$"
    ):
        collect(plan, run)


def test_boards_without_a_processing_system_are_refused(run: RunFolder) -> None:
    others = [board for board in KNOWN if not board.part.lower().startswith(("xc7z", "xczu", "xck"))]
    for board in others:
        with pytest.raises(BuildError, match=r"has no processing system; boards that Vivado builds for are Pynq-Z1,"):
            vivado_plan(run, board, "dma", "rtl")


def test_a_zynq_board_has_no_uart(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bitstream", str(run.path), "--board", "Pynq-Z2", "--shell-flow", "uart"]) == 2
    assert capsys.readouterr().err == "error: Pynq-Z2 has the shells dma and finn, not uart\n"


def test_a_board_that_finn_does_not_know_is_refused(run: RunFolder) -> None:
    from dataclasses import replace

    other = replace(get_board("Pynq-Z2"), name="Arty-Z7", finn_name="Arty-Z7")
    with pytest.raises(BuildError, match=r"^FINN does not know the board Arty-Z7; SHELL_FLOW=dma builds for it$"):
        vivado_plan(run, other, "finn", "rtl")
    assert dry_run(vivado_plan(run, other, "dma", "rtl")).steps
    other = replace(get_board("Pynq-Z2"), part="xc7z010clg400-1")
    with pytest.raises(BuildError, match=r"^FINN builds Pynq-Z2 for xc7z020clg400-1, not for xc7z010clg400-1;"):
        vivado_plan(run, other, "finn", "rtl")


def test_the_build_says_what_it_is_of(run: RunFolder) -> None:
    plan = vivado_plan(run, get_board("ZCU104"), "dma", "rtl")
    build = json.loads(str(plan.files["build.json"]))
    assert (build["board"], build["part"], build["clock_mhz"], build["port_bits"]) == (
        "ZCU104", "xczu7ev-ffvc1156-2-e", 200, 128,
    )  # fmt: skip
    manifest = json.loads((run.path / "rtl" / "nodes.json").read_text())
    assert build["cores"] == [node["name"] for node in manifest["nodes"]]
    assert build["input_frame_bytes"] == manifest["input"]["words"] * build["input_bits"] // 8
    assert isinstance(dry_run(plan), DryRunReport)


def test_an_old_rendering_is_refused(run: RunFolder) -> None:
    (run.path / "rtl" / "accelerator.sv").write_text("module accelerator; endmodule\n")
    with pytest.raises(Exception, match=r"belongs to another rtl .* run `make hls RUN=small` again"):
        vivado_plan(run, get_board("ZCU104"), "dma", "rtl")
