"""A finished run that another training takes its network from: to learn beside it, or to go on with it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sca_train.class_names import class_names
from sca_train.config import TrainConfig
from sca_train.data import Dataset
from sca_train.errors import TrainError
from sca_train.files import check_readable
from sca_train.network import Network
from sca_train.pruning.compact import COMPACT_FILE, load_compact
from sca_train.shipped import run_folders


@dataclass(frozen=True)
class FinishedRun:
    """The compact network of a finished run in evaluation mode, and the SHA-256 of its file.

    ``name``: what a training calls it, such as "teacher runs/wide".
    """

    name: str
    network: Network
    digest: str


def joint_digest(digests: Sequence[str]) -> str:
    """The digest itself of one file, that of all digests in order of several, "" of none."""
    joined = "".join(digests)
    return hashlib.sha256(joined.encode()).hexdigest() if len(digests) > 1 else joined


def digest_of_runs(option: str, given: str) -> str:
    """``joint_digest`` of the runs that the option names; errors as ``digest_of_run``."""
    return joint_digest([digest_of_run(option, folder) for folder in run_folders(given)])


def open_finished(option: str, folder: Path, config: TrainConfig, run: Path, dataset: Dataset) -> FinishedRun:
    """The run of ``folder``, which the option of that name gives to the training in ``run``.

    Raises TrainError when it is missing or damaged, when it is the run itself, and when it takes other images or knows
    other classes than those of the data set.
    """
    name = f"{option} {folder}"
    if folder.resolve() == run.resolve():
        raise TrainError(f"{name} is the folder of this training itself; give another run")
    digest = digest_of_run(option, folder)
    _, network = load_compact(folder)
    finished = FinishedRun(name, network, digest)
    _check_input(finished, config, dataset)
    _check_classes(finished, class_names(folder), config, dataset)
    return finished


def digest_of_run(option: str, folder: Path) -> str:
    """SHA-256 of a run's compact network; TrainError, naming the option, when there is none to read."""
    try:
        check_readable(folder / COMPACT_FILE)
        with (folder / COMPACT_FILE).open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise TrainError(
            f"{option} {folder} cannot be read ({error.strerror}: {error.filename}); "
            f"give the folder of a finished run, or one of zoo/, that holds {COMPACT_FILE}"
        ) from None


def _check_input(finished: FinishedRun, config: TrainConfig, dataset: Dataset) -> None:
    network = finished.network
    frames = dataset.train_images.shape[1] if dataset.train_images.ndim == 5 else 0
    takes = _described(network.input_shape, 0 if network.static_input else network.config.timesteps)
    has = _described(dataset.input_shape, frames)
    if takes != has:
        raise TrainError(f"{finished.name} takes {takes}, and {config.dataset} has {has}; they must be the same")


def _described(shape: tuple[int, int, int], frames: int) -> str:
    height, width, channels = shape
    size = f"{height}x{width} pixels and {channels} channel{'' if channels == 1 else 's'}"
    return f"{frames} event frames of {size}" if frames else f"images of {size}"


def _check_classes(finished: FinishedRun, known: tuple[str, ...], config: TrainConfig, dataset: Dataset) -> None:
    classes = dataset.classes
    if len(known) != len(classes):
        raise TrainError(
            f"{finished.name} knows {len(known)} classes, and {config.dataset} has {len(classes)}; "
            "they must be the same"
        )
    for number, (theirs, ours) in enumerate(zip(known, classes, strict=True)):
        if theirs != ours:
            raise TrainError(
                f"class {number} is {theirs!r} to {finished.name}, and {ours!r} in {config.dataset}; "
                "the classes must be the same, in the same order"
            )
