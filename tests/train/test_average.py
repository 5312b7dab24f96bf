"""The moving average: its recurrence, what it takes from the network as it is, and what is kept of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sca_train.average import Averaging, decay_after, follow_network, prepare_average
from sca_train.checkpoint import TrainState
from sca_train.config import TrainConfig
from sca_train.data import load_dataset
from sca_train.measure.measurement import measure
from sca_train.optimizer import make_optimizer
from sca_train.precision import quant_modules
from sca_train.pruning.compact import load_compact
from sca_train.quantizers import FixedScale
from sca_train.train import CHECKPOINT_FILE, METRICS_FILE, train
from tests.train.conftest import make_network, small
from tests.train.test_train import equal, straight_and_paused, untimed

RECORDS = ("potential", "spike_count", "samples", "gamma_gradient")


@given(ema=st.floats(0.0, 1.0, exclude_max=True), steps=st.integers(0, 10**6))
def test_decay_rises_to_its_value(ema: float, steps: int) -> None:
    assert 0.0 <= decay_after(steps, ema) <= decay_after(steps + 1, ema) <= ema
    assert decay_after(0, ema) <= 0.1
    if steps > 10 / (1.0 - ema):
        assert decay_after(steps, ema) == ema


def average_state(config: TrainConfig) -> TrainState:
    network = make_network(config)
    state = TrainState(network, make_optimizer(network, config))
    prepare_average(state, config)
    return state


@pytest.mark.parametrize("model", ["mini", "resnet20"])
def test_average_is_the_sum_of_the_weighted_steps(model: str) -> None:
    config = small(model=model, width=0.25 if model != "mini" else 1.0, ema=0.3)
    state = average_state(config)
    assert state.average is not None
    averaging = Averaging(state, config)
    expected = {key: value.clone().double() for key, value in state.network.state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    for step in range(6):
        with torch.no_grad():
            for value in state.network.state_dict().values():
                if value.is_floating_point():
                    value.add_(torch.randn(value.shape, generator=generator).to(value.dtype))
        averaging.step()
        decay = min(0.3, (1 + step) / (10 + step))
        for key, value in state.network.state_dict().items():
            expected[key] = decay * expected[key] + (1 - decay) * value.double()
    assert state.averaged_steps == 6
    state.network.layer(state.network.specs[0].name).mask[1:3] = 0.0
    follow_network(state, config)
    found, network = state.average.state_dict(), state.network.state_dict()
    averaged = {key for key, _ in state.network.named_parameters()}
    averaged |= {key for key in network if key.endswith(("running_mean", "running_var"))}
    for key, value in found.items():
        if key in averaged:
            assert torch.allclose(value.double(), expected[key], rtol=1e-5, atol=1e-5), key
            assert not torch.equal(value, network[key])
        else:
            assert torch.equal(value, network[key]), key


def test_scales_follow_the_averaged_weights() -> None:
    config = small(model="resnet20", width=0.25, ema=0.5, scale_update="std")
    state = average_state(config)
    assert state.average is not None
    averaging = Averaging(state, config)
    steps = [module.quant_weight().scale.detach().clone() for module in quant_modules(state.average)]
    with torch.no_grad():
        for module in quant_modules(state.network):
            module.weight.mul_(3.0)
    averaging.step()
    follow_network(state, config)
    for module, step in zip(quant_modules(state.average), steps, strict=True):
        fixed = isinstance(module.weight_quant.tensor_quant.scaling_impl, FixedScale)
        # The first step keeps a tenth of what was there.
        factor = 1.0 if fixed else 0.1 + 0.9 * 3.0
        assert torch.allclose(module.quant_weight().scale, factor * step, rtol=1e-5)


def checkpoints(*runs: Path) -> list[dict[str, Any]]:
    return [torch.load(run / CHECKPOINT_FILE, weights_only=True) for run in runs]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"ratio": 0.0},
        {"finetune": 0},
        {"finetune": 4},
        {"float_fraction": 0.5, "epochs": 5, "scale_update": "std"},
        {"model": "resnet20", "width": 0.25, "float_fraction": 0.5, "update_every": 2},
    ],
    ids=str,
)
def test_resume_is_bit_identical(changes: dict[str, object], tmp_path: Path) -> None:
    config = small(ema=0.9, **changes)
    straight, paused = straight_and_paused(config, tmp_path, range(1, config.epochs))
    metrics = [json.loads((run / METRICS_FILE).read_text()) for run in (straight, paused)]
    assert equal(*map(untimed, metrics))


def test_average_is_measured_and_kept_and_changes_no_training(finished_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    metrics = train(small(ema=0.9), run)
    assert metrics is not None
    with_average, without = checkpoints(run, finished_run)
    assert without["average"] is None
    assert equal(with_average["network"], without["network"])
    assert equal(with_average["scores"], without["scores"])
    assert with_average["averaged_steps"] == 4 * 4
    config, network = load_compact(run)
    kept = network.state_dict()
    assert not torch.equal(kept["readout.weight.weight"], with_average["network"]["readout.weight.weight"])
    for key, value in with_average["average"].items():
        if key.rsplit(".", 1)[-1] not in RECORDS:
            assert torch.equal(kept[key], value), key
    assert [spec.channels for spec in network.specs] == with_average["channels"]
    dataset = load_dataset(config)
    again = measure(network, dataset.test_images, dataset.test_labels, torch.device("cpu"))
    assert again.accuracy == metrics["accuracy"]
    # After each epoch, on the images that small() tests on, the average is measured as well.
    losses = [[entry["loss"] for entry in saved["history"]] for saved in (with_average, without)]
    synops = [[entry["synops"] for entry in saved["history"]] for saved in (with_average, without)]
    assert losses[0] == losses[1]
    assert synops[0] != synops[1]


def test_without_epochs_there_is_no_average(tmp_path: Path) -> None:
    metrics = [train(replace(small(epochs=0, finetune=0), ema=ema), tmp_path / str(ema)) for ema in (0.0, 0.9)]
    assert equal(*map(untimed, metrics))  # type: ignore[arg-type]
