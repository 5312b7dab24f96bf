"""Checks of the options that say how a network is trained: optimizer, schedule, loss and augmentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sca_train.errors import TrainError

if TYPE_CHECKING:
    from sca_train.config import TrainConfig

LATE = "LateIF"
"""The neuron that fires after the last step, as often as IF would at a constant current of the same sum."""
NEURONS = ("IF", "LIF", LATE)

SCHEDULES = ("cosine", "linear", "one-cycle")
BORDERS = ("black", "reflect")
MIRRORS = ("flip", "roll")
"""Kinds of augmentation that mirror images."""
_MOVES = ("shift", "flip")
"""Kinds that uncover a border."""

USUAL = {
    "digits": "shift",
    "events-digits": "shift",
    "cifar10": "flip",
    "cifar100": "flip",
    "tiny-imagenet": "flip",
    "folder": "flip",
    "cifar10-dvs": "roll",
    "arrays": "none",
    "event-arrays": "none",
}
"""What ``augment = "auto"`` means for each data set. Digits, as images or as events, are never mirrored: a mirrored
digit is no digit."""

FIRST_INITS = ("random", "whitening")
SCALE_INITS = ("max", "std")
SCALE_UPDATES = ("learned", "std")


def augmentation_for(config: TrainConfig) -> str:
    """The kind of augmentation that a configuration asks for, ``auto`` resolved by its data set."""
    return USUAL[config.dataset] if config.augment == "auto" else config.augment


def check_recipe(config: TrainConfig) -> None:
    """Raise TrainError, one sentence, for the first option of the recipe that no training could use."""
    if config.schedule not in SCHEDULES:
        raise TrainError(f"unknown schedule {config.schedule!r}; valid are {', '.join(SCHEDULES)}")
    if config.first_init not in FIRST_INITS:
        raise TrainError(f"unknown first_init {config.first_init!r}; valid are {', '.join(FIRST_INITS)}")
    if config.scale_init not in SCALE_INITS:
        raise TrainError(f"unknown scale_init {config.scale_init!r}; valid are {', '.join(SCALE_INITS)}")
    if config.scale_update not in SCALE_UPDATES:
        raise TrainError(f"unknown scale_update {config.scale_update!r}; valid are {', '.join(SCALE_UPDATES)}")
    for option in ("teacher", "init"):
        given = getattr(config, option)
        if given and not all(name.strip() for name in given.split(",")):
            raise TrainError(f"{option} {given!r} has an empty name; give folders, separated by single commas")
    if config.teacher and config.distill == 0.0:
        raise TrainError(f"distill is 0, which leaves teacher {config.teacher} no part; give more, or no teacher")
    if config.schedule == "one-cycle" and config.warm_up == 0.0:
        raise TrainError("warm_up is 0; one-cycle rises before it falls and takes more than 0, such as 0.3")
    _check_augmentation(config)


def check_first_init(config: TrainConfig, events: bool) -> None:
    """Raise TrainError, one sentence, where there are no image patches to take components of."""
    if config.first_init != "whitening":
        return
    if config.model == "mlp":
        raise TrainError("first_init is whitening, but mlp has no convolution that reads the image; use random")
    if events:
        raise TrainError(f"first_init is whitening, but {config.dataset} has event frames, not images; use random")


def check_rates(config: TrainConfig, events: bool) -> None:
    """Raise TrainError, one sentence, where no rate-equivalent network is trained although it is asked for."""
    late = config.neuron == LATE
    if late and config.reset != "soft":
        raise TrainError(
            f"{LATE} neurons keep what is above their last threshold, so reset must be soft; use --reset soft"
        )
    if config.rate_epochs > config.epochs:
        raise TrainError(
            f"rate_epochs is {config.rate_epochs}; it must be from 0 to the {config.epochs} epochs of the run"
        )
    if config.rate_epochs == 0:
        return
    if not late and (config.neuron != "IF" or config.reset != "soft"):
        raise TrainError(
            f"rate_epochs is {config.rate_epochs}, but only IF neurons with soft reset spike at a rate that follows "
            f"from their current, not {config.neuron} with {config.reset} reset; use --neuron IF --reset soft, or "
            "--rate-epochs 0"
        )
    if events:
        raise TrainError(
            f"rate_epochs is {config.rate_epochs}, but the input of {config.dataset} changes from step to step, so "
            "that its networks train step by step; use --rate-epochs 0"
        )


def _check_augmentation(config: TrainConfig) -> None:
    kind = augmentation_for(config)
    if config.alternating_flip and kind not in MIRRORS:
        raise TrainError(f"alternating_flip mirrors images, and augment {kind} does not; use flip, or leave it off")
    if config.teacher_flip and kind not in MIRRORS:
        raise TrainError(f"teacher_flip mirrors images, and augment {kind} does not; use flip, or leave it off")
    if config.border not in BORDERS:
        raise TrainError(f"unknown border {config.border!r}; valid are {', '.join(BORDERS)}")
    if config.border == "reflect" and kind not in _MOVES:
        raise TrainError(
            f"border is reflect, but augment {kind} uncovers no border; use shift or flip, or border black"
        )
    if config.cutout >= config.image_size:
        raise TrainError(f"cutout is {config.cutout}; it must be less than image_size {config.image_size}")
