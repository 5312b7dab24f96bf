"""The command ``spikefold``: the targets of make under one name, each with the arguments of its own program."""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import codegen.cli.main
import fpga.__main__
import sca_train.cli
from codegen.run_folder import RunFolder
from sca_train.telling import commands_of
from spikefold.command import CALLER_VARIABLE, main, parser

ROOT = Path(__file__).parents[2]
ONLY_MAKE = {"help", "install", "demo", "demo-cifar", "test", "lint", "bench", "clean", "docs"}
"""Targets that are about the checkout itself."""


def commands(made: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    (action,) = (action for action in made._actions if isinstance(action, argparse._SubParsersAction))
    return dict(action.choices)


def flags(made: argparse.ArgumentParser) -> set[tuple[str, ...]]:
    return {tuple(action.option_strings) or (action.dest,) for action in made._actions}


def targets() -> dict[str, str]:
    """The targets of the Makefile and their recipes."""
    text = (ROOT / "Makefile").read_text()
    return dict(re.findall(r"^([a-z][a-z-]*):.*## .*\n((?:\t.*\n)*)", text, flags=re.MULTILINE))


def test_every_target_is_a_command() -> None:
    known = set(commands(parser()))
    stages = set(targets()) - ONLY_MAKE
    assert {"train", "export", "hls", "csim", "rtlsim", "synth", "report", "deploy", "doctor"} <= stages
    assert stages <= known
    assert {"simulate", "completion"} <= known


def test_make_calls_the_command() -> None:
    for name, recipe in targets().items():
        if name not in ONLY_MAKE and name != "train":
            assert f"-m spikefold {name}" in recipe, name
    assert "-m spikefold train" in (ROOT / "Makefile").read_text()


def test_commands_take_what_their_own_programs_take() -> None:
    mine = commands(parser())
    for package in (codegen.cli.main, fpga.__main__):
        for name, theirs in commands(package._parser()).items():
            assert flags(mine[name]) == flags(theirs), name
    assert flags(mine["train"]) == flags(sca_train.cli.train_parser())


def test_help_needs_nothing_but_the_standard_library() -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-m", "spikefold", "hls", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "usage: spikefold hls" in done.stdout and "--target-cycles" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["export", "runs/none"], "run folder runs/none does not exist"),
        (["bitstream", "runs/none"], "run folder runs/none does not exist"),
        (["train", "--config", "none"], "there is no configuration file none"),
        (["figures", "none", "--out", "x"], "none"),
        (["csim", "zoo/none"], "there is no kept network zoo/none"),
    ],
)
def test_errors_are_one_sentence(
    arguments: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and sentence in said and said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["nothing"], [], ["hls"], ["completion", "tcsh"]])
def test_wrong_arguments_are_one_sentence(arguments: list[str], capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and "; see `spikefold" in said and said.count("\n") == 1


def test_it_says_its_version(capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert re.fullmatch(r"spikefold \d+\.\d+\.\d+\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("caller", "command"), [("", "spikefold train --run runs/none"), ("make", "make train RUN=none")]
)
def test_sentences_name_the_commands_of_whoever_calls(
    caller: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(CALLER_VARIABLE, caller)
    assert main(["export", "runs/none"]) == 2
    assert f"run `{command}` first" in capsys.readouterr().err
    assert codegen.cli.main.main(["export", "runs/none"]) == 2
    assert "run `make train RUN=none` first" in capsys.readouterr().err, "its own program goes on as ever"


def test_options_of_a_command_are_those_it_takes() -> None:
    made = RunFolder(Path("runs/my run"))
    options = {"BOARD": "ULX3S-85F", "SHELL_FLOW": "uart"}
    assert made.command("bitstream", **options) == "make bitstream RUN='my run' BOARD=ULX3S-85F SHELL_FLOW=uart"
    with commands_of("spikefold"):
        said = made.command("bitstream", **options)
    assert said == "spikefold bitstream 'runs/my run' --board ULX3S-85F --shell-flow uart"
    assert parser().parse_args(shlex.split(said)[1:]).shell_flow == "uart"
