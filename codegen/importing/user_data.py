"""What a user gives beside a network: labelled test images, images to calibrate on, and names of classes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from codegen.arrays import save_array
from codegen.errors import ImportingError
from codegen.run_inputs import LabelledImages, stimuli
from sca_train.config import DATASETS, EVENT_DATASETS, LARGEST_SIDE, TrainConfig
from sca_train.data import balanced_subset, load_dataset
from sca_train.data.array_folder import CLASSES, TEST_IMAGES, TEST_LABELS, load_images, load_labels
from sca_train.data.folders import is_image
from sca_train.data.images import CHANNELS, read_picture
from sca_train.errors import TrainError
from sca_train.files import write_text

DATA_FOLDER = "data"
"""Of a run: a copy of the arrays that were given as two files, so that later stages find them."""
CALIBRATION_IMAGES = 256
_ARRAYS = {True: "arrays", False: "event-arrays"}
"""The data set of anybody's arrays, by whether the input is static."""


@dataclass(frozen=True)
class ImageInput:
    """What a network reads: height, width and channels, and as many event frames as steps, 0 for a static image."""

    shape: tuple[int, int, int]
    frames: int
    classes: int

    @property
    def sample(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return (self.frames, *self.shape) if self.frames else self.shape

    def check(self, images: NDArray[np.uint8], what: str) -> None:
        """Raise ImportingError where images are not samples of this shape."""
        if images.dtype != np.uint8 or images.shape[1:] != self.sample or not len(images):
            raise ImportingError(
                f"{what} is {images.dtype} {list(images.shape)}, but the network takes uint8 "
                f"[N, {', '.join(map(str, self.sample))}]"
            )

    def check_labels(self, labels: NDArray[np.int64], what: str) -> None:
        """Raise ImportingError for a label of no class."""
        if labels.max(initial=0) >= self.classes:
            raise ImportingError(
                f"{what} goes up to {labels.max()}, but the network knows {self.classes} classes, from 0 on"
            )


@dataclass(frozen=True)
class DataOptions:
    """What the user names: a data set of training's and where it lies, or two files; images to calibrate on.

    ``dataset`` "": that of a folder of arrays, or of class folders, whichever ``data`` is.
    """

    dataset: str = ""
    data: Path | None = None
    images: Path | None = None
    labels: Path | None = None
    calibrate: Path | None = None
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class UserData:
    """``tests``: labelled images, or random ones. ``calibration``: images, if there are any that are no test images.

    ``dataset`` and ``data`` are what config.toml says of them; with ``copied`` the tests become arrays in the run.
    """

    tests: LabelledImages
    calibration: NDArray[np.uint8] | None
    classes: tuple[str, ...]
    dataset: str
    data: str
    copied: bool = False


def load_user_data(options: DataOptions, wanted: ImageInput, run: Path, cache: str) -> UserData:
    """The data that the options name, checked against what the network reads.

    Raises ImportingError or TrainError, one sentence, for what is missing or not of the network.
    """
    if options.classes and len(options.classes) != wanted.classes:
        raise ImportingError(f"{len(options.classes)} classes are named, but the network knows {wanted.classes}")
    if options.dataset and options.dataset not in DATASETS:
        raise ImportingError(f"unknown dataset {options.dataset!r}; there are {', '.join(DATASETS)}")
    if (options.images is None) != (options.labels is None):
        raise ImportingError("images and labels belong together; give both files, or neither")
    if options.images is not None and (options.dataset or options.data):
        raise ImportingError("images and labels are one way to name test data, dataset and data another; give one")
    if options.images is not None and options.labels is not None:
        data = _two_files(options.images, options.labels, options.classes, wanted, run)
    elif options.dataset or options.data:
        data = _data_set(options, wanted, cache)
    else:
        names = options.classes or _numbers(wanted.classes)
        data = UserData(random_images(wanted), None, names, _ARRAYS[not wanted.frames], "")
    if options.calibrate is None:
        return data
    return replace(data, calibration=_calibration(options.calibrate, wanted))


def random_images(wanted: ImageInput) -> LabelledImages:
    """Stimuli in place of test images."""
    images = stimuli(wanted.sample)
    return LabelledImages(images, np.zeros(len(images), np.int64), random=True)


def save_copied(data: UserData, folder: Path) -> None:
    """Write test images, labels and names of classes as arrays."""
    folder.mkdir()
    save_array(folder / TEST_IMAGES, data.tests.images)
    save_array(folder / TEST_LABELS, data.tests.labels)
    write_text(folder / CLASSES, "".join(f"{name}\n" for name in data.classes))


def _numbers(classes: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(classes))


def _two_files(
    images_file: Path, labels_file: Path, classes: tuple[str, ...], wanted: ImageInput, run: Path
) -> UserData:
    images = load_images(images_file)
    wanted.check(images, str(images_file))
    labels = load_labels(labels_file, len(images))
    wanted.check_labels(labels, str(labels_file))
    tests = LabelledImages(np.array(images), labels)
    names = classes or _numbers(wanted.classes)
    return UserData(tests, None, names, _ARRAYS[not wanted.frames], str(run / DATA_FOLDER), copied=True)


def _data_set(options: DataOptions, wanted: ImageInput, cache: str) -> UserData:
    name = options.dataset or _kind_of(options.data, wanted)
    name = _ARRAYS[not wanted.frames] if name in _ARRAYS.values() else name
    if (name in EVENT_DATASETS) != bool(wanted.frames):
        kinds = ("one image, the same at every step", "a frame for each step")
        raise ImportingError(
            f"the network reads {kinds[bool(wanted.frames)]}, data set {name} has {kinds[name in EVENT_DATASETS]}"
        )
    height, width, _ = wanted.shape
    if name not in _ARRAYS.values() and height != width:
        raise ImportingError(f"data set {name} has square images, but the network takes {height}x{width} pixels")
    if name not in _ARRAYS.values() and height > LARGEST_SIDE:
        raise ImportingError(
            f"data set {name} is brought to at most {LARGEST_SIDE}x{LARGEST_SIDE} pixels, but the network takes "
            f"{height}x{width}; give test images as .npy files"
        )
    config = TrainConfig(
        dataset=name,
        data=str(options.data or ""),
        image_size=height,
        timesteps=wanted.frames or TrainConfig().timesteps,
        cache=cache,
    )
    dataset = load_dataset(config)
    wanted.check(dataset.test_images[:1], f"data set {name}")
    for labels in (dataset.train_labels, dataset.test_labels):
        wanted.check_labels(labels, f"a label of data set {name}")
    named = dataset.classes
    if name in _ARRAYS.values():  # a folder without names may not have images of all classes
        named = options.classes or (named if len(named) == wanted.classes else _numbers(wanted.classes))
    elif len(named) != wanted.classes:
        raise ImportingError(f"data set {name} has {len(named)} classes, but the network knows {wanted.classes}")
    chosen = balanced_subset(dataset.train_labels, CALIBRATION_IMAGES)
    calibration = np.array(dataset.train_images[chosen]) if len(chosen) else None
    tests = LabelledImages(dataset.test_images, dataset.test_labels)
    return UserData(tests, calibration, named, name, config.data)


def _kind_of(data: Path | None, wanted: ImageInput) -> str:
    """Class folders, or an archive of them, or arrays."""
    assert data is not None
    folders = data.is_file() or all((data / split).is_dir() for split in ("train", "test"))
    return "folder" if folders else _ARRAYS[not wanted.frames]


def _calibration(source: Path, wanted: ImageInput) -> NDArray[np.uint8]:
    """Images to calibrate on, from a .npy file or from the pictures in a folder."""
    if not source.exists():
        raise ImportingError(f"there are no calibration images {source}; give a .npy file or a folder of pictures")
    if not source.is_dir():
        images = load_images(source)
        wanted.check(images, f"calibration file {source}")
        return cast("NDArray[np.uint8]", np.array(images[:CALIBRATION_IMAGES]))
    if wanted.frames or wanted.shape[2] not in CHANNELS:
        raise ImportingError(
            f"calibration folder {source}: pictures have 1 or 3 channels and no steps; the network takes uint8 "
            f"[N, {', '.join(map(str, wanted.sample))}], which a .npy file holds"
        )
    files = sorted(path for path in source.rglob("*") if path.is_file() and is_image(path.name))[:CALIBRATION_IMAGES]
    if not files:
        raise ImportingError(f"calibration folder {source} holds no picture that is read")
    try:
        return np.stack([read_picture(file, wanted.shape).pixels for file in files])
    except TrainError as error:
        raise ImportingError(f"calibration folder {source}: {error}") from None
