"""Data sets: shapes, splits, and trees of class folders as directory and as archive."""

from __future__ import annotations

import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from sca_train.config import TrainConfig
from sca_train.data import balanced_subset, load_dataset
from sca_train.errors import TrainError


def test_digits_at_eight_pixels_are_the_originals() -> None:
    dataset = load_dataset(TrainConfig(image_size=8))
    assert dataset.train_images.shape[1:] == (8, 8, 1)
    assert len(dataset.train_labels) + len(dataset.test_labels) == 1797
    everything = np.concatenate([dataset.train_images, dataset.test_images])[..., 0]
    originals = np.rint(load_digits().images * 255 / 16).astype(np.uint8)
    assert sorted(image.tobytes() for image in everything) == sorted(image.tobytes() for image in originals)
    for label in range(10):
        members = (load_digits().target == label).sum()
        assert (dataset.test_labels == label).sum() == round(members * 0.2)


def test_digits_are_resized_and_always_the_same() -> None:
    first, second = load_dataset(TrainConfig(image_size=16)), load_dataset(TrainConfig(image_size=16))
    assert first.test_images.shape == (359, 16, 16, 1)
    assert first.test_images.dtype == np.uint8
    assert first.test_images.max() == 255
    assert np.array_equal(first.test_images, second.test_images)


def test_balanced_subset_takes_the_same_number_of_each_class() -> None:
    labels = np.repeat(np.arange(5), 20)
    chosen = balanced_subset(labels, 15)
    assert np.array_equal(np.bincount(labels[chosen]), [3] * 5)
    assert len(np.unique(chosen)) == 15
    assert len(load_dataset(TrainConfig(train_images=100)).train_labels) == 100


def write_tree(root: Path, classes: tuple[str, ...] = ("cat", "dog")) -> Path:
    """A tree of 3 training and 2 test images of each class; cats are black, dogs bright."""
    for split, count in (("train", 3), ("test", 2)):
        for label, name in enumerate(classes):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (40, 36), (label * 200, number, 7)).save(folder / f"{number}.png")
    return root


def test_folder_and_archive_hold_the_same_images(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree")
    archive = tmp_path / "tree.tar.xz"
    with tarfile.open(archive, "w:xz") as stream:
        for split in ("train", "test"):
            stream.add(tree / split, split)
    config = TrainConfig(dataset="folder", image_size=32, cache=str(tmp_path / "cache"))
    unpacked = load_dataset(replace(config, data=str(tree)))
    packed = load_dataset(replace(config, data=str(archive)))
    cached = load_dataset(replace(config, data=str(archive)))
    assert len(list((tmp_path / "cache").glob("tree-32-*"))) == 2
    assert unpacked.train_images.shape == (6, 32, 32, 3)
    assert unpacked.test_labels.tolist() == [0, 0, 1, 1]
    assert unpacked.test_images[:, 0, 0].tolist() == [[0, 0, 7], [0, 1, 7], [200, 0, 7], [200, 1, 7]]
    for other in (packed, cached):
        assert other.classes == ("cat", "dog")
        assert np.array_equal(other.train_images, unpacked.train_images)
        assert np.array_equal(other.test_labels, unpacked.test_labels)


def test_folder_errors(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree")
    config = TrainConfig(dataset="folder", image_size=32, data=str(tree), cache=str(tmp_path / "cache"))
    (tree / "test" / "owl").mkdir()
    Image.new("RGB", (8, 8)).save(tree / "test" / "owl" / "0.png")
    with pytest.raises(TrainError, match="has the class 'owl' in test/ but not in train/"):
        load_dataset(config)
    shutil.rmtree(tree / "test" / "owl")
    (tree / "test" / "cat" / "9.png").write_bytes(b"no image")
    with pytest.raises(TrainError, match="is not an image that Pillow reads"):
        load_dataset(config)
    (tmp_path / "bare").mkdir()
    with pytest.raises(TrainError, match=r"has no images in train/<class>/"):
        load_dataset(replace(config, data=str(tmp_path / "bare")))
    torn = tmp_path / "torn.tar.xz"
    with tarfile.open(torn, "w:xz") as stream:
        stream.add(tree, "tree")
    torn.write_bytes(torn.read_bytes()[:-200])
    with pytest.raises(TrainError):
        load_dataset(replace(config, data=str(torn)))
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [".lock"]
