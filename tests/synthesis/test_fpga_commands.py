"""``python -m fpga``: one honest sentence and exit code 2."""

from pathlib import Path

import pytest

from fpga.__main__ import main


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "mini" / "rtl").mkdir(parents=True)
    (tmp_path / "mini" / "rtl" / "files.txt").write_text("accelerator.sv\n")
    return tmp_path / "mini"


def test_bitstream_says_that_vivado_is_missing(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(run))
    assert main(["bitstream", str(run)]) == 2
    sentence = capsys.readouterr().err
    assert sentence.startswith("error: Vivado is not on PATH, and the Zynq build is not part of this version;")
    assert f"{run}/rtl/files.txt" in sentence
    assert f"{run}/hls/run_hls.tcl" in sentence


def test_bitstream_says_where_vivado_was_found(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = run / "vivado"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(run))
    assert main(["bitstream", str(run)]) == 2
    assert capsys.readouterr().err.startswith(f"error: Vivado was found at {program}, but the Zynq build")


def test_deploy_names_the_simulation(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy", str(run)]) == 2
    assert "`make rtlsim RUN=mini`" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["bitstream", "deploy"])
def test_a_run_without_sources_names_the_command(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, str(tmp_path / "early")]) == 2
    assert "run `make hls RUN=early` first" in capsys.readouterr().err


def test_unknown_board_names_the_known_ones(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bitstream", str(run), "--board", "Basys"]) == 2
    assert "board 'Basys' is not known; the known boards are Pynq-Z1," in capsys.readouterr().err
