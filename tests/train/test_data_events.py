"""Event data: CIFAR10-DVS from recordings written here, and moving digits."""

from __future__ import annotations

import hashlib
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits
from spikingjelly.datasets.cifar10_dvs import CIFAR10DVS, CIFAR10DVS_CLASS_NAMES

from sca_train.config import TrainConfig
from sca_train.data import Dataset, balanced_subset, load_dataset
from sca_train.data.images import resize
from sca_train.data.moving_digits import CONTRAST, write_moving_digits
from sca_train.errors import TrainError

SAMPLES = 10
EVENTS = 90
HOT = ("cat", 3)
"""The recording in which one pixel makes 1,500 more events."""


def recording(name: str, number: int) -> NDArray[np.int64]:
    """Events t, x, y, p of one sample [4, N], in the order of time."""
    seed = [CIFAR10DVS_CLASS_NAMES.index(name), number]
    random = np.random.default_rng(seed)
    count = EVENTS + number
    rows = np.stack([np.sort(random.integers(0, 10**6, count)), *random.integers(0, 128, (2, count)), np.zeros(count)])
    rows[3] = random.integers(0, 2, count)
    if (name, number) == HOT:
        rows = np.concatenate([rows, np.tile([[10**6], [5], [77], [1]], 1500)], axis=1)
    return rows.astype(np.int64)


def aedat(rows: NDArray[np.int64]) -> bytes:
    """The recording as a DVS128 writes it: AER-DAT2.0, address and time as big-endian words."""
    t, x, y, p = rows
    address = (127 - x) << 8 | (127 - y) << 1 | (1 - p)
    return b"#!AER-DAT2.0\r\n# written by a test\r\n" + np.stack([address, t], axis=1).astype(">u4").tobytes()


def write_archives(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """download/airplane.zip and so on with 10 recordings each, and their checksums for SpikingJelly."""
    (root / "download").mkdir(parents=True)
    resources = []
    for name in CIFAR10DVS_CLASS_NAMES:
        archive = root / "download" / f"{name}.zip"
        with zipfile.ZipFile(archive, "w") as stream:
            for number in range(SAMPLES):
                stream.writestr(f"{name}/cifar10_{name}_{number}.aedat", aedat(recording(name, number)))
        resources.append((archive.name, (root / "nowhere").as_uri(), hashlib.md5(archive.read_bytes()).hexdigest()))
    monkeypatch.setattr(CIFAR10DVS, "resource_url_md5", classmethod(lambda _: resources))


def frames_of(rows: NDArray[np.int64], timesteps: int, size: int) -> NDArray[np.uint8]:
    """The recording in frames of equally many events, event by event; the last frame has the remainder too."""
    counts: Counter[tuple[int, int, int, int]] = Counter()
    each = rows.shape[1] // timesteps
    for number, (_, x, y, p) in enumerate(rows.T):
        counts[min(number // each, timesteps - 1), y * size // 128, x * size // 128, p] += 1
    frames = np.zeros((timesteps, size, size, 2), dtype=np.uint8)
    for place, count in counts.items():
        frames[place] = min(count, 255)
    return frames


def expected(timesteps: int, size: int) -> dict[bytes, int]:
    """Label of every sample's frames."""
    return {
        frames_of(recording(name, number), timesteps, size).tobytes(): label
        for label, name in enumerate(CIFAR10DVS_CLASS_NAMES)
        for number in range(SAMPLES)
    }


def found(dataset: Dataset) -> dict[bytes, int]:
    both = ((dataset.train_images, dataset.train_labels), (dataset.test_images, dataset.test_labels))
    return {frames.tobytes(): label for images, labels in both for frames, label in zip(images, labels, strict=True)}


def test_cifar10_dvs_from_its_archives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "data"
    write_archives(root, monkeypatch)
    config = TrainConfig(
        dataset="cifar10-dvs", image_size=64, timesteps=4, data=str(root), cache=str(tmp_path / "cache")
    )
    dataset = load_dataset(config)
    output = capsys.readouterr().out
    assert "has 100 samples, not all 10000" in output
    assert "cifar10-dvs: 4 event counts were above 255 and were clipped to it" in output
    assert dataset.train_images.shape == (90, 4, 64, 64, 2)
    assert np.bincount(dataset.test_labels).tolist() == [1] * 10
    assert dataset.classes == CIFAR10DVS_CLASS_NAMES
    assert dataset.input_shape == (64, 64, 2)
    assert not dataset.static_input
    assert found(dataset) == expected(4, 64)

    again = load_dataset(replace(config, train_images=30))
    chosen = balanced_subset(dataset.train_labels, 30)
    assert np.array_equal(again.train_images, dataset.train_images[chosen])
    assert np.array_equal(again.test_images, dataset.test_images)
    assert "clipped" not in capsys.readouterr().out

    full = load_dataset(replace(config, image_size=128, timesteps=2, train_images=20))
    stock = CIFAR10DVS(str(root), data_type="frame", frames_number=2, split_by="number")
    frames = {np.minimum(x, 255).astype(np.uint8).transpose(0, 2, 3, 1).tobytes(): label for x, label in stock}
    assert found(full).items() <= frames.items()
    for size in (48, 256):
        with pytest.raises(TrainError, match=f"image_size is {size}; the event frames of cifar10-dvs are 128x128"):
            load_dataset(replace(config, image_size=size))


def test_cifar10_dvs_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "data"
    config = TrainConfig(dataset="cifar10-dvs", image_size=128, timesteps=2, cache=str(tmp_path / "cache"))
    with pytest.raises(TrainError, match=r"cifar10-dvs needs --data, the folder that holds events_np/"):
        load_dataset(config)
    config = replace(config, data=str(root))
    with pytest.raises(
        TrainError, match=r"there is no CIFAR10-DVS in .*put the ten archives airplane.zip to truck.zip"
    ):
        load_dataset(config)
    assert not root.exists()
    write_archives(root, monkeypatch)
    cat = root / "download" / "cat.zip"
    whole = cat.read_bytes()
    cat.write_bytes(whole[:-9])
    with pytest.raises(TrainError, match=r"cat.zip is damaged: its MD5 sum is not "):
        load_dataset(config)
    assert cat.exists()
    with pytest.raises(TrainError, match=r"CIFAR10-DVS could not be prepared in .*; put the ten archives"):
        load_dataset(replace(config, download=True))
    assert [path.name for path in root.iterdir()] == ["download"]
    cat.write_bytes(whole)
    (root / "events_np.building").touch()
    with pytest.raises(TrainError, match=r"an unfinished preparation of CIFAR10-DVS lies in .*; delete events_np"):
        load_dataset(config)
    (root / "events_np.building").unlink()
    assert load_dataset(config).train_images.shape == (90, 2, 128, 128, 2)
    file = root / "events_np" / "dog" / "cifar10_dog_2.npz"
    np.savez(file, t=[1], x=[128], y=[0], p=[0])
    with pytest.raises(TrainError, match=r"cifar10_dog_2.npz has events outside the 128x128 pixels"):
        load_dataset(config)
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(TrainError, match=r"event file .*cifar10_dog_2.npz is damaged"):
        load_dataset(config)
    for other in (root / "events_np" / "dog").iterdir():
        if other.name != "cifar10_dog_0.npz":
            other.unlink()
    with pytest.raises(TrainError, match=r"has fewer than 10 samples of a class"):
        load_dataset(config)
    (root / "events_np" / "dog" / "cifar10_dog_0.npz").rename(root / "cifar10_dog_0.npz")
    with pytest.raises(TrainError, match=r"events_np is not complete: Found no valid file for the classes dog"):
        load_dataset(config)
    (root / "cifar10_dog_0.npz").rename(root / "events_np" / "dog" / "cifar10_dog_0.npz")
    (root / "events_np" / "dog").rename(root / "events_np" / "wolf")
    with pytest.raises(TrainError, match=r"has not the ten class folders of CIFAR10-DVS"):
        load_dataset(config)
    assert len(list((tmp_path / "cache").glob("cifar10*"))) == 1


def test_moving_digits_are_the_digits(tmp_path: Path) -> None:
    """The events of a pixel add up to the change of its brightness from where the digit started to where it ended."""
    write_moving_digits(tmp_path, 16)
    digits = load_digits()
    for number in (0, 700, 1796):
        events = np.load(tmp_path / str(digits.target[number]) / f"{number:04d}.npy")
        t, x, y, p = (events[key].astype(np.int64) for key in "txyp")
        assert (np.diff(t) >= 0).all()
        assert set(p) == {0, 1}
        total = np.zeros((16, 16), dtype=np.int64)
        np.add.at(total, (y, x), CONTRAST * (2 * p - 1))
        grey = np.rint(digits.images[number] * (255 / 16)).astype(np.uint8)
        digit = np.asarray(resize(Image.fromarray(grey), 10, 10)).astype(np.int64)
        places = [np.pad(digit, ((row, 6 - row), (column, 6 - column))) for row in range(7) for column in range(7)]
        rest = [np.abs(total - (last - first)).max() for first in places for last in places]
        assert min(rest) < CONTRAST
        assert np.median(rest) >= CONTRAST


def test_events_digits_are_prepared_once_and_always_the_same(tmp_path: Path) -> None:
    config = TrainConfig(dataset="events-digits", image_size=16, timesteps=4, cache=str(tmp_path / "one"))
    dataset = load_dataset(config)
    assert dataset.train_images.shape == (1438, 4, 16, 16, 2)
    assert dataset.test_images.shape == (359, 4, 16, 16, 2)
    assert dataset.classes == tuple("0123456789")
    assert np.array_equal(dataset.test_labels, np.sort(load_dataset(TrainConfig()).test_labels))
    events = dataset.test_images.astype(np.int64).sum(axis=(2, 3, 4))
    assert events.min() > 10
    assert np.abs(events - events[:, :1]).max() < 4  # frames of equally many events
    assert (dataset.test_images.sum(axis=(1, 2, 3)) > 0).all()  # both polarities
    elsewhere = load_dataset(replace(config, cache=str(tmp_path / "two")))
    assert np.array_equal(elsewhere.train_images, dataset.train_images)
    (kept,) = (tmp_path / "one").glob("events-digits-16-T4-*")
    state = (kept / "train_images.npy").stat()
    assert np.array_equal(load_dataset(config).train_images, dataset.train_images)
    assert (kept / "train_images.npy").stat() == state
    with pytest.raises(TrainError, match="image_size is 4; digits move on a canvas of at least 8 pixels"):
        load_dataset(replace(config, image_size=4))
