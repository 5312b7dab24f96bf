"""Any tree of class folders with images, as a directory or in a tar archive (``archives.py``)."""

from __future__ import annotations

import os
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from sca_train.config import TrainConfig
from sca_train.data.cache import Source, Split, fingerprint, kept
from sca_train.data.dataset import SPLITS, Dataset, listed
from sca_train.data.images import read_picture
from sca_train.errors import TrainError
from sca_train.files import check_readable

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".ppm", ".pgm", ".pbm", ".pnm", ".webp")
_RULES = 3
"""Part of the key in the cache: raise it when other files of a tree would be taken."""
_MOST_NAMED = 10
SYSTEM_FOLDERS = ("__MACOSX",)
HIDDEN = "hidden"
DEEPER = "in folders below those of the classes"
BESIDE = "beside the class folders"


@dataclass(frozen=True)
class Entry:
    """One image file of a split and class; ``read`` decodes it to [size, size, 3]."""

    split: str
    label: str
    name: str
    read: Callable[[], NDArray[np.uint8]]


@dataclass
class Tree:
    """What was found: images, class folders of each split with the files in them that are none, and all left out."""

    entries: list[Entry] = field(default_factory=list)
    folders: dict[str, dict[str, Counter[str]]] = field(default_factory=lambda: {split: {} for split in SPLITS})
    left_out: Counter[str] = field(default_factory=Counter)

    def folder(self, split: str, label: str) -> Counter[str]:
        """Kinds of files in a class folder that are no part of the data set; the folder is noted."""
        return self.folders[split].setdefault(label, Counter())

    def leave_out(self, kind: str, split: str = "", label: str = "") -> None:
        """Note a file that is no part of the data set, in a class folder if one is named."""
        self.left_out[kind] += 1
        if label:
            self.folder(split, label)[kind] += 1


def load_folder(config: TrainConfig) -> Dataset:
    """Images in train/<class>/ and test/<class>/, from a directory or a tar archive of one; decoded once.

    Hidden files and folders are passed over, files that are no images of IMAGE_SUFFIXES are left out, both are counted.
    Raises TrainError for a class without images in train/ or test/, for fewer than two classes, for damaged files.
    """
    if not config.data:
        raise TrainError(
            "data set folder needs --data, a directory or .tar archive with train/ and test/ class folders"
        )
    source, size = Path(config.data), config.image_size
    if not source.exists():
        raise TrainError(f"there is no data at {source}; --data must name a directory or a .tar archive")
    if not source.is_dir():
        check_readable(source)
        if not tarfile.is_tarfile(source):
            raise TrainError(f"{source} is neither a directory nor a tar archive of train/ and test/ class folders")
    from sca_train.data.archives import archive_tree

    read = directory_tree if source.is_dir() else archive_tree
    name = f"{source.resolve().name.split('.')[0]}-{size}"
    key = (fingerprint(source), size, _RULES)
    return kept(Path(config.cache), name, key, lambda _: _source(read(source, size), source, size))


def is_hidden(name: str) -> bool:
    """Whether a file or folder of that name is the system's or an editor's, such as ``._0.png`` of macOS archives."""
    return name.startswith(".") or name in SYSTEM_FOLDERS


def kind_of(name: str) -> str:
    """What a file that is no image is called where it is counted."""
    return PurePosixPath(name).suffix.lower() or "without a suffix"


def is_image(name: str) -> bool:
    """Whether a file's name ends as those of images that are read."""
    return PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES


def directory_tree(root: Path, size: int) -> Tree:
    """The images below a directory, read when they are asked for.

    Raises TrainError for an image that is a pipe, a device or a link to nothing.
    """
    tree = Tree()
    for path in _visible(root, tree):
        if path.name not in SPLITS or not path.is_dir():
            tree.leave_out(BESIDE)
            continue
        for folder in _visible(path, tree):
            if folder.is_dir():
                _read_class(folder, path.name, tree, size)
            else:
                tree.leave_out(BESIDE)
    return tree


def _read_class(folder: Path, split: str, tree: Tree, size: int) -> None:
    tree.folder(split, folder.name)
    for path in _visible(folder, tree):
        if path.is_dir():
            for _ in range(sum(len(files) for _, _, files in os.walk(path))):
                tree.leave_out(DEEPER, split, folder.name)
        elif is_image(path.name):
            tree.entries.append(Entry(split, folder.name, path.name, partial(_pixels, path, (size, size, 3))))
        else:
            tree.leave_out(kind_of(path.name), split, folder.name)


def _visible(folder: Path, tree: Tree) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if is_hidden(path.name):
            tree.leave_out(HIDDEN)
        else:
            yield path


def _pixels(path: Path, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    return read_picture(path, shape).pixels


def _source(tree: Tree, source: Path, size: int) -> Source:
    """Both splits in the order of the names of classes and files."""
    _check_classes(tree, source)
    classes = tuple(sorted(tree.folders["train"]))
    numbers = {name: number for number, name in enumerate(classes)}
    found = sorted(tree.entries, key=lambda entry: (entry.label, entry.name))
    train, test = ([entry for entry in found if entry.split == split] for split in SPLITS)
    return Source(_split(train, numbers), _split(test, numbers), classes, (size, size, 3), dict(tree.left_out))


def _check_classes(tree: Tree, source: Path) -> None:
    for split in SPLITS:
        if not any(entry.split == split for entry in tree.entries):
            others = f" (there are {listed(tree.left_out)})" if tree.left_out else ""
            raise TrainError(
                f"{source} has no images in {split}/<class>/{others}; it needs both train/ and test/, and images of "
                f"{', '.join(IMAGE_SUFFIXES)}"
            )
    filled = {split: {entry.label for entry in tree.entries if entry.split == split} for split in SPLITS}
    for split, other in (SPLITS, SPLITS[::-1]):
        alone = sorted(tree.folders[split].keys() - tree.folders[other].keys())
        if alone:
            raise TrainError(
                f"{source} has {_named(alone)} in {split}/ but not in {other}/; both need the same classes"
            )
    empty = {
        f"{split}/{label}": kinds
        for split in SPLITS
        for label, kinds in sorted(tree.folders[split].items())
        if label not in filled[split]
    }
    if empty:
        described = [f"{name} ({listed(kinds) if kinds else 'empty'})" for name, kinds in empty.items()]
        raise TrainError(
            f"{source} has no image that is read in {_cut(described)}; a class needs some directly in its folder, of "
            f"{', '.join(IMAGE_SUFFIXES)}"
        )
    if len(filled["train"]) < 2:
        raise TrainError(f"{source} has only {_named(sorted(filled['train']))}; a network tells at least two apart")


def _named(classes: list[str]) -> str:
    return f"the class{'es' if len(classes) > 1 else ''} {_cut([repr(name) for name in classes])}"


def _cut(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _split(entries: list[Entry], numbers: dict[str, int]) -> Split:
    labels = np.array([numbers[entry.label] for entry in entries], dtype=np.int64)
    return Split(labels, (entry.read() for entry in entries))
