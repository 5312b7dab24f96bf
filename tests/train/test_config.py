"""Options: presets, overrides, and the sentence each wrong value gets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fpga.boards import BOARDS
from sca_train.__main__ import configured, main
from sca_train.config import DATASETS, MODELS, TrainConfig, config_to_toml
from sca_train.configured import apply_overrides, load_config
from sca_train.errors import TrainError

BOARD_NAMES = [board.name for board in BOARDS]
CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("preset", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.name)
def test_presets_are_valid_and_survive_a_round_trip(preset: Path, tmp_path: Path) -> None:
    config = load_config(preset)
    copy = tmp_path / "config.toml"
    copy.write_text(config_to_toml(config))
    assert load_config(copy) == config


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model": "resnet"}, f"unknown model 'resnet'; valid are {', '.join(MODELS)}"),
        ({"dataset": "mnist"}, f"unknown dataset 'mnist'; valid are {', '.join(DATASETS)}"),
        ({"ratio": 1.0}, "ratio is 1.0; it must be at least 0 and less than 1"),
        ({"ratio": -0.1}, "ratio is -0.1; it must be at least 0 and less than 1"),
        ({"timesteps": 0}, "timesteps is 0; it must be from 1 to 32"),
        ({"timesteps": 33}, "timesteps is 33; it must be from 1 to 32"),
        ({"weight_bits": 3}, "weight_bits is 3; the quantizers know 2, 4 and 8 bits"),
        ({"tau": 3.0}, "tau is 3.0; it must be a power of two from 2 to 256"),
        ({"neuron": "PLIF"}, "unknown neuron 'PLIF'; valid are IF, LIF, LateIF"),
        ({"finetune": 41}, "finetune is 41; it must be from 0 to the 40 epochs of the run"),
        ({"image_size": 12}, "image_size is 12; mini takes multiples of 8 from 8 to 512"),
        ({"model": "vgg16"}, "image_size is 16; vgg16 takes multiples of 32 from 32 to 512"),
        ({"structure": "grow"}, "unknown structure 'grow'; valid are prune-regrow, prune-only, random"),
        ({"score": "sum"}, "unknown score 'sum'; valid are membrane, spikes, gamma, weight-l1"),
        ({"score_map": "max"}, "unknown score_map 'max'; valid are sum, mean, relative"),
        ({"rate_l1": -1.0}, "rate_l1 is -1.0; it must be from 0 to 1000"),
        ({"update_every": 0}, "update_every is 0; it must be from 1 to 1000000"),
        ({"regrow_fraction": 1.0}, "regrow_fraction is 1.0; it must be at least 0 and less than 1"),
        ({"min_channel_fraction": 1.5}, "min_channel_fraction is 1.5; it must be from 0 to 1"),
        ({"budget": "Zedboard"}, f"board 'Zedboard' is not known; the known boards are {', '.join(BOARD_NAMES)}"),
        ({"epochs": "ten"}, "epochs must be of type int, not 'ten'"),
        ({"hidden": []}, "hidden names 0 widths; it must name 1 to 64"),
    ],
)
def test_wrong_values_are_told_in_one_sentence(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(TrainError) as caught:
        apply_overrides(TrainConfig(), changes, "test")
    assert str(caught.value) == sentence


def test_unknown_option_and_missing_file(tmp_path: Path) -> None:
    preset = tmp_path / "odd.toml"
    with pytest.raises(TrainError, match="there is no configuration file"):
        load_config(preset)
    preset.write_text("sparsity = 0.5\n")
    with pytest.raises(TrainError, match="names the unknown option 'sparsity'; options are name, model"):
        load_config(preset)
    preset.write_text("ratio = ")
    with pytest.raises(TrainError, match="cannot be read"):
        load_config(preset)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--model", "lenet"], "unknown model 'lenet'"),
        (["--ratio", "1.5"], "ratio is 1.5"),
        (["--ratio", "0.99"], "each layer keeps at least one"),
        (["--budget", "Zedboard"], "board 'Zedboard' is not known"),
        (["--budget", "Pynq-Z2", "--ratio", "0.5"], "--ratio and --budget are both given"),
        (["--dataset", "folder"], "needs --data"),
        (["--dataset", "folder", "--data", "/nowhere"], "there is no data at /nowhere"),
        (["--dataset", "cifar10", "--data", "/nowhere"], "no CIFAR-10 in /nowhere"),
        (["--config", "configs/none.toml"], "there is no configuration file"),
    ],
)
def test_command_line_exits_with_two_and_writes_nothing(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main([*arguments, "--run", str(run)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert sentence in error
    assert error.count("\n") == 1
    assert not run.exists()


def test_ratio_and_budget_replace_each_other(tmp_path: Path) -> None:
    preset = tmp_path / "preset.toml"
    preset.write_text('budget = "Pynq-Z2"\n')
    assert configured(preset, {}).budget == "Pynq-Z2"
    assert configured(preset, {"ratio": 0.25}).budget == ""
    assert configured(None, {"budget": "KV260"}).budget == "KV260"


@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_a_preset(model: str) -> None:
    assert load_config(CONFIGS / f"{model}.toml").model == model


def test_interrupt_keeps_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sca_train.train.train_epoch", interrupted)
    assert main(["--run", str(tmp_path / "run"), "--train-images", "100"]) == 130
    assert "same command continues" in capsys.readouterr().err


def test_training_imports_no_later_stage() -> None:
    """Of fpga/ only the boards, which are data and import nothing."""
    code = (
        "import sys, sca_train.train, sca_train.describe, sca_train.__main__\n"
        "late = [name for name in sys.modules if name.split('.')[0] in ('codegen', 'finn', 'fpga', 'hls_templates')]\n"
        "late = [name for name in late if name != 'fpga' and name.split('.')[:2] != ['fpga', 'boards']]\n"
        "assert not late, late\n"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
