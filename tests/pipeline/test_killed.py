"""Stages that are killed: a small sample of what `make bench BENCH=killed` does."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.__main__ import main as bench_main
from bench.command import run_command
from bench.killed import killed
from codegen.errors import CodegenError
from sca_train.errors import TrainError

SAMPLE = 3


def test_stages_that_are_killed_leave_nothing_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert killed(tmp_path, seed=1, kills=SAMPLE, stages=("hls", "export")) == 0
    assert capsys.readouterr().out.endswith(f"killed FAILURES 0 of {SAMPLE}\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["fly"], "unknown bench fly; valid are "),
        (["killed", "--kills", "0"], "'0' is not a whole number of 1 or more"),
        (["random-cores", "--count", "-3"], "'-3' is not a whole number of 1 or more"),
        (["soak", "--first", "-1"], "'-1' is not a whole number of 0 or more"),
        (["soak", "--minutes", "0"], "'0' is not a whole number of 1 or more"),
        (["killed", "--seed", "x"], "invalid int value: 'x'"),
    ],
)
def test_wrong_options_of_a_bench_are_one_sentence(capsys, monkeypatch, arguments: list[str], sentence: str) -> None:
    monkeypatch.setattr("sys.argv", ["bench", *arguments])
    with pytest.raises(SystemExit) as stop:
        bench_main()
    assert stop.value.code == 2
    told = capsys.readouterr().err
    assert sentence in told and told.startswith("error: ") and told.count("\n") == 1


@pytest.mark.parametrize("error", [TrainError("no data"), CodegenError("no data"), OSError(28, "no room", "x")])
def test_errors_of_a_bench_are_one_sentence(capsys, error: Exception) -> None:
    def fails() -> None:
        raise error

    assert run_command(fails) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ") and told.count("\n") == 1
