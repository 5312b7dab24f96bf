"""What the driver reads: network.json, golden images, pictures and folders."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hanging_accelerator import SHAPE, hanging_rtl
from package_folder import package_folder, write_golden
from PIL import Image
from spikefold_driver import Accelerator, DescriptionError, ImageError, MissingPackageError, read_description
from spikefold_driver.images import load_images
from spikefold_driver.pictures import read_picture
from trained_digits import ROOT

from sca_train.data import images as project


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return package_folder(tmp_path / "package", hanging_rtl(tmp_path), SHAPE)


def test_a_whole_description(folder: Path) -> None:
    description = read_description(folder)
    assert description == read_description(folder / "network.json")
    assert (description.input.words, description.output.stream_bytes, description.classes) == (4, 2, 1)
    assert description.folder == folder


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"format": 2}, "format 2, and this driver knows format 1"),
    ({"shell": "pcie"}, "shell 'pcie' is none of dma, uart"),
    ({"clock_mhz": 0}, "clock_mhz is 0"),
    ({"clock_mhz": "fast"}, "damaged"),
    ({"network": "xyz"}, "damaged"),
    ({"bitstream": "../../other.bit"}, "no plain file name"),
    ({"class_names": ["a", "b"]}, "2 class names for 1 classes"),
    ({"cycles": {"latency": 0, "interval": 3}}, "cycles.latency is 0"),
    ({"input": None}, "damaged"),
    ({"output": {"classes": 1}}, "has no 'lanes'"),
    ({"input.shape": [2, 2]}, "input.shape has 2 dimensions"),
    ({"input.shape": [2, 3, 1]}, "does not fit its words"),
    ({"input.words": True}, "input.words is True"),
    ({"input.bytes": 2}, "input.bytes 2 does not hold 1 x 8 bits"),
    ({"input.stream_bytes": 3}, "input.stream_bytes is 3"),
    ({"output.classes": 2}, "2 classes do not fit the output words"),
]


@pytest.mark.parametrize(("changes", "sentence"), WRONG, ids=[sentence for _, sentence in WRONG])
def test_damaged_descriptions(changes: dict[str, Any], sentence: str, folder: Path) -> None:
    file = folder / "network.json"
    content = json.loads(file.read_text())
    for name, value in changes.items():
        part, _, key = name.rpartition(".")
        (content[part] if part else content)[key] = value
    file.write_text(json.dumps(content))
    with pytest.raises(DescriptionError) as raised:
        read_description(folder)
    assert sentence in str(raised.value)
    assert "make the package again" in raised.value.next_step


def test_no_description(folder: Path) -> None:
    with pytest.raises(DescriptionError, match="does not exist; give the folder of an unpacked package"):
        read_description(folder.parent)
    for damaged in (b"", b"[1]", b"{", b"\xff\xfe"):
        (folder / "network.json").write_bytes(damaged)
        with pytest.raises(DescriptionError, match="make the package again"):
            read_description(folder)


def _pictures(folder: Path) -> list[Path]:
    """Pictures of many kinds: modes, sizes, 16 bits, transparency, orientation, formats."""
    random = np.random.default_rng(3)
    colours = Image.fromarray(random.integers(0, 256, (23, 31, 3), dtype=np.uint8))
    grey = colours.convert("L")
    made: dict[str, Any] = {
        "colours.png": (colours, {}),
        "photo.jpg": (colours, {"quality": 90}),
        "grey.bmp": (grey, {}),
        "palette.gif": (colours.convert("P"), {}),
        "palette-transparent.png": (colours.convert("P"), {"transparency": 7}),
        "alpha.png": (Image.fromarray(random.integers(0, 256, (9, 40, 4), dtype=np.uint8), "RGBA"), {}),
        "grey-alpha.png": (Image.fromarray(random.integers(0, 256, (16, 16, 2), dtype=np.uint8), "LA"), {}),
        "sixteen.png": (Image.fromarray(random.integers(0, 65536, (20, 20), dtype=np.uint16)), {}),
        "two-levels.png": (grey.convert("1"), {}),
        "net.pgm": (grey, {}),
        "web.webp": (colours, {"lossless": True}),
    }
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        made[f"turned-{orientation}.png"] = (colours, {"exif": exif})
    for name, (image, options) in made.items():
        image.save(folder / name, **options)
    return [folder / name for name in made]


@pytest.mark.parametrize("shape", [(16, 16, 1), (16, 16, 3), (31, 7, 3)])
def test_pictures_are_those_of_the_project(shape: tuple[int, ...], tmp_path: Path) -> None:
    for file in [*_pictures(tmp_path), *sorted((ROOT / "zoo" / "images").glob("*.png"))]:
        np.testing.assert_array_equal(
            read_picture(file, shape), project.read_picture(file, shape).pixels, err_msg=file.name
        )


def test_files_that_are_no_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ImageError, match=r"text\.png is no picture that Pillow reads"):
        read_picture(tmp_path / "text.png", (16, 16, 1))
    Image.new("F", (4, 4)).save(tmp_path / "float.tiff")
    with pytest.raises(ImageError, match="no picture that Pillow reads"):
        read_picture(tmp_path / "float.tiff", (16, 16, 1))
    Image.new("L", (4, 4)).save(tmp_path / "grey.png")
    with pytest.raises(ImageError, match="the network takes"):
        read_picture(tmp_path / "grey.png", (4, 16, 16, 1))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4)
    with pytest.raises(ImageError, match="more than 4 pixels; make it smaller"):
        read_picture(tmp_path / "grey.png", (16, 16, 1))
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingPackageError, match="Pillow is not installed; `pip install Pillow`"):
        read_picture(tmp_path / "grey.png", (16, 16, 1))


def test_packages_that_are_not_installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pynq", "serial"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingPackageError, match="the package pynq is not installed; run this in the Python of"):
        Accelerator.open(folder)
    with pytest.raises(MissingPackageError, match="the package pyserial is not installed; `pip install pyserial`"):
        Accelerator.open(folder, "uart", port="/dev/null")
    with pytest.raises(DescriptionError, match="there is no transport 'usb'"):
        Accelerator.open(folder, "usb")
    with pytest.raises(DescriptionError, match="'simulation' without a board"):
        Accelerator.open(folder, "simulation")


def test_folders_and_arrays(folder: Path, tmp_path: Path) -> None:
    description = read_description(folder)
    images = np.random.default_rng(1).integers(0, 256, (3, *SHAPE), dtype=np.uint8)
    place = tmp_path / "images"
    place.mkdir()
    with pytest.raises(ImageError, match="holds no image"):
        load_images(place, description)
    np.save(place / "b.npy", images[:2])
    np.save(place / "a.npy", images[2])
    Image.fromarray(images[0, :, :, 0]).save(place / "c.png")
    (place / "notes.txt").write_text("passed over")
    loaded, names = load_images(place, description)
    assert names == ["a.npy", "b.npy[0]", "b.npy[1]", "c.png"]
    np.testing.assert_array_equal(loaded, images[[2, 0, 1, 0]])
    with pytest.raises(ImageError, match="there is no image file"):
        load_images(tmp_path / "none.npy", description)
    np.save(place / "b.npy", images.astype(np.float32))
    with pytest.raises(ImageError, match=r"b\.npy: the images are of type float32"):
        load_images(place / "b.npy", description)
    np.save(place / "b.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(ImageError, match=r"b\.npy is no readable \.npy array"):
        load_images(place / "b.npy", description)
    np.savez(place / "d.npz", images=images)
    (place / "d.npz").rename(place / "d.npy")
    with pytest.raises(ImageError, match="an archive of several arrays"):
        load_images(place / "d.npy", description)
    content = bytearray((place / "a.npy").read_bytes())
    content[content.index(b"}")] = ord("{")  # for which some versions of numpy raise what is no ValueError
    (place / "a.npy").write_bytes(content)
    with pytest.raises(ImageError, match=r"a\.npy is no readable \.npy array"):
        load_images(place / "a.npy", description)


def _without_a_board(folder: Path, batch: int | None = None) -> Accelerator:
    return Accelerator(cast(Any, SimpleNamespace(description=read_description(folder), max_frames=4)), batch)


IMAGES, LOGITS = np.zeros((2, *SHAPE), np.uint8), np.zeros((2, 1), np.int32)
APART: dict[str, dict[str, Any]] = {
    "no image": {"images": IMAGES[:0], "logits": LOGITS[:0]},
    "a number": {"images": np.uint8(1), "logits": LOGITS},
    "logits of fewer": {"images": IMAGES, "logits": LOGITS[:1]},
    "logits of more classes": {"images": IMAGES, "logits": np.zeros((2, 3), np.int32)},
    "labels of fewer": {"images": IMAGES, "logits": LOGITS, "labels": np.zeros(1, np.int32)},
}


@pytest.mark.parametrize("golden", APART)
def test_golden_images_that_do_not_belong_together(golden: str, folder: Path) -> None:
    """A self-test that compares nothing must not pass."""
    write_golden(folder, **APART[golden])
    with pytest.raises(DescriptionError, match="do not belong together; copy the whole package again"):
        _without_a_board(folder).self_test()


def test_damaged_golden_images(folder: Path) -> None:
    """Wherever a byte is wrong: zlib and zipfile raise errors of their own."""
    random = np.random.default_rng(7)
    write_golden(folder, random.integers(0, 256, (16, *SHAPE), dtype=np.uint8), np.zeros((16, 1), np.int32))
    whole = (folder / "golden.npz").read_bytes()
    start = whole.index(b"images.npy") + 64  # behind the header, whose fields zipfile does not all read
    for at in range(start, start + 64):
        (folder / "golden.npz").write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with pytest.raises(DescriptionError, match=r"golden images .* copy the whole package again"):
            _without_a_board(folder).self_test()


@pytest.mark.parametrize("batch", [0, -1])
def test_a_batch_of_no_images(batch: int, folder: Path) -> None:
    with pytest.raises(DescriptionError, match=f"a batch of {batch} images is none; give batch= of 1 or more"):
        _without_a_board(folder, batch)
