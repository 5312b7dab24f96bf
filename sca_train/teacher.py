"""Finished networks whose logits a training follows beside the labels (options ``teacher``, ``teacher_flip``)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sca_train.config import TrainConfig
from sca_train.data import Dataset
from sca_train.device import use_fused, use_kernels
from sca_train.errors import TrainError
from sca_train.finished_run import FinishedRun, joint_digest, open_finished
from sca_train.pruning.compact import COMPACT_FILE
from sca_train.shipped import run_folders


@dataclass(frozen=True)
class Teacher:
    """One network or several, which speak as one; ``mirrored``: of an image's mirror image too."""

    runs: tuple[FinishedRun, ...]
    mirrored: bool

    @property
    def digest(self) -> str:
        """What tells this teacher from others: the digest of its run, or of those of all its runs in order."""
        return joint_digest([run.digest for run in self.runs])

    @torch.no_grad()
    def logits(self, x: Tensor) -> Tensor:
        """What the teacher says [N, classes] of the input of a training step, in the student's order of classes.

        The mean over its networks and, if ``mirrored``, over the images and their mirror images.
        """
        views = (x, x.flip(-1)) if self.mirrored else (x,)
        return torch.stack([run.network(view) for run in self.runs for view in views]).mean(0)


def load_teacher(config: TrainConfig, run: Path, dataset: Dataset, device: torch.device) -> Teacher | None:
    """The configured teacher, None where there is none; errors as ``open_finished``."""
    runs = tuple(open_finished("teacher", folder, config, run, dataset) for folder in run_folders(config.teacher))
    for finished in runs:
        network = finished.network
        network.to(device).use_kernels(use_kernels(config, device))
        # Evaluated once instead of in every step, if it was trained like that.
        network.use_rates(network.config.rate_epochs > 0)
        network.fuse(use_fused(config, device))
    return Teacher(runs, config.teacher_flip) if runs else None


def check_same_teacher(saved: dict[str, Any], teacher: Teacher | None, config: TrainConfig) -> None:
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
