"""Checks of the options that say how a network is trained: optimizer, schedule and loss."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sca_train.errors import TrainError

if TYPE_CHECKING:
    from sca_train.config import TrainConfig

SCHEDULES = ("cosine", "linear", "one-cycle")
_BELOW_ONE = ("momentum", "warm_up", "label_smoothing")


def check_finite(options: Mapping[str, Any]) -> None:
    """Raise TrainError for a number that is none, or is infinite."""
    for key, value in options.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise TrainError(f"{key} is {value}; it must be a finite number")


def check_recipe(config: TrainConfig) -> None:
    """Raise TrainError, one sentence, for the first option of the recipe that no training could use."""
    if config.schedule not in SCHEDULES:
        raise TrainError(f"unknown schedule {config.schedule!r}; valid are {', '.join(SCHEDULES)}")
    for key in ("lr", "finetune_lr"):
        if getattr(config, key) <= 0.0:
            raise TrainError(f"{key} is {getattr(config, key)}; it must be positive")
    for key in _BELOW_ONE:
        if not 0.0 <= getattr(config, key) < 1.0:
            raise TrainError(f"{key} is {getattr(config, key)}; it must be at least 0 and less than 1")
    if config.schedule == "one-cycle" and config.warm_up == 0.0:
        raise TrainError("warm_up is 0; one-cycle rises before it falls and takes more than 0, such as 0.3")
