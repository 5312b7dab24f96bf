"""A finished network whose logits a training follows beside the labels (option ``teacher``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sca_train.config import TrainConfig
from sca_train.data import Dataset
from sca_train.device import use_fused, use_kernels
from sca_train.errors import TrainError
from sca_train.finished_run import FinishedRun, open_finished
from sca_train.pruning.compact import COMPACT_FILE
from sca_train.shipped import kept_folder


def load_teacher(config: TrainConfig, run: Path, dataset: Dataset, device: torch.device) -> FinishedRun | None:
    """The configured teacher, None where there is none; errors as ``open_finished``."""
    if not config.teacher:
        return None
    teacher = open_finished("teacher", kept_folder(Path(config.teacher)), config, run, dataset)
    teacher.network.to(device).use_kernels(use_kernels(config, device))
    # Evaluated once instead of in every step, if it was trained like that.
    teacher.network.use_rates(teacher.network.config.rate_epochs > 0)
    teacher.network.fuse(use_fused(config, device))
    return teacher


def check_same_teacher(saved: dict[str, Any], teacher: FinishedRun | None, config: TrainConfig) -> None:
    """Raise TrainError when a checkpoint was trained with another teacher than that of the continued training."""
    before, now = saved["teacher"], teacher.digest if teacher else ""
    if before == now:
        return
    if not before:
        sentence = f"the checkpoint was trained without a teacher, and {config.teacher} is given"
    elif not now:
        sentence = "the checkpoint was trained with a teacher, and none is given"
    else:
        sentence = f"the checkpoint was trained with another teacher than {config.teacher} (its {COMPACT_FILE} differs)"
    raise TrainError(f"{sentence}; use the same one, another run folder, or --restart to train anew")


@torch.no_grad()
def teacher_logits(teacher: FinishedRun, x: Tensor) -> Tensor:
    """What the teacher says [N, classes] of the input of a training step, in the student's order of classes."""
    logits: Tensor = teacher.network(x)
    return logits
