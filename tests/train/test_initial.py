"""A training that starts from a finished run: its first weights, its record, and what is rejected."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from sca_train.__main__ import main
from sca_train.data import load_dataset
from sca_train.errors import TrainError
from sca_train.finished_run import digest_of_run, digest_of_runs
from sca_train.initial import initial_network
from sca_train.models import model_layers
from sca_train.network import to_input
from sca_train.precision import quant_modules
from sca_train.pruning.compact import COMPACT_FILE, compact, load_compact, save_compact
from sca_train.sweep.sweep import Trial, is_finished
from sca_train.train import METRICS_FILE, train
from tests.train.conftest import make_network, small

CPU = torch.device("cpu")
DIGITS = tuple("0123456789")
DENSE = {"ratio": 0.0, "finetune": 0}


@pytest.fixture(scope="module")
def dense_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "dense"
    train(small(**DENSE, epochs=2), run)
    return run


def test_first_network_is_that_of_the_finished_run(dense_run: Path, tmp_path: Path) -> None:
    config = small(**DENSE, init=str(dense_run))
    dataset = load_dataset(config)
    network, digest = initial_network(config, tmp_path, dataset)
    assert digest == digest_of_run("init", dense_run)
    x = to_input(torch.from_numpy(dataset.test_images[:40]), CPU)
    _, finished = load_compact(dense_run)
    assert torch.equal(network.eval()(x), finished(x))
    fresh, digest = initial_network(small(**DENSE), tmp_path, dataset)
    assert digest == ""
    assert not torch.equal(fresh.eval()(x), finished(x))


@pytest.fixture(scope="module")
def other_run(dense_run: Path) -> Path:
    run = dense_run.with_name("other")
    train(small(**DENSE, epochs=1, lr=0.02, init=str(dense_run), seed=5), run)
    return run


def test_several_runs_give_the_mean_of_their_weights(dense_run: Path, other_run: Path, tmp_path: Path) -> None:
    both = f"{dense_run}, {other_run}"
    metrics = train(small(**DENSE, epochs=0, init=both), tmp_path / "mean")
    assert metrics is not None and metrics["init"] == digest_of_runs("init", both)
    assert metrics["init"] not in (digest_of_run("init", dense_run), digest_of_runs("init", f"{other_run},{dense_run}"))
    first, second, mean = (load_compact(run)[1].state_dict() for run in (dense_run, other_run, tmp_path / "mean"))
    floats = [key for key, value in mean.items() if value.is_floating_point()]
    assert any(not torch.equal(first[key], second[key]) for key in floats if "running_mean" in key)
    for key in floats:
        expected = (first[key].double() + second[key].double()) / 2
        assert torch.equal(mean[key], expected.to(mean[key].dtype)), key


def test_without_an_epoch_the_network_stays_what_it_was(dense_run: Path, tmp_path: Path) -> None:
    train(small(**DENSE, epochs=0, init=str(dense_run)), tmp_path / "same")
    ours, theirs = (load_compact(run)[1].state_dict() for run in (tmp_path / "same", dense_run))
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_a_network_without_epochs_says_nothing_of_how_long_to_train(
    dense_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same = tmp_path / "same"
    train(small(**DENSE, epochs=0, init=str(dense_run)), same)
    capsys.readouterr()
    assert main(["--init", str(same), "--run", str(tmp_path / "on")]) == 2
    assert "was made without an epoch of training, so it does not say how many" in capsys.readouterr().err
    assert main(["--init", str(same), "--run", str(tmp_path / "on"), "--epochs", "1", "--train-images", "64"]) == 0
    assert json.loads((tmp_path / "on" / METRICS_FILE).read_text())["init"] == digest_of_run("init", same)


def test_runs_of_other_bits_are_not_averaged(dense_run: Path, tmp_path: Path) -> None:
    train(small(**DENSE, epochs=0, weight_bits=8), tmp_path / "wide")
    with pytest.raises(TrainError, match=r"has weights of 8 bits and init [^ ]+ of 4; only runs with the same"):
        train(small(**DENSE, epochs=0, init=f"{dense_run},{tmp_path / 'wide'}"), tmp_path / "mean")


def test_other_bits_of_the_weights_get_scales_of_their_own(dense_run: Path, tmp_path: Path) -> None:
    config = small(**DENSE, init=str(dense_run), weight_bits=2)
    dataset = load_dataset(config)
    network, _ = initial_network(config, tmp_path, dataset)
    _, finished = load_compact(dense_run)
    ours, theirs = ([module.quant_weight() for module in quant_modules(net)][1] for net in (network, finished))
    # A scale of 4 bits would leave most weights of 2 bits at their ends, or zero.
    levels = (ours.value / ours.scale).round()
    assert set(levels.unique().tolist()) <= {-2.0, -1.0, 0.0, 1.0}
    assert 0.2 < float((levels == 0).float().mean()) < 0.6
    assert ours.scale.mean().item() > 1.5 * theirs.scale.mean().item()


def test_a_training_goes_on_from_it_and_says_so(dense_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "on"
    options = {**DENSE, "epochs": 1, "lr": 1e-5}
    metrics = train(small(**options, init=str(dense_run)), run)
    first = json.loads((dense_run / METRICS_FILE).read_text())
    assert metrics is not None and metrics["init"] == digest_of_run("init", dense_run)
    assert first["init"] == ""
    assert abs(metrics["accuracy"] - first["accuracy"]) < 0.1
    # Where its network lay is nobody else's business.
    assert str(dense_run) not in (run / COMPACT_FILE).read_bytes().decode("latin-1")
    # Continuing needs it no longer.
    train(small(**options, init=str(dense_run)), tmp_path / "paused", stop_after=0)
    trial = Trial(small(**options, init=str(dense_run)), run)
    assert is_finished(trial)
    other = tmp_path / "other"
    other.mkdir()
    save_compact(compact(make_network(small(**DENSE))), DIGITS, other / COMPACT_FILE)
    with pytest.raises(TrainError, match="was trained with another init; use another folder, or --restart"):
        is_finished(Trial(small(**options, init=str(other)), run))


def test_pruning_starts_from_the_dense_network(dense_run: Path, tmp_path: Path) -> None:
    metrics = train(small(init=str(dense_run), epochs=2, finetune=1), tmp_path / "half")
    assert metrics is not None
    before, after = metrics["params"]["dense"], metrics["params"]["compact"]
    assert after < 0.6 * before


def test_a_pruned_network_is_trained_on_with_the_channels_it_kept(
    finished_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "on"
    assert main(["--init", str(finished_run), "--run", str(run), "--epochs", "1"]) == 0
    (_, before), (config, after) = load_compact(finished_run), load_compact(run)
    kept = [spec.channels for spec in before.specs]
    assert [spec.channels for spec in after.specs] == kept and config.ratio == 0.0
    wide = sum(spec.channels for spec in model_layers(config))
    metrics = json.loads((run / METRICS_FILE).read_text())
    assert metrics["ratio"] == metrics["history"][0]["sparsity"] == pytest.approx(1 - sum(kept) / wide)
    assert f"has {sum(kept):,} of the {wide:,} hidden channels; so has this network" in capsys.readouterr().out
    assert not torch.equal(before.readout.weight.weight, after.readout.weight.weight)
    # A ratio that is asked for is one of the channels that are left, and the same command continues what was stopped.
    again = ["--init", str(finished_run), "--run", str(tmp_path / "less"), "--ratio", "0.3", "--epochs", "2"]
    for stop in (["--stop-after", "1"], []):
        assert main([*again, "--finetune", "1", *stop]) == 0
    less = sum(spec.channels for spec in load_compact(tmp_path / "less")[1].specs)
    assert less == sum(kept) - round(0.3 * sum(kept))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ["--model", "cnn", "--stages", "4 P 9 P 9"],
            "has other layers than the network to train: conv1 has 16 channels, not 4",
        ),
        (["--model", "mlp", "--ratio", "0"], "has other layers than the network to train: 3, not 1"),
        (["--image-size", "16"], "takes images of 8x8 pixels and 1 channel, and digits has images of 16x16"),
        (["--init", "nothing"], "init nothing cannot be read (No such file or directory: nothing/compact.safetensors)"),
    ],
)
def test_networks_that_do_not_fit_are_rejected(
    options: list[str], sentence: str, finished_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    given = ["--image-size", "8", "--train-images", "100", "--init", str(finished_run), "--run", str(run)]
    assert main([*given, *options]) == 2
    error = capsys.readouterr().err.strip()
    assert sentence in error
    assert len(error.splitlines()) == 1
    assert not run.exists()


def test_a_damaged_network_is_one_sentence(dense_run: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    shutil.copytree(dense_run, cut)
    content = (cut / COMPACT_FILE).read_bytes()
    (cut / COMPACT_FILE).write_bytes(content[: len(content) // 2])
    config = small(**DENSE, init=str(cut))
    dataset = load_dataset(config)
    with pytest.raises(TrainError, match="is not a whole safetensors file"):
        initial_network(config, tmp_path, dataset)
    assert np.array_equal(dataset.test_images, load_dataset(config).test_images)
