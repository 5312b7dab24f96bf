"""Variables of the Makefile reach the program as they were given, whatever characters they hold."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ODD = ["plain", "two words", "it's", 'a "quote"', "$HOME and $(shell id)", "`id`; id", "-x", "a\\b", "ümläut*"]


@pytest.fixture
def asked(tmp_path: Path):
    """Call make with a python that writes its arguments down; returns them for the one command that ran."""
    program = tmp_path / "bin" / "python"
    program.parent.mkdir()
    record = tmp_path / "arguments"
    program.write_text(f"#!/bin/sh\nprintf '%s\\0' \"$@\" > '{record}'\n")
    program.chmod(0o755)
    (tmp_path / ".installed").touch()

    def ask(*arguments: str, environment: dict[str, str] | None = None) -> list[str]:
        record.unlink(missing_ok=True)
        done = subprocess.run(
            ["make", "-s", f"VENV={tmp_path}", *arguments],
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return record.read_text().split("\0")[:-1]

    return ask


@pytest.mark.parametrize("odd", ODD)
def test_odd_names_arrive_whole(asked, odd: str) -> None:
    wanted = ["-m", "spikefold", "classify", f"runs/{odd}", f"--image={odd}", "--backend", "csim"]
    assert asked("classify", f"RUN={odd}", f"IMAGE={odd}", "BACKEND=csim") == wanted
    given = asked("classify", "BACKEND=csim", environment={"RUN": odd, "IMAGE": odd})
    assert given == wanted, "from the environment"
    assert asked("export", f"RUN={odd}", f"DATA={odd}") == ["-m", "spikefold", "export", f"runs/{odd}", "--data", odd]


@pytest.mark.parametrize("command", ["hls", "csim", "rtlsim", "synth", "report", "bitstream", "deploy"])
def test_every_command_takes_the_run(asked, command: str) -> None:
    assert asked(command, "RUN=zoo/it's a run")[:4] == ["-m", "spikefold", command, "runs/zoo/it's a run"]


def test_runs_to_compare_arrive_one_by_one(asked) -> None:
    wanted = ["-m", "spikefold", "compare", "--", "mini", "zoo/cnn-board", "it's", "$HOME", "$(id)"]
    assert asked("compare", "RUNS=mini zoo/cnn-board it's $HOME $(id)") == wanted
    assert asked("compare", "RUN=it's one") == ["-m", "spikefold", "compare", "runs/it's one"]


def test_options_of_stages_have_variables(asked) -> None:
    assert asked("rtlsim", "TOGGLES=4")[-2:] == ["--toggles", "4"]
    assert asked("report", "DATA=x.tar")[-2:] == ["--data", "x.tar"]
    assert asked("hls", "FIFO_DEPTHS=measured")[-2:] == ["--fifo-depths", "measured"]
    assert asked("hls", "EVENT=p99", "GUARANTEED=900")[-4:] == ["--event", "p99", "--guaranteed", "900"]
    assert asked("hls", "EVENT=1", "DATA=x.tar")[-4:] == ["--event", "1", "--data", "x.tar"]
    given = asked("train", "INIT=zoo/x", "TEACHER=runs/y")
    assert given[given.index("--teacher") :][:4] == ["--teacher", "runs/y", "--init", "zoo/x"]


@pytest.mark.parametrize("odd", [*ODD, "two\nlines"])
def test_odd_options_are_one_word_and_run_nothing(asked, odd: str) -> None:
    wanted = odd.replace("\n", " ")
    assert asked("hls", f"BOARD={odd}", f"FOLDING={odd}", f"IMPL={odd}")[4:] == [
        *("--board", wanted, "--impl", wanted, "--folding", wanted)
    ]
    given = asked("train", f"MODEL={odd}", f"TEACHER={odd}", f"RATIO={odd}", "RUN=x")
    assert given == [
        "-m",
        "spikefold",
        "train",
        "--model",
        wanted,
        "--ratio",
        wanted,
        "--teacher",
        wanted,
        *("--run-folder", "runs/x"),
    ]
    assert asked("synth", environment={"BOARD": odd})[4:] == ["--board", wanted]


def test_a_preset_is_taken_for_the_model_of_its_name(asked) -> None:
    assert asked("train", "MODEL=vgg9", "RUN=x")[3:5] == ["--config", "configs/vgg9.toml"]


def test_the_default_run_is_the_models(asked) -> None:
    assert asked("report")[3] == "runs/mini"
    assert asked("report", "MODEL=vgg9")[3] == "runs/vgg9"


def test_the_demo_names_the_kept_network(asked) -> None:
    """The last of its commands; the sub-make gets RUN, DATA and the folding."""
    assert asked("demo-cifar", "BOARD_NETWORK=x") == ["-m", "spikefold", "report", "runs/zoo/x"]
    dry = subprocess.run(
        ["make", "-n", "demo-cifar", "DATA=my data.tar", "CYCLES=9"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "--target-cycles '9'" in dry and "--lut-share" not in dry
    assert dry.count('--data "$DATA_PATH"') == 4, "hls, csim, rtlsim and report"


@pytest.mark.parametrize("command", ["train", "sweep"])
def test_a_kept_network_is_not_trained_over(tmp_path: Path, command: str) -> None:
    (tmp_path / ".installed").touch()
    done = subprocess.run(
        ["make", "-s", command, "RUN=zoo/any", f"VENV={tmp_path}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "error: RUN names a kept network, which needs no training" in done.stderr


def test_a_foreign_network_is_imported_under_its_own_name(asked) -> None:
    given = asked("import", "NIR=a/theirs.nir", "WBITS=4", "RESET=soft", "CALIBRATE=x.npy")
    assert given[:5] == ["-m", "spikefold", "import", "a/theirs.nir", "--run"]
    assert given[5:] == ["runs/theirs", "--weight-bits", "4", "--reset", "soft", "--calibrate", "x.npy"]
    assert asked("import", "ONNX=m.onnx", "RUN=mine")[3:] == ["m.onnx", "--run", "runs/mine"]
    odd = 'my it\'s nets/a "b" c.nir'
    assert asked("import", f"NIR={odd}")[3:] == [odd, "--run", 'runs/a "b" c']
    assert asked("hls", "NIR=a/theirs.nir")[:4] == ["-m", "spikefold", "hls", "runs/theirs"]


def test_training_from_a_run_takes_its_options_where_no_model_is_named(asked) -> None:
    given = asked("train", "INIT=runs/theirs", "RATIO=0.5", "RUN=half")
    assert given == ["-m", "spikefold", "train", "--ratio", "0.5", "--init", "runs/theirs", "--run-folder", "runs/half"]
    assert asked("train", "INIT=runs/theirs")[-1] == "runs/theirs-tuned"
    assert "--config" in asked("train", "INIT=runs/x", "MODEL=mini")
