"""The recipe: schedules, optimizer and loss, and the sentence each wrong value gets."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sca_train.config import TrainConfig, config_to_toml
from sca_train.configured import apply_overrides, load_config
from sca_train.errors import TrainError
from sca_train.loss import hits, loss_sum
from sca_train.optimizer import learning_rate, make_optimizer, phases, share_of_peak
from sca_train.recipe import SCHEDULES
from tests.train.conftest import make_network, small

EVERYTHING: dict[str, object] = {
    "optimizer": "sgd",
    "momentum": 0.85,
    "nesterov": False,
    "lr": 0.1,
    "finetune_lr": 0.25,
    "schedule": "one-cycle",
    "warm_up": 0.3,
    "label_smoothing": 0.1,
    "ratio_ramp": 0.75,
    "teacher": "runs/dense",
    "distill": 0.7,
    "distill_temperature": 2.0,
    "teacher_flip": True,
    "ema": 0.999,
    "float_fraction": 0.3,
    "first_init": "whitening",
    "norm_init": 0.5,
    "scale_init": "std",
    "scale_update": "std",
    "augment": "flip",
    "alternating_flip": True,
    "border": "reflect",
    "cutout": 4,
    "cutmix": 0.5,
}


def test_options_survive_a_round_trip(tmp_path: Path) -> None:
    config = apply_overrides(TrainConfig(), EVERYTHING, "test")
    assert all(getattr(config, key) == value for key, value in EVERYTHING.items())
    (tmp_path / "config.toml").write_text(config_to_toml(config))
    assert load_config(tmp_path / "config.toml") == config


@pytest.mark.parametrize(
    "key", ["lr", "finetune_lr", "momentum", "warm_up", "distill", "distill_temperature", "ema", "ratio_ramp"]
)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_rejected(key: str, value: float) -> None:
    with pytest.raises(TrainError) as caught:
        apply_overrides(TrainConfig(), {key: value}, "test")
    assert str(caught.value) == f"{key} is {value}; it must be a finite number"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"schedule": "step"}, "unknown schedule 'step'; valid are cosine, linear, one-cycle"),
        ({"lr": 0.0}, "lr is 0.0; it must be more than 0 and at most 1000"),
        ({"finetune_lr": 0.0}, "finetune_lr is 0.0; it must be more than 0 and at most 1000"),
        ({"momentum": 1.0}, "momentum is 1.0; it must be at least 0 and less than 1"),
        ({"momentum": -0.1}, "momentum is -0.1; it must be at least 0 and less than 1"),
        ({"warm_up": 1.0}, "warm_up is 1.0; it must be at least 0 and less than 1"),
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0; it must be at least 0 and less than 1"),
        ({"float_fraction": 1.0}, "float_fraction is 1.0; it must be at least 0 and less than 1"),
        ({"float_fraction": -0.5}, "float_fraction is -0.5; it must be at least 0 and less than 1"),
        ({"distill": 1.5}, "distill is 1.5; it must be from 0 to 1"),
        ({"distill": -0.5}, "distill is -0.5; it must be from 0 to 1"),
        ({"distill_temperature": 0.0}, "distill_temperature is 0.0; it must be from 1e-06 to 1e+06"),
        (
            {"teacher": "runs/dense", "distill": 0.0},
            "distill is 0, which leaves teacher runs/dense no part; give more, or no teacher",
        ),
        ({"ratio_ramp": 1.5}, "ratio_ramp is 1.5; it must be from 0 to 1"),
        ({"ratio_ramp": -0.1}, "ratio_ramp is -0.1; it must be from 0 to 1"),
        (
            {"ratio_ramp": 0.5, "epochs": 4, "finetune": 4},
            "ratio_ramp is 0.5, but there are no epochs of search in which the ratio could rise; "
            "use a finetune below epochs, or ratio_ramp 0",
        ),
        ({"ema": 1.0}, "ema is 1.0; it must be at least 0 and less than 1"),
        ({"ema": -0.1}, "ema is -0.1; it must be at least 0 and less than 1"),
        ({"first_init": "pca"}, "unknown first_init 'pca'; valid are random, whitening"),
        (
            {"first_init": "whitening", "model": "mlp"},
            "first_init is whitening, but mlp has no convolution that reads the image; use random",
        ),
        (
            {"first_init": "whitening", "dataset": "events-digits", "model": "dvs", "image_size": 32},
            "first_init is whitening, but events-digits has event frames, not images; use random",
        ),
        ({"norm_init": 0.0}, "norm_init is 0.0; it must be from 1e-06 to 1e+06"),
        ({"scale_init": "mean"}, "unknown scale_init 'mean'; valid are max, std"),
        ({"scale_update": "max"}, "unknown scale_update 'max'; valid are learned, std"),
        ({"border": "white"}, "unknown border 'white'; valid are black, reflect"),
        (
            {"border": "reflect", "augment": "roll"},
            "border is reflect, but augment roll uncovers no border; use shift or flip, or border black",
        ),
        (
            {"alternating_flip": True},
            "alternating_flip mirrors images, and augment shift does not; use flip, or leave it off",
        ),
        ({"init": "a, "}, "init 'a, ' has an empty name; give folders, separated by single commas"),
        ({"teacher": "a,,b"}, "teacher 'a,,b' has an empty name; give folders, separated by single commas"),
        (
            {"teacher_flip": True, "augment": "shift"},
            "teacher_flip mirrors images, and augment shift does not; use flip, or leave it off",
        ),
        ({"cutout": 16}, "cutout is 16; it must be less than image_size 16"),
        ({"cutmix": 1.5}, "cutmix is 1.5; it must be from 0 to 1"),
        ({"cutout": -1}, "cutout is -1; it must be from 0 to 512"),
        (
            {"schedule": "one-cycle", "warm_up": 0.0},
            "warm_up is 0; one-cycle rises before it falls and takes more than 0, such as 0.3",
        ),
    ],
)
def test_wrong_values_are_told_in_one_sentence(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(TrainError) as caught:
        apply_overrides(TrainConfig(), changes, "test")
    assert str(caught.value) == sentence


def test_phases_cover_the_epochs_once() -> None:
    config = small(epochs=10, finetune=4, lr=0.2, finetune_lr=0.1)
    assert [(phase.first, phase.last, phase.peak) for phase in phases(config)] == [(0, 6, 0.2), (6, 10, 0.2 * 0.1)]
    assert [(phase.first, phase.last, phase.peak) for phase in phases(replace(config, ratio=0.0))] == [(0, 10, 0.2)]
    assert [(phase.first, phase.last) for phase in phases(replace(config, finetune=0))] == [(0, 10)]
    assert [(phase.first, phase.last) for phase in phases(replace(config, finetune=10))] == [(0, 10)]


@settings(deadline=None)
@given(
    schedule=st.sampled_from(SCHEDULES),
    warm_up=st.floats(0.01, 0.9),
    progress=st.lists(st.floats(0.0, 1.0), min_size=2, max_size=8).map(sorted),
)
def test_schedules_rise_once_and_fall_once(schedule: str, warm_up: float, progress: list[float]) -> None:
    shares = [share_of_peak(schedule, warm_up, at) for at in progress]
    assert all(-1e-12 <= share <= 1.0 + 1e-12 for share in shares)
    for (before, low), (after, high) in zip(
        zip(progress, shares, strict=True), zip(progress[1:], shares[1:], strict=True), strict=False
    ):
        if after <= warm_up:
            assert low <= high + 1e-12
        if before >= warm_up:
            assert low >= high - 1e-12
    assert share_of_peak(schedule, warm_up, warm_up) == pytest.approx(1.0)
    assert share_of_peak(schedule, warm_up, 1.0) == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("warm_up", [0.1, 0.3, 0.5])
def test_one_cycle_is_that_of_pytorch(warm_up: float) -> None:
    steps, peak = 120, 0.4
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    # PyTorch counts up to its last step, so that its share of the rise is a little different for the same steps.
    rising = (warm_up * steps + 1) / (steps + 1)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, peak, total_steps=steps + 1, pct_start=rising, cycle_momentum=False
    )
    for step in range(steps):
        ours = peak * share_of_peak("one-cycle", warm_up, step / steps)
        assert ours == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        optimizer.step()
        theirs.step()


def test_every_phase_has_its_own_peak() -> None:
    config = small(epochs=20, finetune=10, schedule="linear", warm_up=0.25, lr=0.4, finetune_lr=0.25)
    rates = [learning_rate(config, epoch, step / 100) for epoch in range(20) for step in range(100)]
    assert max(rates[:1000]) == pytest.approx(0.4)
    assert max(rates[1000:]) == pytest.approx(0.1)
    assert rates[250] == max(rates)
    assert rates[625] == pytest.approx(0.2)


@pytest.mark.parametrize(("momentum", "nesterov", "used"), [(0.9, True, True), (0.9, False, False), (0.0, True, False)])
def test_sgd_takes_momentum_as_configured(momentum: float, nesterov: bool, used: bool) -> None:
    config = small(optimizer="sgd", momentum=momentum, nesterov=nesterov, weight_decay=0.01)
    weights, others = make_optimizer(make_network(config), config).param_groups
    for group, decay in ((weights, 0.01), (others, 0.0)):
        assert (group["momentum"], group["nesterov"], group["weight_decay"]) == (momentum, used, decay)


@settings(deadline=None, max_examples=30)
@given(share=st.floats(0.0, 0.9), classes=st.integers(2, 12), seed=st.integers(0, 100))
def test_label_smoothing_spreads_the_label(share: float, classes: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(5, classes, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, classes, (5,), generator=generator)
    target = torch.nn.functional.one_hot(labels, classes).double() * (1.0 - share) + share / classes
    expected = -(target * logits.log_softmax(1)).sum()
    assert torch.allclose(loss_sum(small(label_smoothing=share), logits, labels), expected)


def test_mixed_labels_cost_as_much_as_their_classes_and_hit_the_larger() -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.0, 3.0, 1.0], [0.5, 0.0, 2.0]])
    first, second, share = torch.tensor([0, 2, 1]), torch.tensor([1, 1, 2]), torch.tensor([0.75, 0.25, 1.0])
    one_hot = torch.nn.functional.one_hot
    mixed = one_hot(first, 3) * share[:, None] + one_hot(second, 3) * (1 - share)[:, None]
    config = small(label_smoothing=0.1)
    expected = sum(
        float(part * loss_sum(config, logits[[at]], labels[[at]]))
        for labels, parts in ((first, share), (second, 1 - share))
        for at, part in enumerate(parts.tolist())
    )
    assert float(loss_sum(config, logits, mixed)) == pytest.approx(expected, rel=1e-6)
    assert int(hits(logits, mixed)) == 2 and int(hits(logits, first)) == 1
