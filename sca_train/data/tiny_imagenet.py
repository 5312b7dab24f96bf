"""Tiny ImageNet: 200 classes of 500 training images of 64x64 pixels, and 10,000 labelled validation images."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from torchvision.datasets.utils import download_url

from sca_train.config import TrainConfig
from sca_train.data.cache import Source, Split, fingerprint, kept
from sca_train.data.dataset import Dataset
from sca_train.data.images import MOST_IMAGE_BYTES, decoded
from sca_train.errors import TrainError

FOLDER = "tiny-imagenet-200"
ARCHIVE = f"{FOLDER}.zip"
ARCHIVE_URL = f"http://cs231n.stanford.edu/{ARCHIVE}"
ARCHIVE_MD5 = "90528d7ca1a48142e341f4ef8d21d0de"
_CLASSES_FILE = "wnids.txt"
_ANNOTATIONS_FILE = "val/val_annotations.txt"


@dataclass(frozen=True)
class _Files:
    """The files of the data set by their names below its folder, in a directory or in the archive."""

    source: Path
    names: frozenset[str]
    read: Callable[[str], bytes]

    def text(self, name: str) -> list[str]:
        """Lines of a text file of the data set."""
        if name not in self.names:
            raise TrainError(f"{self.source} is not Tiny ImageNet: it has no {name}")
        return self.read(name).decode(errors="replace").splitlines()


def load_tiny_imagenet(config: TrainConfig) -> Dataset:
    """Tiny ImageNet from its folder or its .zip; the labelled validation images are the test set."""
    if not config.data:
        raise TrainError(
            f"data set tiny-imagenet needs --data: {ARCHIVE}, or the folder that holds or shall hold it or {FOLDER}/"
        )
    source, size = _find(Path(config.data), config.download), config.image_size

    def prepare(_: Path) -> Source:
        return _source(source, size)

    return kept(Path(config.cache), f"tiny-imagenet-{size}", (fingerprint(source), size), prepare)


def _find(data: Path, download: bool) -> Path:
    """The data set's folder or archive, at ``data`` or in it."""
    if data.is_file() or (data / _CLASSES_FILE).exists():
        return data
    for place in (data / FOLDER, data / ARCHIVE):
        if place.exists():
            return place
    if not download:
        raise TrainError(
            f"there is no Tiny ImageNet in {data}: neither the folder {FOLDER} (unpacked, with train/, val/ and "
            f"{_CLASSES_FILE}) nor {ARCHIVE}; --download fetches the archive there"
        )
    unfinished = data / f".{ARCHIVE}.unfinished"
    try:
        download_url(ARCHIVE_URL, data, unfinished.name, ARCHIVE_MD5)
        unfinished.replace(data / ARCHIVE)
    except (RuntimeError, OSError) as error:
        raise TrainError(f"{ARCHIVE} could not be downloaded into {data}: {str(error).splitlines()[0]}") from None
    return data / ARCHIVE


@contextmanager
def _opened(source: Path) -> Iterator[_Files]:
    """The files of the directory or archive, readable while inside."""
    if source.is_dir():
        paths = (Path(folder) / name for folder, _, names in os.walk(source) for name in names)
        names = frozenset(path.relative_to(source).as_posix() for path in paths if path.is_file())
        yield _Files(source, names, lambda name: (source / name).read_bytes())
        return
    try:
        with zipfile.ZipFile(source) as archive:
            members = {name.removeprefix(f"{FOLDER}/"): name for name in archive.namelist()}
            yield _Files(source, frozenset(members), lambda name: _member(archive, members[name]))
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise TrainError(f"archive {source} is damaged: {error}") from None


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    claimed = archive.getinfo(name).file_size
    if claimed > MOST_IMAGE_BYTES:
        raise TrainError(f"{name} in {archive.filename} is a file of {claimed} bytes; no image is")
    return archive.read(name)


def _source(source: Path, size: int) -> Source:
    with _opened(source) as files:
        classes = tuple(sorted(line.strip() for line in files.text(_CLASSES_FILE) if line.strip()))
        numbers = {name: number for number, name in enumerate(classes)}
        train = _training_images(files, numbers)
        test = _validation_images(files, numbers)
    shape = (size, size, 3)
    return Source(_split(source, train, size), _split(source, test, size), classes, shape)


def _training_images(files: _Files, numbers: dict[str, int]) -> list[tuple[str, int]]:
    """Names and labels of train/<class>/images/<file>, in the order of their names."""
    found = []
    for name in sorted(files.names):
        parts = PurePosixPath(name).parts
        if len(parts) == 4 and parts[0] == "train" and parts[2] == "images" and parts[1] in numbers:
            found.append((name, numbers[parts[1]]))
    empty = set(numbers.values()) - {label for _, label in found}
    if empty:
        missing = next(name for name, label in numbers.items() if label in empty)
        raise TrainError(f"{files.source} has no images in train/{missing}/images/")
    return found


def _validation_images(files: _Files, numbers: dict[str, int]) -> list[tuple[str, int]]:
    """Names and labels of the images that val_annotations.txt lists."""
    found = []
    for line in files.text(_ANNOTATIONS_FILE):
        name, _, rest = line.partition("\t")
        label = rest.split("\t")[0]
        if label not in numbers or f"val/images/{name}" not in files.names:
            raise TrainError(f"{_ANNOTATIONS_FILE} in {files.source} lists an unknown image or class: {line!r}")
        found.append((f"val/images/{name}", numbers[label]))
    if not found:
        raise TrainError(f"{_ANNOTATIONS_FILE} in {files.source} lists no images")
    return found


def _split(source: Path, rows: list[tuple[str, int]], size: int) -> Split:
    return Split(np.array([label for _, label in rows], dtype=np.int64), _images(source, rows, size))


def _images(source: Path, rows: list[tuple[str, int]], size: int) -> Iterator[NDArray[np.uint8]]:
    with _opened(source) as files:
        for name, _ in rows:
            yield decoded(files.read(name), size, f"{name} in {source}")
