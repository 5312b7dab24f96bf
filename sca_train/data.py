"""Data sets as arrays of uint8 images: the embedded digits, CIFAR-10, and any tree of class folders."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from sca_train.config import TrainConfig
from sca_train.errors import TrainError
from sca_train.files import write_whole

DIGIT_LEVELS = 16
DIGITS_TEST_SHARE = 0.2
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".webp")
SPLITS = ("train", "test")


@dataclass(frozen=True)
class Dataset:
    """Images [N, H, W, C] uint8 and labels [N] int64 of both splits; ``classes`` are the names of the labels."""

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    classes: tuple[str, ...]

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        _, height, width, channels = self.test_images.shape
        return height, width, channels


def load_dataset(config: TrainConfig) -> Dataset:
    """The configured data set at ``config.image_size``, training images limited to ``config.train_images``.

    Raises TrainError when the files are missing or are not what the data set consists of.
    """
    loader = {"digits": _load_digits, "cifar10": _load_cifar10, "folder": _load_folder}[config.dataset]
    dataset = loader(config)
    if config.train_images:
        chosen = balanced_subset(dataset.train_labels, config.train_images)
        dataset = replace(dataset, train_images=dataset.train_images[chosen], train_labels=dataset.train_labels[chosen])
    return dataset


def balanced_subset(labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Indices of ``count`` images, as evenly over the classes as the data allows; always the same ones."""
    rank = np.zeros(len(labels), dtype=np.int64)
    order = np.random.default_rng(0).permutation(len(labels))
    for label in np.unique(labels):
        members = order[labels[order] == label]
        rank[members] = np.arange(len(members))
    return np.sort(np.lexsort((labels, rank))[:count])


def resize(image: Image.Image, size: int) -> Image.Image:
    """The image as ``size`` x ``size``: unchanged if it is, else Pillow's bilinear filter (integer arithmetic)."""
    return image if image.size == (size, size) else image.resize((size, size), Image.Resampling.BILINEAR)


def _load_digits(config: TrainConfig) -> Dataset:
    """scikit-learn's 1,797 handwritten digits (8x8, 17 grey levels), every class split 80/20 by a fixed shuffle."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    grey = np.rint(digits.images * (255.0 / DIGIT_LEVELS)).astype(np.uint8)
    images = np.stack([np.asarray(resize(Image.fromarray(image), config.image_size)) for image in grey])[..., None]
    labels = digits.target.astype(np.int64)
    test = np.zeros(len(labels), dtype=bool)
    shuffle = np.random.default_rng(0)
    for label in range(10):
        members = shuffle.permutation(np.flatnonzero(labels == label))
        test[members[: round(len(members) * DIGITS_TEST_SHARE)]] = True
    return Dataset(images[~test], labels[~test], images[test], labels[test], tuple(str(digit) for digit in range(10)))


def _load_cifar10(config: TrainConfig) -> Dataset:
    """CIFAR-10 by torchvision, from the folder the user names."""
    from torchvision.datasets import CIFAR10

    if not config.data:
        raise TrainError("data set cifar10 needs --data, the folder that holds or shall hold cifar-10-batches-py")
    try:
        train, test = (CIFAR10(config.data, train=split, download=config.download) for split in (True, False))
    except (RuntimeError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise TrainError(f"no CIFAR-10 in {config.data} ({reason}); --download fetches it there") from None
    sets = [(_resized(split.data, config.image_size), np.asarray(split.targets, np.int64)) for split in (train, test)]
    return Dataset(*sets[0], *sets[1], tuple(train.classes))


def _resized(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    if images.shape[1:3] == (size, size):
        return images
    return np.stack([np.asarray(resize(Image.fromarray(image), size)) for image in images])


def _load_folder(config: TrainConfig) -> Dataset:
    """Images in train/<class>/ and test/<class>/, from a directory or a tar archive of one."""
    if not config.data:
        raise TrainError(
            "data set folder needs --data, a directory or .tar archive with train/ and test/ class folders"
        )
    source = Path(config.data)
    if not source.exists():
        raise TrainError(f"there is no data at {source}; --data must name a directory or a .tar archive")
    if source.is_dir():
        return _decode(_directory_files(source), source, config.image_size)
    if not tarfile.is_tarfile(source):
        raise TrainError(f"{source} is neither a directory nor a tar archive of train/ and test/ class folders")
    state = source.stat()
    key = hashlib.sha256(f"{source.resolve()} {state.st_size} {state.st_mtime_ns} {config.image_size}".encode())
    cached = Path(config.cache) / f"{source.name.split('.')[0]}-{config.image_size}-{key.hexdigest()[:12]}.npz"
    if not cached.exists():
        dataset = _decode(_archive_files(source), source, config.image_size)
        cached.parent.mkdir(parents=True, exist_ok=True)
        write_whole(cached, lambda aside: np.savez(aside, **vars(dataset)))
        return dataset
    with np.load(cached) as arrays:
        return Dataset(**{**arrays, "classes": tuple(str(name) for name in arrays["classes"])})


def _directory_files(root: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    for path in sorted(root.glob("*/*/*")):
        yield PurePosixPath(path.relative_to(root).as_posix()), path.read_bytes() if path.is_file() else b""


def _archive_files(archive: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    try:
        with tarfile.open(archive) as stream:
            for member in stream:
                content = stream.extractfile(member) if member.isfile() else None
                if content is not None:
                    yield PurePosixPath(member.name), content.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise TrainError(f"archive {archive} is damaged: {error}") from None


def _decode(files: Iterator[tuple[PurePosixPath, bytes]], source: Path, size: int) -> Dataset:
    """Decode every image at .../<split>/<class>/<file>, in the order of their names."""
    found: dict[str, list[tuple[str, str, NDArray[np.uint8]]]] = defaultdict(list)
    for path, content in tqdm(files, desc=f"reading {source.name}", unit=" files", mininterval=1.0):
        if len(path.parts) < 3 or path.parts[-3] not in SPLITS or path.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        try:
            image = resize(Image.open(io.BytesIO(content)).convert("RGB"), size)
        except (UnidentifiedImageError, OSError) as error:
            raise TrainError(f"{path} in {source} is not an image that Pillow reads: {error}") from None
        found[path.parts[-3]].append((path.parts[-2], path.name, np.asarray(image)))
    for split in SPLITS:
        if not found[split]:
            raise TrainError(f"{source} has no images in {split}/<class>/; it needs both train/ and test/")
    classes = tuple(sorted({name for name, _, _ in found["train"]}))
    unknown = sorted({name for name, _, _ in found["test"]} - set(classes))
    if unknown:
        raise TrainError(f"{source} has the class {unknown[0]!r} in test/ but not in train/")
    train, test = (sorted(found[split], key=lambda row: row[:2]) for split in SPLITS)
    return Dataset(*_arrays(train, classes), *_arrays(test, classes), classes)


def _arrays(
    rows: list[tuple[str, str, NDArray[np.uint8]]], classes: tuple[str, ...]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    labels = np.array([classes.index(name) for name, _, _ in rows], dtype=np.int64)
    return np.stack([image for _, _, image in rows]), labels
