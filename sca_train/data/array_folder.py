"""Images and labels of anybody's as .npy files in one folder: the data sets ``arrays`` and ``event-arrays``."""

from __future__ import annotations

from pathlib import Path
from tokenize import TokenError

import numpy as np
from numpy.typing import NDArray

from sca_train.config import EVENT_DATASETS, TrainConfig
from sca_train.data.dataset import Dataset
from sca_train.errors import TrainError
from sca_train.files import check_readable, read_text

TEST_IMAGES, TEST_LABELS = "test_images.npy", "test_labels.npy"
TRAIN_IMAGES, TRAIN_LABELS = "train_images.npy", "train_labels.npy"
CLASSES = "classes.txt"
"""One name a line, in the order of the labels."""
MOST_CLASSES = 2**16


def load_array_folder(config: TrainConfig) -> Dataset:
    """test_images.npy uint8 [N, H, W, C] (event frames [N, T, H, W, C]) and test_labels.npy, whole numbers [N].

    train_images.npy and train_labels.npy may lie beside them, else there are no training images. classes.txt names the
    classes, else they are numbers. Images keep their size, whatever ``image_size`` says. Raises TrainError, one
    sentence, for what is missing or does not fit together.
    """
    folder, events = Path(config.data), config.dataset in EVENT_DATASETS
    if not config.data or not folder.is_dir():
        raise TrainError(
            f"data set {config.dataset} needs --data (DATA), a folder with {TEST_IMAGES} and {TEST_LABELS}"
            + (f"; {folder} is none" if config.data else "")
        )
    test_images, test_labels = _split(folder, TEST_IMAGES, TEST_LABELS, events, config.timesteps)
    shape = test_images.shape[1:]
    train_images, train_labels = np.zeros((0, *shape), np.uint8), np.zeros(0, np.int64)
    if (folder / TRAIN_IMAGES).exists():
        train_images, train_labels = _split(folder, TRAIN_IMAGES, TRAIN_LABELS, events, config.timesteps)
        if train_images.shape[1:] != shape:
            raise TrainError(
                f"{folder / TRAIN_IMAGES} has images of {list(train_images.shape[1:])}, {TEST_IMAGES} of {list(shape)}"
            )
    labels = np.concatenate([train_labels, test_labels])
    classes = class_list(folder / CLASSES, int(labels.max(initial=0)) + 1)
    return Dataset(train_images, train_labels, test_images, test_labels, classes)


def class_list(file: Path, least: int) -> tuple[str, ...]:
    """The names in classes.txt, or ``least`` numbers where there is no such file; TrainError for fewer names."""
    if not file.exists():
        return tuple(str(number) for number in range(least))
    try:
        names = tuple(line.strip() for line in read_text(file).splitlines() if line.strip())
    except UnicodeDecodeError as error:
        raise TrainError(f"{file} is no text ({error.reason})") from None
    if len(names) < least:
        raise TrainError(f"{file} names {len(names)} classes, but there is a label {least - 1}")
    return names


def load_images(file: Path) -> NDArray[np.uint8]:
    """A .npy file of uint8 [N, ...], memory-mapped; TrainError, one sentence, for anything else."""
    images = _array(file)
    if images.dtype != np.uint8 or images.ndim not in (4, 5) or not images.size:
        raise TrainError(
            f"{file} holds {images.dtype} {list(images.shape)}, not images uint8 [N, H, W, C] or event frames "
            "uint8 [N, T, H, W, C]"
        )
    return images  # type: ignore[return-value]


def load_labels(file: Path, count: int) -> NDArray[np.int64]:
    """A .npy file of one label for each of ``count`` images; TrainError, one sentence, for anything else."""
    labels = _array(file)
    if labels.dtype.kind not in "iu" or labels.shape != (count,):
        raise TrainError(
            f"{file} holds {labels.dtype} {list(labels.shape)}, not a whole number for each of {count} images"
        )
    if labels.min(initial=0) < 0 or labels.max(initial=0) >= MOST_CLASSES:
        raise TrainError(f"{file} holds labels from {labels.min()} to {labels.max()}, not numbers of classes from 0 on")
    return labels.astype(np.int64)


def _split(
    folder: Path, images_file: str, labels_file: str, events: bool, timesteps: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    images = load_images(folder / images_file)
    if (images.ndim == 5) != events:
        frames = "event frames [N, T, H, W, C], which are data set event-arrays"
        held = frames if images.ndim == 5 else "images [N, H, W, C], which are data set arrays"
        raise TrainError(f"{folder / images_file} holds {held}")
    if events and images.shape[1] != timesteps:
        raise TrainError(
            f"{folder / images_file} has {images.shape[1]} frames a sample, not one for each of {timesteps} steps"
        )
    return images, load_labels(folder / labels_file, len(images))


def _array(file: Path) -> NDArray[np.generic]:
    try:
        check_readable(file)
        found = np.load(file, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise TrainError(f"there is no file {file}") from None
    except (ValueError, EOFError, SyntaxError, TokenError) as error:
        # numpy takes whatever is no array for pickled objects, and says how to load these; here they never are.
        reason = "" if "pickle" in str(error) else f" ({str(error).splitlines()[0]})"
        raise TrainError(f"{file} is not a readable .npy array of numbers{reason}") from None
    if not isinstance(found, np.ndarray):
        raise TrainError(f"{file} is an .npz archive, not a .npy file of one array")
    return found
