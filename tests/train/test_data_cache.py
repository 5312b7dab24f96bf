"""The cache of prepared data: prepared once, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep

import numpy as np
import pytest
from numpy.typing import NDArray

from sca_train.data.cache import Source, Split, fingerprint, kept
from sca_train.errors import TrainError

LABELS = np.array([0, 1, 1], dtype=np.int64)


def images(count: int, wait: float = 0.0) -> Iterator[NDArray[np.uint8]]:
    for number in range(count):
        sleep(wait)
        yield np.full((4, 4, 3), number, dtype=np.uint8)


def source(count: int = 3, wait: float = 0.0) -> Source:
    return Source(Split(LABELS, images(count, wait)), Split(LABELS[:2], images(2)), ("cat", "dog"), (4, 4, 3))


def test_prepared_data_is_what_was_prepared(tmp_path: Path) -> None:
    dataset = kept(tmp_path / "cache", "pets", "key", lambda _: source())
    assert dataset.train_images.shape == (3, 4, 4, 3)
    assert dataset.train_images[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert dataset.test_images[:, 3, 3, 2].tolist() == [0, 1]
    assert dataset.train_labels.tolist() == [0, 1, 1]
    assert dataset.classes == ("cat", "dog")
    assert isinstance(dataset.train_images, np.memmap)
    assert not isinstance(dataset.train_images[[0, 2]], np.memmap)


def test_only_one_of_several_prepares(tmp_path: Path) -> None:
    prepared = []

    def prepare(scratch: Path) -> Source:
        prepared.append(scratch)
        return source(wait=0.02)

    with ThreadPoolExecutor(4) as pool:
        sets = list(pool.map(lambda _: kept(tmp_path, "pets", "key", prepare), range(4)))
    assert len(prepared) == 1
    assert not prepared[0].exists()
    assert all(np.array_equal(dataset.train_images, sets[0].train_images) for dataset in sets)
    kept(tmp_path, "pets", "another key", prepare)
    assert len(prepared) == 2


@pytest.mark.parametrize("error", [TrainError("a bad image"), KeyboardInterrupt()])
def test_a_failed_preparation_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    def fail(_: Path) -> Source:
        def torn() -> Iterator[NDArray[np.uint8]]:
            yield from images(1)
            raise error

        return Source(Split(LABELS, torn()), Split(LABELS[:2], images(2)), ("cat", "dog"), (4, 4, 3))

    with pytest.raises(type(error)):
        kept(tmp_path, "pets", "key", fail)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    assert len(kept(tmp_path, "pets", "key", lambda _: source()).train_labels) == 3


def test_fingerprint_changes_with_the_files(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x").write_text("1")
    seen = {fingerprint(tmp_path), fingerprint(tmp_path / "b" / "x")}
    assert fingerprint(tmp_path) in seen
    (tmp_path / "b" / "x").write_text("12")
    seen |= {fingerprint(tmp_path), fingerprint(tmp_path / "b" / "x")}
    (tmp_path / "b" / "x").rename(tmp_path / "x")
    seen.add(fingerprint(tmp_path))
    assert len(seen) == 5
