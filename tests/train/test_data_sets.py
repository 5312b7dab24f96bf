"""CIFAR-100 and Tiny ImageNet, read from small sets in the form that the real ones have."""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import CIFAR10, CIFAR100

from sca_train.config import TrainConfig
from sca_train.data import balanced_subset, load_dataset, tiny_imagenet
from sca_train.errors import TrainError

WNIDS = ("n02", "n01", "n03")


def write_cifar100(root: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, list[int]]:
    """Batches in the form of CIFAR-100 with 20 training and 10 test images, and their checksums for torchvision."""
    random = np.random.default_rng(0)
    folder = root / CIFAR100.base_folder
    folder.mkdir(parents=True)
    images = random.integers(0, 256, (30, 3, 32, 32), dtype=np.uint8)
    labels = [int(label) for label in random.permutation(30)]
    for file, part in (("train", slice(20)), ("test", slice(20, 30))):
        batch = {"data": images[part].reshape(-1, 3072), "fine_labels": labels[part], "coarse_labels": [0] * 20}
        (folder / file).write_bytes(pickle.dumps(batch))
    (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": [f"class {number}" for number in range(100)]}))
    sums = {file.name: hashlib.md5(file.read_bytes()).hexdigest() for file in folder.iterdir()}
    monkeypatch.setattr(CIFAR100, "train_list", [["train", sums["train"]]])
    monkeypatch.setattr(CIFAR100, "test_list", [["test", sums["test"]]])
    monkeypatch.setattr(CIFAR100, "meta", {**CIFAR100.meta, "md5": sums["meta"]})
    return images.transpose(0, 2, 3, 1), labels


def test_cifar100_has_fine_labels_and_is_resized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = write_cifar100(tmp_path, monkeypatch)
    config = TrainConfig(dataset="cifar100", data=str(tmp_path), image_size=32)
    dataset = load_dataset(config)
    assert np.array_equal(dataset.train_images, images[:20])
    assert np.array_equal(dataset.test_images, images[20:])
    assert dataset.train_labels.tolist() + dataset.test_labels.tolist() == labels
    assert len(dataset.classes) == 100
    assert dataset.classes[7] == "class 7"
    assert dataset.input_shape == (32, 32, 3)
    assert dataset.static_input
    assert load_dataset(replace(config, image_size=16)).test_images.shape == (10, 16, 16, 3)
    (tmp_path / CIFAR100.base_folder / "test").write_bytes(b"torn")
    with pytest.raises(TrainError, match=r"cifar-100-python is absent, incomplete or damaged; --download fetches it"):
        load_dataset(config)


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_absent_cifar_is_said_in_one_sentence(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = TrainConfig(dataset=name, image_size=32)
    with pytest.raises(TrainError, match=f"data set {name} needs --data, the folder that holds or shall hold cifar-10"):
        load_dataset(config)
    with pytest.raises(TrainError, match=r"there is no CIFAR-100? in .*: the folder cifar-10.* is absent"):
        load_dataset(replace(config, data=str(tmp_path)))
    monkeypatch.setattr(CIFAR10, "url", (tmp_path / "nowhere").as_uri())
    monkeypatch.setattr(CIFAR100, "url", (tmp_path / "nowhere").as_uri())
    with pytest.raises(TrainError, match=r"CIFAR-100? could not be downloaded into .*: "):
        load_dataset(replace(config, data=str(tmp_path / "new"), download=True))


def write_tiny_imagenet(root: Path) -> Path:
    """A tree in the form of tiny-imagenet-200 with 3 classes of 4 training and 2 validation images; one is grey."""
    folder = root / "tiny-imagenet-200"
    (folder / "val" / "images").mkdir(parents=True)
    (folder / "wnids.txt").write_text("".join(f"{name}\n" for name in WNIDS))
    lines = []
    for label, name in enumerate(sorted(WNIDS)):
        images = folder / "train" / name / "images"
        images.mkdir(parents=True)
        (images.parent / f"{name}_boxes.txt").write_text("")
        for number in range(4):
            colour = (label * 100, number * 40, 10)
            image = Image.new("L", (64, 64), 77) if number == 3 else Image.new("RGB", (64, 64), colour)
            image.save(images / f"{name}_{number}.JPEG", quality=100)
        for number in range(2):
            file = f"val_{2 * label + 1 - number}.JPEG"
            Image.new("RGB", (64, 64), (label * 100, 0, 200)).save(folder / "val" / "images" / file, quality=100)
            lines.append(f"{file}\t{name}\t0\t0\t63\t63\n")
    (folder / "val" / "val_annotations.txt").write_text("".join(lines))
    (folder / "test" / "images").mkdir(parents=True)
    Image.new("RGB", (64, 64)).save(folder / "test" / "images" / "test_0.JPEG")
    return folder


def packed(folder: Path) -> Path:
    archive = folder.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as stream:
        for path in sorted(folder.rglob("*")):
            stream.write(path, path.relative_to(folder.parent))
    return archive


def test_tiny_imagenet_from_folder_and_archive(tmp_path: Path) -> None:
    folder = write_tiny_imagenet(tmp_path / "data")
    archive = packed(folder)
    config = TrainConfig(dataset="tiny-imagenet", image_size=64, cache=str(tmp_path / "cache"), data=str(folder))
    dataset = load_dataset(config)
    assert dataset.classes == ("n01", "n02", "n03")
    assert dataset.train_images.shape == (12, 64, 64, 3)
    assert dataset.train_labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert dataset.test_labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert np.abs(dataset.train_images[5, 9, 9].astype(int) - [100, 40, 10]).max() <= 3
    assert dataset.train_images[7, 0, 0].tolist() == [77, 77, 77]
    assert np.abs(dataset.test_images[4:, 9, 9].astype(int) - [200, 0, 200]).max() <= 3
    (tmp_path / "alone").mkdir()
    archive.rename(tmp_path / "alone" / archive.name)
    for place in (folder.parent, tmp_path / "alone", tmp_path / "alone" / archive.name):
        other = load_dataset(replace(config, data=str(place)))
        assert np.array_equal(other.train_images, dataset.train_images)
        assert np.array_equal(other.test_images, dataset.test_images)
    small = load_dataset(replace(config, image_size=32, train_images=6))
    assert small.train_images.shape == (6, 32, 32, 3)
    assert np.array_equal(small.train_labels, dataset.train_labels[balanced_subset(dataset.train_labels, 6)])


def test_tiny_imagenet_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = TrainConfig(dataset="tiny-imagenet", image_size=64, cache=str(tmp_path / "cache"))
    with pytest.raises(TrainError, match=r"needs --data: tiny-imagenet-200.zip, or the folder"):
        load_dataset(config)
    config = replace(config, data=str(tmp_path / "data"))
    with pytest.raises(TrainError, match=r"there is no Tiny ImageNet in .*--download fetches the archive there"):
        load_dataset(config)
    monkeypatch.setattr(tiny_imagenet, "ARCHIVE_URL", (tmp_path / "nowhere.zip").as_uri())
    with pytest.raises(TrainError, match=r"tiny-imagenet-200.zip could not be downloaded into"):
        load_dataset(replace(config, download=True))
    folder = write_tiny_imagenet(tmp_path / "data")
    archive = packed(folder)
    content = bytearray(archive.read_bytes())
    start = content.index(b"\xff\xd8", content.index(b"train/n01/images/n01_0"))
    content[start : start + 400] = bytes(400)
    archive.write_bytes(content)
    with pytest.raises(TrainError, match=r"archive .*tiny-imagenet-200.zip is damaged: Bad CRC-32"):
        load_dataset(replace(config, data=str(archive)))
    archive.write_bytes(content[:1000])
    with pytest.raises(TrainError, match=r"archive .*tiny-imagenet-200.zip is damaged"):
        load_dataset(replace(config, data=str(archive)))
    (folder / "val" / "images" / "val_0.JPEG").write_bytes(b"\xff\xd8 torn")
    with pytest.raises(TrainError, match=r"val/images/val_0.JPEG in .* is not an image that Pillow reads"):
        load_dataset(config)
    (folder / "val" / "images" / "val_1.JPEG").unlink()
    with pytest.raises(TrainError, match=r"val_annotations.txt in .* lists an unknown image or class: 'val_1.JPEG"):
        load_dataset(config)
    (folder / "train" / "n03" / "images").rename(folder / "train" / "n03" / "pictures")
    with pytest.raises(TrainError, match=r"has no images in train/n03/images/"):
        load_dataset(config)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_tiny_imagenet_is_downloaded_where_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = packed(write_tiny_imagenet(tmp_path / "server"))
    monkeypatch.setenv("no_proxy", "*")
    data = tmp_path / "data"
    config = TrainConfig(dataset="tiny-imagenet", image_size=16, cache=str(tmp_path / "cache"), data=str(data))
    handler = partial(SimpleHTTPRequestHandler, directory=archive.parent)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(tiny_imagenet, "ARCHIVE_URL", f"http://127.0.0.1:{server.server_port}/{archive.name}")
        with pytest.raises(TrainError, match=r"could not be downloaded .*File not found or corrupted"):
            load_dataset(replace(config, download=True))
        assert not (data / archive.name).exists()
        monkeypatch.setattr(tiny_imagenet, "ARCHIVE_MD5", hashlib.md5(archive.read_bytes()).hexdigest())
        assert load_dataset(replace(config, download=True)).train_images.shape == (12, 16, 16, 3)
        server.shutdown()
    assert load_dataset(config).classes == ("n01", "n02", "n03")


def test_interrupted_and_damaged_preparations(tmp_path: Path) -> None:
    folder = write_tiny_imagenet(tmp_path)
    cache = tmp_path / "cache"
    config = TrainConfig(dataset="tiny-imagenet", image_size=8, cache=str(cache), data=str(folder))
    first = load_dataset(config)
    (kept,) = cache.glob("tiny-imagenet-8-*")
    leftover = cache / f".{kept.name}.unfinished"
    kept.rename(leftover)  # as if the process had been killed before the rename
    again = load_dataset(config)
    assert np.array_equal(again.train_images, first.train_images)
    assert not leftover.exists()
    again.train_images[0] = 1  # private to this process
    assert np.array_equal(load_dataset(config).train_images, first.train_images)
    (kept / "test_images.npy").write_bytes((kept / "test_images.npy").read_bytes()[:-9])
    with pytest.raises(TrainError, match=r"the prepared data in .* is damaged .*; delete that folder"):
        load_dataset(config)
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(TrainError, match=r"the cache folder .* cannot be written"):
        load_dataset(replace(config, cache=str(blocked / "cache")))


def test_changed_files_are_prepared_anew(tmp_path: Path) -> None:
    folder = write_tiny_imagenet(tmp_path)
    config = TrainConfig(dataset="tiny-imagenet", image_size=8, cache=str(tmp_path / "cache"), data=str(folder))
    assert load_dataset(config).test_images[0, 0, 0, 2] > 150
    Image.new("RGB", (64, 64)).save(folder / "val" / "images" / "val_1.JPEG")
    assert load_dataset(config).test_images[0].max() == 0
