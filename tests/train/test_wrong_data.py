"""Trees and archives of images in which something is odd: told or counted, and never lost without a word."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sca_train.config import TrainConfig
from sca_train.data import load_dataset, summary
from sca_train.data.dataset import Dataset
from sca_train.errors import TrainError
from tests.train.test_data import write_tree

BLOCK = tarfile.BLOCKSIZE
END = bytes(2 * BLOCK)


def load(source: Path, tmp_path: Path) -> Dataset:
    return load_dataset(TrainConfig(dataset="folder", image_size=16, data=str(source), cache=str(tmp_path / "cache")))


def refused(source: Path, tmp_path: Path) -> str:
    with pytest.raises(TrainError) as error:
        load(source, tmp_path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree")
    (tree / "train" / ".ipynb_checkpoints").mkdir()
    for name in (".DS_Store", "train/.ipynb_checkpoints/0.png", "train/cat/._0.png", "test/dog/.DS_Store"):
        (tree / name).write_bytes(b"no image")
    (tree / "__MACOSX" / "train" / "cat").mkdir(parents=True)
    for name in ("train/cat/notes.txt", "train/cat/a.TIF", "README", "val", "train/list.csv"):
        (tree / name).write_text("")
    (tree / "train" / "cat" / "more").mkdir()
    Image.new("RGB", (8, 8)).save(tree / "train" / "cat" / "more" / "0.png")
    archive = tmp_path / "tree.tar"
    with tarfile.open(archive, "w") as stream:
        stream.add(tree, "data")
    found = load(tree, tmp_path)
    told = {".tif": 1, ".txt": 1, "beside the class folders": 3, "in folders below those of the classes": 1}
    assert found.left_out == {**told, "hidden": 5}
    assert summary(found).splitlines() == [
        "images of each class (training + test): cat 3 + 2, dog 3 + 2",
        "left out: 1 .tif, 1 .txt, 3 beside the class folders, 5 hidden, 1 in folders below those of the classes",
    ]
    packed = load(archive, tmp_path)
    assert packed.left_out == {**told, "hidden": 4}
    assert load(archive, tmp_path).left_out == packed.left_out, "from the cache"
    assert np.array_equal(packed.train_images, found.train_images)


def with_owls(add: Callable[[Path], object]) -> Callable[[Path], None]:
    def change(tree: Path) -> None:
        for split in ("train", "test"):
            (tree / split / "owl").mkdir()
            add(tree / split / "owl")

    return change


def deeper(folder: Path) -> None:
    (folder / "all").mkdir()
    Image.new("RGB", (8, 8)).save(folder / "all" / "0.png")


CHANGES = {
    "no image that is read in train/owl (empty), test/owl (empty)": with_owls(lambda folder: None),
    "no image that is read in train/owl (1 .tif)": with_owls(lambda folder: (folder / "0.tif").write_bytes(b"II")),
    "train/owl (1 in folders below those of the classes)": with_owls(deeper),
    "has the class 'owl' in train/ but not in test/": lambda tree: (tree / "train" / "owl").mkdir(),
    "has the class 'emu' in test/ but not in train/": lambda tree: (tree / "test" / "emu").mkdir(),
    "has only the class 'cat'; a network tells at least two apart": lambda tree: [
        shutil.rmtree(tree / split / "dog") for split in ("train", "test")
    ],
    "has no images in test/<class>/": lambda tree: shutil.rmtree(tree / "test"),
}


@pytest.mark.parametrize("sentence", CHANGES)
def test_classes_without_images_are_named(sentence: str, tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree")
    CHANGES[sentence](tree)
    assert sentence in refused(tree, tmp_path)
    archive = tmp_path / "tree.tar"
    with tarfile.open(archive, "w") as stream:
        stream.add(tree, "data")
    assert sentence in refused(archive, tmp_path)


@pytest.mark.parametrize("target", ["/dev/zero", "/dev/null", "pipe", "/nowhere"])
def test_images_and_data_that_are_no_files_are_refused(target: str, tmp_path: Path) -> None:
    if target == "pipe":
        os.mkfifo(tmp_path / "pipe")
        target = str(tmp_path / "pipe")
    tree = write_tree(tmp_path / "tree")
    (tree / "train" / "cat" / "9.png").symlink_to(target)
    assert "9.png" in refused(tree, tmp_path)
    assert target in refused(Path(target), tmp_path)


def test_linked_images_and_classes_are_read(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree")
    shutil.move(tree / "train" / "cat", tmp_path / "elsewhere")
    (tree / "train" / "cat").symlink_to(tmp_path / "elsewhere")
    (tree / "train" / "dog" / "9.png").symlink_to(tmp_path / "elsewhere" / "0.png")
    assert np.bincount(load(tree, tmp_path).train_labels).tolist() == [3, 4]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    tree = write_tree(folder / "tree")
    with tarfile.open(folder / "tree.tar", "w") as stream:
        for split in ("train", "test"):
            stream.add(tree / split, split)
    return folder / "tree.tar"


def end_of(archive: Path) -> int:
    """Where the two blocks of zeros begin."""
    with tarfile.open(archive) as stream:
        stream.getmembers()
        return stream.offset


def test_an_archive_that_is_cut_anywhere_is_refused(archive: Path, tmp_path: Path) -> None:
    whole, end, cut = archive.read_bytes(), end_of(archive), tmp_path / "cut.tar"
    with tarfile.open(archive) as stream:
        places = [place for member in stream for place in (member.offset, member.offset + 100, member.offset_data + 7)]
    for place in [*places[6:], end, end + BLOCK, end + 2 * BLOCK - 1]:
        cut.write_bytes(whole[:place])
        refused(cut, tmp_path)
    for packed in (gzip.compress(whole[:end]), gzip.compress(whole)[:-9]):
        cut.write_bytes(packed)
        assert "is damaged" in refused(cut, tmp_path)
    checksum = bytearray(gzip.compress(whole))
    checksum[-6] ^= 1
    cut.write_bytes(checksum)
    assert "CRC" in refused(cut, tmp_path)
    cut.write_bytes(whole[: end + 2 * BLOCK])
    assert len(load(cut, tmp_path).train_labels) == 6


def header(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.type, member.linkname = size, kind, link
    return member.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    ("added", "sentence"),
    [
        (header("train/cat/9.png", 10**13), "is a file of 10000000000000 bytes; no image is"),
        (header("train/cat/9.png", 10**9), "is damaged: unexpected end of data"),
        (header("train/cat/9.txt", 10**13), "is damaged: unexpected end of data"),
        (header("x", 10**13, tarfile.GNUTYPE_LONGNAME), "is damaged"),
        (header("x", 10**13, tarfile.XHDTYPE), "is damaged"),
        (header("train/cat/9.png", -512), "claims -512 bytes"),
        (header("train/cat/9.png", kind=tarfile.GNUTYPE_SPARSE), "is a sparse file"),
        (header("train/cat/9.png", kind=tarfile.LNKTYPE, link="pool/9"), "is a hard link to pool/9, which is no image"),
        (bytes([7]) * BLOCK, "is damaged: it stops after a whole file, before its end"),
    ],
)
def test_members_that_claim_what_is_not_there_are_refused(
    added: bytes, sentence: str, archive: Path, tmp_path: Path
) -> None:
    odd = tmp_path / "odd.tar"
    odd.write_bytes(archive.read_bytes()[: end_of(archive)] + added + END)
    assert sentence in refused(odd, tmp_path)


def test_hard_links_are_images_and_other_links_are_counted(archive: Path, tmp_path: Path) -> None:
    odd = tmp_path / "odd.tar"
    added = header("train/cat/8.png", kind=tarfile.LNKTYPE, link="train/dog/1.png")
    added += header("train/cat/9.png", kind=tarfile.SYMTYPE, link="0.png") + header(
        "train/dog/pipe", kind=tarfile.FIFOTYPE
    )
    odd.write_bytes(archive.read_bytes()[: end_of(archive)] + added + END)
    found = load(odd, tmp_path)
    assert found.left_out == {"links and special files": 2}
    assert found.train_labels.tolist() == [0] * 4 + [1] * 3
    assert np.array_equal(found.train_images[3], found.train_images[5])


def test_of_two_members_of_a_name_the_later_one_counts(archive: Path, tmp_path: Path) -> None:
    image = tmp_path / "new.png"
    Image.new("RGB", (16, 16), (9, 9, 9)).save(image)
    twice = Path(shutil.copy(archive, tmp_path / "twice.tar"))
    with tarfile.open(twice, "a") as stream:
        stream.add(image, "./train/cat/0.png")
    found = load(twice, tmp_path)
    assert len(found.train_labels) == 6 and (found.train_images[0] == 9).all()


@pytest.mark.parametrize("prefix", ["", "./", "data/", "train/", ".hidden/", "a/b/"])
def test_trees_lie_at_any_place_of_an_archive(prefix: str, archive: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved.tar"
    with tarfile.open(moved, "w") as stream:
        for split in ("train", "test"):
            stream.add(archive.parent / "tree" / split, prefix + split)
    assert load(moved, tmp_path).classes == ("cat", "dog")


def test_many_classes_are_summed_up() -> None:
    labels = np.repeat(np.arange(30), 2)
    images = np.zeros((60, 1, 1, 1), np.uint8)
    dataset = Dataset(images, labels, images[:30], labels[::2], tuple(map(str, range(30))))
    assert summary(dataset) == "images of each of 30 classes: 2 to 2 for training, 1 to 1 for the test"


def test_an_archive_need_not_hold_the_folders_themselves(archive: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.tar"
    with tarfile.open(archive) as stream, tarfile.open(bare, "w") as copy:
        for member in stream:
            if not member.isdir():
                copy.addfile(member, stream.extractfile(member))
    found, whole = load(bare, tmp_path), load(archive, tmp_path)
    assert found.classes == whole.classes
    assert np.array_equal(found.train_images, whole.train_images)
