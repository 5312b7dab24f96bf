"""Data sets decoded once and kept as plain arrays, which are memory-mapped and so need no memory of their own."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from sca_train.data.dataset import SPLITS, Dataset
from sca_train.errors import TrainError
from sca_train.telling import counted, say

_FORMAT = 2
"""Part of every key: raise it when the same sources would give other arrays."""
_CLASSES_FILE = "classes.json"
_LEFT_OUT_FILE = "left_out.json"
_LOCK_FILE = ".lock"
_TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True)
class Split:
    """Labels [N] and the images or event frames they belong to, which are produced one by one."""

    labels: NDArray[np.int64]
    images: Iterable[NDArray[np.uint8]]


@dataclass(frozen=True)
class Source:
    """A data set that has not been read yet; every sample has the shape ``shape``.

    ``left_out``: how many files of the source are no part of it, by kind.
    """

    train: Split
    test: Split
    classes: tuple[str, ...]
    shape: tuple[int, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)


def fingerprint(path: Path) -> str:
    """Names, sizes and times of a file, or of all files below a folder: changes when the data does."""
    digest = hashlib.sha256(str(path.resolve()).encode())
    if path.is_file():
        digest.update(_state(path.stat()))
        return digest.hexdigest()
    for folder, below, files in os.walk(path):
        below.sort()
        digest.update(os.path.relpath(folder, path).encode())
        with os.scandir(folder) as entries:
            states = {entry.name: _state(entry.stat()) for entry in entries if entry.is_file()}
        for name in sorted(files):
            digest.update(name.encode() + states.get(name, b""))
    return digest.hexdigest()


def _state(stat: os.stat_result) -> bytes:
    return f"|{stat.st_size}|{stat.st_mtime_ns}|".encode()


@contextmanager
def only_one_prepares(cache: Path) -> Iterator[None]:
    """While inside, no other process prepares data for the same cache; one that wants to waits."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = FileLock(cache / _LOCK_FILE)
        try:
            lock.acquire(timeout=_TIMEOUT_SECONDS)
        except Timeout:
            say(f"waiting for another process that prepares data in {cache}")
            lock.acquire()
    except OSError as error:
        raise TrainError(f"the cache folder {cache} cannot be written: {error}") from None
    try:
        yield
    finally:
        lock.release()


def kept(cache: Path, name: str, key: object, prepare: Callable[[Path], Source]) -> Dataset:
    """The data set ``name`` out of the cache; ``prepare`` is called first where it is not there yet.

    ``key`` is everything that decides the arrays. ``prepare`` gets a folder for files that it needs only while the
    samples are read. What has the final name in the cache is whole: an interrupted preparation starts anew.
    """
    digest = hashlib.sha256(repr((_FORMAT, key)).encode()).hexdigest()[:12]
    target = cache / f"{name}-{digest}"
    if not target.exists():
        with only_one_prepares(cache):
            if not target.exists():
                _prepare(target, name, prepare)
    return _open(target)


def _prepare(target: Path, name: str, prepare: Callable[[Path], Source]) -> None:
    aside = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(aside, ignore_errors=True)  # of a process that was killed: whoever is alive holds the lock
    arrays, scratch = aside / "arrays", aside / "scratch"
    try:
        arrays.mkdir(parents=True)
        scratch.mkdir()
        source = prepare(scratch)
        for split, samples in zip(SPLITS, (source.train, source.test), strict=True):
            np.save(arrays / f"{split}_labels.npy", samples.labels)
            _write(arrays / f"{split}_images.npy", samples, source.shape, f"{name}: preparing {split} data")
        (arrays / _CLASSES_FILE).write_text(json.dumps(source.classes))
        (arrays / _LEFT_OUT_FILE).write_text(json.dumps(source.left_out))
        arrays.replace(target)
    except OSError as error:
        raise TrainError(f"{name} cannot be kept in the cache {target.parent}: {error}") from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write(target: Path, samples: Split, shape: tuple[int, ...], title: str) -> None:
    """Write one sample after the other into an .npy file: a full disk is an OSError here, but kills a memory map."""
    descr = np.lib.format.dtype_to_descr(np.dtype(np.uint8))
    count = len(samples.labels)
    header = {"descr": descr, "fortran_order": False, "shape": (count, *shape)}
    with target.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        progress = counted(samples.images, title, count, " samples")
        for _, image in zip(range(count), progress, strict=True):
            assert image.shape == shape and image.dtype == np.uint8
            stream.write(image.tobytes())


def _open(folder: Path) -> Dataset:
    try:
        # "c" maps the file privately: torch wants arrays it could write to, and the file stays as it is.
        images = [np.load(folder / f"{split}_images.npy", mmap_mode="c") for split in SPLITS]
        labels = [np.load(folder / f"{split}_labels.npy") for split in SPLITS]
        classes = tuple(json.loads((folder / _CLASSES_FILE).read_text()))
        about = folder / _LEFT_OUT_FILE  # data that was prepared before this was noted has none
        left_out = json.loads(about.read_text()) if about.exists() else {}
    except (OSError, ValueError, EOFError, TypeError) as error:
        raise TrainError(f"the prepared data in {folder} is damaged ({error}); delete that folder") from None
    return Dataset(images[0], labels[0], images[1], labels[1], classes, left_out)
