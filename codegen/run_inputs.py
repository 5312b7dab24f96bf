"""What codegen takes from a training run: its compact network, and images with labels to try it on."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codegen import zoo
from codegen.errors import ZooError
from codegen.export.onnx_reader import read_model
from codegen.results import ImageKind
from codegen.run_folder import RunFolder
from sca_train.config import TrainConfig
from sca_train.data.dataset import Dataset
from sca_train.description import NetworkDescription
from sca_train.files import COMPACT_FILE
from sca_train.telling import say

# A note of torch about itself that a user of these commands can do nothing about.
logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)

_IMAGES = f"{zoo.ZOO.name}/{zoo.IMAGES.name}"
_WITHOUT_FILES = ("digits", "events-digits")
_ARRAYS = ("arrays", "event-arrays")
RANDOM_IMAGES = 64
"""Stimuli of a network that came without data."""
_SPARSE = 0.15
"""Share of the values of a sparse stimulus that are not zero."""
_ALSO_AS_FOLDERS = ("cifar10", "cifar100")
"""Data sets that may also lie in a tar archive or in a directory of train/ and test/ class folders."""


@dataclass(frozen=True)
class LabelledImages:
    """Images uint8 [N, H, W, C] or event frames [N, T, H, W, 2], and labels int64 [N].

    ``shipped``: drawings that come with the kept networks. ``random``: stimuli of a network that came without data,
    whose labels mean nothing. What a network makes of either is no accuracy of anything.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    shipped: bool = False
    random: bool = False

    def first(self, limit: int | None) -> LabelledImages:
        """The first ``limit`` of them (None: all)."""
        return replace(self, images=self.images[:limit], labels=self.labels[:limit])

    @property
    def kind(self) -> ImageKind:
        """What a sentence calls them."""
        if self.random:
            return "random images"
        return "shipped images" if self.shipped else "test images"

    def accuracy(self, logits: NDArray[np.int32 | np.float64]) -> float | None:
        """Accuracy of logits [N, classes] on a test set; None where these are shipped or random images."""
        return None if self.shipped or self.random else self._share_right(logits)

    def shipped_accuracy(self, logits: NDArray[np.int32 | np.float64]) -> float | None:
        """Share of the shipped images that logits [N, classes] classify right; None where these are a test set."""
        return self._share_right(logits) if self.shipped else None

    def _share_right(self, logits: NDArray[np.int32 | np.float64]) -> float:
        return float((logits.argmax(axis=1) == self.labels).mean())

    def told(self, logits: NDArray[np.int32 | np.float64]) -> str:
        """The same in words."""
        if self.random:
            return f"{len(self.labels)} random images (the network came without data: no accuracy)"
        right = logits.argmax(axis=1) == self.labels
        if self.shipped:
            return f"{right.sum()} of {len(right)} shipped images right (drawings: no test accuracy)"
        return f"accuracy {right.mean():.4f} on {len(right)} test images"


def load_network_description(run: RunFolder) -> NetworkDescription:
    """The compact network of compact.safetensors; raises TrainError when the file is damaged."""
    run.require("compact.safetensors")
    from sca_train.describe import describe_run

    return describe_run(run.path)


def load_test_set(run: RunFolder, data: Path | None = None) -> LabelledImages:
    """The test set that the run was trained for, from where config.toml says or from ``data``.

    A kept network whose data set is not at hand is given the shipped images, and an imported one without any random
    ones, which is printed. Raises TrainError when
    config.toml is not that of the network, or the data is not where it should be or has other classes, ZooError where
    no shipped image is of the network's classes.
    """
    run.require("config.toml")
    from sca_train.data import load_dataset
    from sca_train.errors import TrainError
    from sca_train.run_config import load_run_config

    config = replace(load_run_config(run.path), train_images=0)
    classes = _class_names(run)
    if data is not None:
        config = _with_data(config, data)
    elif config.dataset in _ARRAYS and not config.data:
        say(
            f"{run.name} came without data, so {RANDOM_IMAGES} random images take its place; DATA=path (--data) "
            "names it"
        )
        return _random_images(run)
    elif zoo.is_copy(run) and config.dataset not in _WITHOUT_FILES and not (config.data and Path(config.data).exists()):
        shipped = _shipped_images(run, classes, config)
        say(
            f"the data set of {run.name} ({config.data or config.dataset}) is not here, so {len(shipped.labels)} "
            f"images of {_IMAGES} take its place; DATA=path (--data) names it"
        )
        return shipped
    dataset = load_dataset(config)
    if config.dataset in _ARRAYS:
        _check_arrays(run, config, dataset, classes)
    elif classes and dataset.classes != classes:
        ours, theirs = sorted(set(classes) ^ set(dataset.classes)), len(dataset.classes)
        differ = f"such as {ours[0]!r}" if ours else "in another order"
        raise TrainError(
            f"the data at {config.data} has other classes ({theirs}, {differ}) than {run.name} was trained for "
            f"({len(classes)})"
        )
    return LabelledImages(dataset.test_images, dataset.test_labels)


def _class_names(run: RunFolder) -> tuple[str, ...]:
    """Names of the network's classes, of model.onnx where the network came as one; empty where nobody named them."""
    from sca_train.class_names import class_names

    if (run.path / COMPACT_FILE).exists():
        return class_names(run.path)
    return read_model(run.require("model.onnx")).properties.class_names


def _random_images(run: RunFolder) -> LabelledImages:
    """Always the same for one shape: every second one sparse, so that quiet layers are tried too."""
    shape = read_model(run.require("model.onnx")).properties.input_shape
    return LabelledImages(stimuli(shape), np.zeros(RANDOM_IMAGES, np.int64), random=True)


def stimuli(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """RANDOM_IMAGES random images of a shape, uint8 [N, *shape]; always the same, every second one mostly zeros."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (RANDOM_IMAGES, *shape)).astype(np.uint8)
    images[1::2] *= rng.random(images[1::2].shape) < _SPARSE
    return images


def _check_arrays(run: RunFolder, config: TrainConfig, dataset: Dataset, classes: tuple[str, ...]) -> None:
    """Raise TrainError where images or labels of a folder of arrays are not those of the network that is there."""
    from sca_train.errors import TrainError

    properties = read_model(run.require("model.onnx")).properties if (run.path / "model.onnx").exists() else None
    shape = properties.input_shape if properties else dataset.test_images.shape[1:]
    if dataset.test_images.shape[1:] != shape:
        raise TrainError(
            f"the test images at {config.data} have the shape {list(dataset.test_images.shape)}, but {run.name} takes "
            f"uint8 [N, {', '.join(map(str, shape))}]"
        )
    count = properties.classes if properties else len(classes)
    most = int(dataset.test_labels.max(initial=0))
    if most >= count:
        raise TrainError(
            f"the labels at {config.data} go up to {most}, but {run.name} knows {count} classes, from 0 on"
        )


def _with_data(config: TrainConfig, data: Path) -> TrainConfig:
    folders = data.is_file() or all((data / split).is_dir() for split in ("train", "test"))
    dataset = "folder" if folders and config.dataset in _ALSO_AS_FOLDERS else config.dataset
    return replace(config, data=str(data), dataset=dataset)


def _shipped_images(run: RunFolder, classes: tuple[str, ...], config: TrainConfig) -> LabelledImages:
    """The shipped images <class>-<number>.png of the network's classes, one of each class before the second of any."""
    from sca_train.data.images import read_picture

    found = []
    for path in zoo.IMAGES.glob("*-*.png"):
        label, _, number = path.stem.rpartition("-")
        if label in classes:
            found.append((int(number), classes.index(label), path))
    if not found:
        raise ZooError(
            f"the data set of {run.name} ({config.data or config.dataset}) is not here, and none of the images in "
            f"{_IMAGES} is of its classes; name it with DATA=path (--data)"
        )
    found.sort()
    shape = (config.image_size, config.image_size, 3)
    pixels = np.stack([read_picture(path, shape).pixels for _, _, path in found])
    return LabelledImages(pixels, np.array([label for _, label, _ in found], np.int64), shipped=True)
