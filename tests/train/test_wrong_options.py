"""Numbers that no training can use, on the command line and in presets, and how argument errors are told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import codegen.cli.main
import fpga.__main__
import sca_train.figures.__main__
import sca_train.sweep.sweep
from sca_train.__main__ import main
from sca_train.command_line import one_line
from sca_train.config import V_INITS, WEIGHT_BITS, TrainConfig, config_fields, config_to_toml
from sca_train.configured import apply_overrides, load_config
from sca_train.errors import TrainError

CHOICES = {"weight_bits": WEIGHT_BITS, "v_init": V_INITS, "tau": (2.0, 4.0, 256.0)}
"""Numbers of which only some are known: they need no bounds."""
NUMBERS = [key for key, entry in config_fields().items() if type(entry.default) in (int, float, tuple)]
FLOATS = [key for key, entry in config_fields().items() if type(entry.default) is float]


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1, said
    return said


def test_every_number_has_bounds() -> None:
    for key in NUMBERS:
        assert (config_fields()[key].metadata["bounds"] is None) == (key in CHOICES), key


@pytest.mark.parametrize("key", NUMBERS)
def test_absurd_numbers_are_refused_on_the_command_line_and_in_a_preset(
    key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preset, run = tmp_path / "preset.toml", tmp_path / "run"
    values = ["-1", "9223372036854775807" if key != "seed" else "9223372036854775808", str(10**30)]
    for value in [*values, *(["nan", "inf", "-inf", "1e300"] if key in FLOATS else [])]:
        assert main([f"--{key.replace('_', '-')}={value}", "--run", str(run)]) == 2
        assert key in error_of(capsys)
        preset.write_text(f"{key} = {f'[{value}]' if key == 'hidden' else value}\n")
        assert main(["--config", str(preset), "--run", str(run)]) == 2
        assert key in error_of(capsys)
    assert not run.exists()


@pytest.mark.parametrize("key", [key for key in NUMBERS if key not in CHOICES])
def test_bounds_themselves_are_taken_unless_they_are_left_out(key: str) -> None:
    bounds = config_fields()[key].metadata["bounds"]
    for value, excluded in ((bounds.least, bounds.above), (bounds.most, bounds.below)):
        if excluded:
            with pytest.raises(TrainError, match=f"{key} is {value}; it must be "):
                bounds.check(key, value)
        else:
            bounds.check(key, value)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--batch-size", "1"], "batch_size is 1; it must be from 2 to 1048576"),
        (["--threads", "1024"], "threads is 1024; this machine has"),
        (["--stop-after", "0"], "stop_after is 0; a training stops after 1 epoch or more"),
        (["--stop-after", "-4"], "stop_after is -4"),
        (["--hidden", "64,x"], "'64,x' lists no whole numbers such as 64,64"),
        (["--hidden", ",".join(["1"] * 65)], "hidden names 65 widths; it must name 1 to 64"),
        (["--model", "cnn", "--stages", "99999999999 P"], "'99999999999' has no meaning there"),
        (["--model", "cnn", "--stages", "8 " * 257], "stages names 257 convolutions; it may name 256"),
        (
            ["--model", "mlp", "--ratio", "0", "--hidden", "65536,65536"],
            "4,312,399,872 weights; at most 1,000,000,000 are trained",
        ),
        (["--data", "\udcff"], "holds control characters or bytes that are no UTF-8"),
        (["--seed", "1.5"], "invalid int value: '1.5'"),
        (["--seed", "9" * 5000], "invalid int value"),
        (["--no-such\noption"], r"unrecognized arguments: --no-such\noption; see `python -m sca_train --help`"),
    ],
)
def test_one_sentence_each(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    try:
        assert main([*arguments, "--run", str(run)]) == 2
    except SystemExit as stop:  # of the parser
        assert stop.code == 2
    assert sentence in error_of(capsys)
    assert not run.exists()


@pytest.mark.parametrize(
    "entry",
    [main, sca_train.sweep.sweep.main, sca_train.figures.__main__.main, fpga.__main__.main, codegen.cli.main.main],
)
def test_argument_errors_are_one_sentence_in_every_program(entry: object, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        entry(["--no-such-option"])  # type: ignore[operator]
    assert stop.value.code == 2
    assert "; see `python -m " in error_of(capsys)


def test_the_parser_comes_without_torch() -> None:
    code = "import sys, sca_train.command_line, sca_train.__main__\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_names_of_any_language_survive_a_round_trip(tmp_path: Path) -> None:
    config = apply_overrides(TrainConfig(), {"name": "katze-猫-\U0001f408", "data": 'a "b" \\ c'}, "test")
    (tmp_path / "config.toml").write_text(config_to_toml(config))
    assert load_config(tmp_path / "config.toml") == config
    assert one_line("猫\n\x1b[31m") == "猫\\n\\x1b[31m"
