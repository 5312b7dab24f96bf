"""A finished network whose logits a training follows beside the labels (option ``teacher``)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sca_train.class_names import class_names
from sca_train.config import TrainConfig
from sca_train.data import Dataset
from sca_train.device import use_kernels
from sca_train.errors import TrainError
from sca_train.network import Network
from sca_train.pruning.compact import COMPACT_FILE, load_compact


@dataclass(frozen=True)
class Teacher:
    """The compact network of a finished run in evaluation mode, and the SHA-256 of its file."""

    network: Network
    digest: str


def load_teacher(config: TrainConfig, run: Path, dataset: Dataset, device: torch.device) -> Teacher | None:
    """The configured teacher; None where there is none.

    Raises TrainError when it is missing or damaged, when it is the run itself, and when it takes other images or knows
    other classes than those of the data set.
    """
    if not config.teacher:
        return None
    folder = Path(config.teacher)
    if folder.resolve() == run.resolve():
        raise TrainError(f"teacher {folder} is the folder of this training itself; give another run")
    digest = teacher_digest(folder)
    _, network = load_compact(folder)
    _check_input(folder, network, config, dataset)
    _check_classes(folder, class_names(folder), config, dataset)
    network.to(device).use_kernels(use_kernels(config, device))
    # Evaluated once instead of in every step, if it was trained like that.
    network.use_rates(network.config.rate_epochs > 0)
    return Teacher(network, digest)


def teacher_digest(folder: Path) -> str:
    """SHA-256 of a teacher's compact network; TrainError when there is none to read."""
    try:
        with (folder / COMPACT_FILE).open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise TrainError(
            f"teacher {folder} cannot be read ({error.strerror}: {error.filename}); "
            f"give the folder of a finished run, or one of zoo/, that holds {COMPACT_FILE}"
        ) from None


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


@torch.no_grad()
def teacher_logits(teacher: Teacher, x: Tensor) -> Tensor:
    """What the teacher says [N, classes] of the input of a training step, in the student's order of classes."""
    logits: Tensor = teacher.network(x)
    return logits


def _check_input(folder: Path, network: Network, config: TrainConfig, dataset: Dataset) -> None:
    frames = dataset.train_images.shape[1] if dataset.train_images.ndim == 5 else 0
    takes = _described(network.input_shape, 0 if network.static_input else network.config.timesteps)
    has = _described(dataset.input_shape, frames)
    if takes != has:
        raise TrainError(f"teacher {folder} takes {takes}, and {config.dataset} has {has}; a teacher takes the same")


def _described(shape: tuple[int, int, int], frames: int) -> str:
    height, width, channels = shape
    size = f"{height}x{width} pixels and {channels} channel{'' if channels == 1 else 's'}"
    return f"{frames} event frames of {size}" if frames else f"images of {size}"


def _check_classes(folder: Path, known: tuple[str, ...], config: TrainConfig, dataset: Dataset) -> None:
    classes = dataset.classes
    if len(known) != len(classes):
        raise TrainError(
            f"teacher {folder} knows {len(known)} classes, and {config.dataset} has {len(classes)}; "
            "a teacher knows the same"
        )
    for number, (theirs, ours) in enumerate(zip(known, classes, strict=True)):
        if theirs != ours:
            raise TrainError(
                f"class {number} is {theirs!r} to teacher {folder}, and {ours!r} in {config.dataset}; "
                "a teacher knows the same classes in the same order"
            )
