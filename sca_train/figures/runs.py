"""What the figures know of a finished training: its configuration and what metrics.json measured."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pydantic.dataclasses
from pydantic import Field

from sca_train.config import TrainConfig, changed_options, config_to_dict
from sca_train.errors import TrainError
from sca_train.files import COMPACT_FILE
from sca_train.made_again import make_again
from sca_train.measure.metrics_file import Epoch, Reduction, read_metrics
from sca_train.records import RecordError, read_record
from sca_train.run_config import load_run_config
from sca_train.telling import command_for

_COMPARED = ("ratio", "budget", "seed", "structure", "score")
"""Options that figures compare; runs that differ in any other are figures of their own."""


@dataclass(frozen=True)
class RunResult:
    """One finished run.

    ``ratio`` is the one asked for, or the one that a budget came to. Accuracies are shares of 1;
    ``integer_accuracy`` is ONNX Runtime's, None before the export.
    ``scores``: the last score of each channel of the dense network by layer, 0.0 where the channel is removed.
    """

    folder: Path
    config: TrainConfig
    ratio: float
    accuracy: float
    integer_accuracy: float | None
    params: Reduction
    synops: Reduction
    channels: dict[str, tuple[int, int]]
    history: tuple[Epoch, ...]
    scores: dict[str, tuple[float, ...]]

    @property
    def method(self) -> tuple[str, str]:
        """How channels were chosen: structure and score."""
        return self.config.structure, self.config.score


@dataclass(frozen=True)
class Setting:
    """Runs that differ in nothing but what the figures compare; ``title`` names it, ``slug`` is for file names."""

    title: str
    slug: str
    runs: tuple[RunResult, ...]


def find_runs(folders: list[Path]) -> tuple[list[RunResult], list[Path]]:
    """Read the run folders, and the runs in sweep folders; also the trials of sweeps that have no metrics.json.

    Raises TrainError when a folder is neither, or a run's files are damaged.
    """
    found: dict[Path, RunResult] = {}
    unfinished = []
    for folder in folders:
        if (folder / "config.toml").exists():
            found[folder.resolve()] = read_run(folder)
            continue
        trials = sorted(path.parent for path in folder.glob("*/config.toml"))
        if not trials:
            raise TrainError(
                f"{folder} is neither the folder of a run nor of a sweep; make train or make sweep writes one"
            )
        for trial in trials:
            if (trial / "metrics.json").exists():
                found[trial.resolve()] = read_run(trial)
            else:
                unfinished.append(trial)
    if not found:
        raise TrainError(f"no training in {', '.join(map(str, folders))} is finished; there is nothing to draw yet")
    return list(found.values()), unfinished


def read_run(folder: Path) -> RunResult:
    """Read one run.

    Raises TrainError when it is not finished or a file of it is damaged.
    """
    config = load_run_config(folder)
    metrics = read_metrics(folder)
    if metrics.accuracy is None or metrics.params is None or metrics.synops is None:
        raise TrainError(f"{folder} is an imported network that nothing was measured of; figures show trainings")
    exported = folder / "results" / "onnx.json"
    return RunResult(
        folder=folder,
        config=config,
        ratio=metrics.ratio if config.budget else config.ratio,
        accuracy=metrics.accuracy,
        integer_accuracy=_integer_accuracy(exported) if exported.exists() else None,
        params=metrics.params,
        synops=metrics.synops,
        channels=metrics.channels,
        history=metrics.history,
        scores=metrics.scores or {},
    )


@pydantic.dataclasses.dataclass(frozen=True)
class _Exported:
    """Of results/onnx.json what the figures show; None where only shipped images were at hand."""

    accuracy: Annotated[float, Field(ge=0.0, le=1.0)] | None
    compact_sha256: str


def _integer_accuracy(path: Path) -> float | None:
    run = path.parents[1]
    again = f"run `{command_for('export', run, run.name)}` again"
    try:
        exported = read_record(_Exported, path)
    except RecordError as error:
        raise TrainError(f"{error}; {again}") from None
    network = run / COMPACT_FILE
    if not network.exists() or hashlib.sha256(network.read_bytes()).hexdigest() != exported.compact_sha256:
        raise TrainError(f"{path} belongs to another network than {network}; {again}")
    return exported.accuracy


def settings_of(runs: list[RunResult]) -> list[Setting]:
    """Group the runs: those of a setting differ only in ratio, seed and how channels are chosen."""
    groups: list[list[RunResult]] = []
    for run in runs:
        for group in groups:
            if not differing_options(group[0], run):
                if group[0].channels.keys() != run.channels.keys():
                    raise TrainError(
                        f"the metrics.json of {group[0].folder} and {run.folder} have other layers although both were "
                        f"trained with the same options; {make_again(run.folder)}"
                    )
                group.append(run)
                break
        else:
            groups.append([run])
    made: list[Setting] = []
    for group in groups:
        title = f"{architecture(group[0].config)} on {dataset(group[0].config)}"
        alike = [other[0] for other in groups if other is not group and _same_place(other[0], group[0])]
        varied = sorted({key for other in alike for key in differing_options(other, group[0])})
        values = config_to_dict(group[0].config)
        title += "".join(f", {key.replace('_', ' ')} {values[key]}" for key in varied)
        slug = f"{group[0].config.model}-{group[0].config.dataset}"
        taken = [setting.slug for setting in made if setting.slug.startswith(slug)]
        made.append(Setting(title, f"{slug}-{len(taken) + 1}" if taken else slug, tuple(group)))
    return made


def differing_options(left: RunResult, right: RunResult) -> list[str]:
    """Options in which two runs differ beyond what figures compare; the data of folders counts too."""
    differing = changed_options(config_to_dict(left.config), right.config)
    if dataset(left.config) != dataset(right.config):
        differing.append("data")
    return [key for key in differing if key not in _COMPARED]


def _same_place(left: RunResult, right: RunResult) -> bool:
    return left.config.model == right.config.model and dataset(left.config) == dataset(right.config)


def architecture(config: TrainConfig) -> str:
    """The network as a table names it, such as ``VGG9 x0.5``."""
    names = {"mini": "mini", "mlp": "MLP", "dvs": "5Conv+1FC"}
    name = names.get(config.model) or config.model.upper().replace("RESNET", "ResNet").replace("PRER", "PreR")
    return name if config.width == 1.0 else f"{name} x{config.width:g}"


def dataset(config: TrainConfig) -> str:
    """The data set as a table names it; for a folder of images, the folder's name."""
    if config.dataset != "folder":
        return {"cifar10": "CIFAR10", "cifar100": "CIFAR100", "cifar10-dvs": "DVS-CIFAR10",
                "tiny-imagenet": "Tiny-ImageNet"}.get(config.dataset, config.dataset)  # fmt: skip
    return Path(config.data).name.split(".")[0]
