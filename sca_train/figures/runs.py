"""What the figures know of a finished training: its configuration and what metrics.json measured."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sca_train.class_names import train_again
from sca_train.config import TrainConfig, changed_options, config_to_dict
from sca_train.errors import TrainError
from sca_train.files import read_text
from sca_train.run_config import load_run_config

_MOST = 1e30
"""More than is ever counted or scored, and far from where sums of float64 end."""
_COMPARED = ("ratio", "budget", "seed", "structure", "score")
"""Options that figures compare; runs that differ in any other are figures of their own."""


@dataclass(frozen=True)
class Count:
    """A count of the network before pruning and of the compact one."""

    dense: float
    compact: float

    @property
    def left(self) -> float:
        return self.compact / self.dense if self.dense else 1.0


@dataclass(frozen=True)
class Epoch:
    """One entry of the training history; ``channels``: how many each layer keeps, empty where it was not noted."""

    epoch: int
    channels: dict[str, int]


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
    params: Count
    synops: Count
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
    path = folder / "metrics.json"
    if not path.exists():
        raise TrainError(f"run folder {folder} has no metrics.json: its training is not finished")
    metrics = _read_json(path, train_again(folder))
    exported = folder / "results" / "onnx.json"
    try:
        result = RunResult(
            folder=folder,
            config=config,
            ratio=_number(metrics["ratio"]) if config.budget else config.ratio,
            accuracy=_number(metrics["accuracy"]),
            integer_accuracy=_integer_accuracy(exported) if exported.exists() else None,
            params=Count(_number(metrics["params"]["dense"]), _number(metrics["params"]["compact"])),
            synops=Count(_number(metrics["synops"]["dense"]), _number(metrics["synops"]["compact"])),
            channels={name: (_count(before), _count(after)) for name, (before, after) in metrics["channels"].items()},
            history=epochs_of(metrics["history"]),
            scores=scores_of(metrics),
        )
        told = [set(result.scores), *(set(epoch.channels) for epoch in result.history)]
        if any(layers and layers != set(result.channels) for layers in told):
            raise ValueError("its channels, scores and history are of different layers")
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise TrainError(
            f"{path} is damaged: it lacks a value or has one of another kind ({error}); {train_again(folder)}"
        ) from None
    return result


def _integer_accuracy(path: Path) -> float:
    again = f"run `make export RUN={path.parents[1].name}` again"
    try:
        return _number(_read_json(path, again)["accuracy"])
    except (KeyError, TypeError, ValueError) as error:
        raise TrainError(f"{path} is damaged: it has no number as accuracy ({error}); {again}") from None


def epochs_of(history: list[dict[str, Any]]) -> tuple[Epoch, ...]:
    """The history of a metrics.json as far as the figures show it; TypeError or ValueError where it is another kind."""
    return tuple(
        Epoch(_count(entry["epoch"]), {name: _count(count) for name, count in entry.get("channels", {}).items()})
        for entry in history
    )


def scores_of(metrics: dict[str, Any]) -> dict[str, tuple[float, ...]]:
    """The channel scores of a metrics.json; empty where nothing was scored. Errors as ``epochs_of``."""
    return {name: tuple(map(_finite, values)) for name, values in (metrics.get("scores") or {}).items()}


def _finite(value: Any) -> float:
    if type(value) not in (int, float):
        raise TypeError(f"{value!r} is no number")
    if not abs(value) <= _MOST:
        raise ValueError(f"{value!r} is no number that was measured")
    return float(value)


def _number(value: Any) -> float:
    """A number that is not negative."""
    if _finite(value) < 0.0:
        raise ValueError(f"{value!r} is negative")
    return float(value)


def _count(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r} is no whole number")
    return int(_number(value))


def _read_json(path: Path, again: str) -> dict[str, Any]:
    try:
        content = json.loads(read_text(path))
    except (OSError, ValueError, RecursionError) as error:
        raise TrainError(f"{path} is damaged ({error}); {again}") from None
    if not isinstance(content, dict):
        raise TrainError(f"{path} holds no JSON object; {again}")
    return content


def settings_of(runs: list[RunResult]) -> list[Setting]:
    """Group the runs: those of a setting differ only in ratio, seed and how channels are chosen."""
    groups: list[list[RunResult]] = []
    for run in runs:
        for group in groups:
            if not differing_options(group[0], run):
                if group[0].channels.keys() != run.channels.keys():
                    raise TrainError(
                        f"the metrics.json of {group[0].folder} and {run.folder} have other layers although both were "
                        f"trained with the same options; {train_again(run.folder)}"
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
