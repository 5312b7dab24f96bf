"""``python -m fpga``: one honest sentence and exit code 2."""

import sys
from pathlib import Path

import pytest

from fpga.__main__ import main

COMMANDS = ("bitstream", "package", "deploy")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_run_that_is_not_there_names_the_command(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, str(tmp_path / "early")]) == 2
    assert "early" in (said := capsys.readouterr().err)
    assert said.startswith("error: ")
    assert "run `make " in said


@pytest.mark.parametrize("command", COMMANDS)
def test_unknown_board_names_the_known_ones(tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, str(tmp_path), "--board", "Basys"]) == 2
    assert "board 'Basys' is not known; the known boards are Pynq-Z1," in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--board", "Pynq-Z2"], "deploying to Pynq-Z2 needs its address; run it with HOST=user@board"),
        (["--host", "xilinx@pynq", "--port", "65536"], "PORT=65536 is not a port of ssh, 1..65535"),
        (["--host", "xilinx@pynq", "--port", "\u00b2"], "PORT=\u00b2 is not a port of ssh, 1..65535"),
        (["--host", "xilinx@pynq", "--port", "9" * 5000], "PORT=9999"),
        (["--board", "ULX3S-85F", "--host", "xilinx@pynq"], "ULX3S-85F is programmed by USB from this machine"),
    ],
)
def test_where_to_deploy_is_checked_before_anything_is_packed(
    tmp_path: Path, options: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["deploy", str(tmp_path), *options]) == 2
    assert capsys.readouterr().err.startswith(f"error: {sentence}")


@pytest.mark.parametrize("option", ["--shell-flow=pcie", "--impl=chisel", "--frequency=100"])
def test_options_that_are_not_there_are_refused(
    tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bitstream", str(tmp_path), option])
    assert ended.value.code == 2
    assert option.split("=")[0] in capsys.readouterr().err


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert all(command in said for command in COMMANDS)
    assert sys.argv[0] not in said
