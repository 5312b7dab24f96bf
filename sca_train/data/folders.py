"""Any tree of class folders with images, as a directory or in a tar archive."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sca_train.config import TrainConfig
from sca_train.data.cache import Source, Split, fingerprint, kept
from sca_train.data.dataset import SPLITS, Dataset
from sca_train.data.images import decoded
from sca_train.errors import TrainError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".webp")


@dataclass(frozen=True)
class _Entry:
    """One image file of a split and class; ``read`` decodes it."""

    split: str
    label: str
    name: str
    read: Callable[[], NDArray[np.uint8]]


def load_folder(config: TrainConfig) -> Dataset:
    """Images in train/<class>/ and test/<class>/, from a directory or a tar archive of one; decoded once."""
    if not config.data:
        raise TrainError(
            "data set folder needs --data, a directory or .tar archive with train/ and test/ class folders"
        )
    source, size = Path(config.data), config.image_size
    if not source.exists():
        raise TrainError(f"there is no data at {source}; --data must name a directory or a .tar archive")
    if not source.is_dir() and not tarfile.is_tarfile(source):
        raise TrainError(f"{source} is neither a directory nor a tar archive of train/ and test/ class folders")
    read = _directory_entries if source.is_dir() else _archive_entries
    name = f"{source.resolve().name.split('.')[0]}-{size}"
    key = (fingerprint(source), size)
    return kept(Path(config.cache), name, key, lambda _: _tree(read(source, size), source, size))


def _place(path: PurePosixPath) -> tuple[str, str, str] | None:
    """Split, class and name of a file at .../<split>/<class>/<file>, if it is an image there."""
    if len(path.parts) < 3 or path.parts[-3] not in SPLITS or path.suffix.lower() not in IMAGE_SUFFIXES:
        return None
    return path.parts[-3], path.parts[-2], path.name


def _directory_entries(root: Path, size: int) -> Iterator[_Entry]:
    for path in root.glob("*/*/*"):
        place = _place(PurePosixPath(path.relative_to(root).as_posix()))
        if place:
            yield _Entry(*place, partial(_read_file, path, size))


def _read_file(path: Path, size: int) -> NDArray[np.uint8]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TrainError(f"{path} cannot be read: {error.strerror}") from None
    return decoded(content, size, str(path))


def _archive_entries(archive: Path, size: int) -> Iterator[_Entry]:
    """Entries in the order of the archive, already decoded: a compressed one can only be read from front to end."""
    try:
        with tarfile.open(archive) as stream:
            for member in tqdm(stream, desc=f"reading {archive.name}", unit=" files", leave=False):
                place = _place(PurePosixPath(member.name))
                content = stream.extractfile(member) if place and member.isfile() else None
                if place and content:
                    image = decoded(content.read(), size, f"{member.name} in {archive}")
                    yield _Entry(*place, partial(_same, image))
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError) as error:
        raise TrainError(f"archive {archive} is damaged: {error}") from None


def _same(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return image


def _tree(entries: Iterable[_Entry], source: Path, size: int) -> Source:
    """Both splits in the order of the names of classes and files."""
    found = sorted(entries, key=lambda entry: (entry.label, entry.name))
    for split in SPLITS:
        if not any(entry.split == split for entry in found):
            raise TrainError(f"{source} has no images in {split}/<class>/; it needs both train/ and test/")
    classes = tuple(sorted({entry.label for entry in found if entry.split == "train"}))
    unknown = sorted({entry.label for entry in found} - set(classes))
    if unknown:
        raise TrainError(f"{source} has the class {unknown[0]!r} in test/ but not in train/")
    numbers = {name: number for number, name in enumerate(classes)}
    train, test = ([entry for entry in found if entry.split == split] for split in SPLITS)
    return Source(_split(train, numbers), _split(test, numbers), classes, (size, size, 3))


def _split(entries: list[_Entry], numbers: dict[str, int]) -> Split:
    labels = np.array([numbers[entry.label] for entry in entries], dtype=np.int64)
    return Split(labels, (entry.read() for entry in entries))
