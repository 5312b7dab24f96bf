"""Image files as networks take them: formats, depths, transparency, orientation, sizes, and what is rejected."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from sca_train.data.images import FORMATS, decoded, read_picture, resize
from sca_train.errors import TrainError

RGB = (8, 8, 3)
GREY = (8, 8, 1)


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def rejected(path: Path, shape: tuple[int, ...] = RGB) -> str:
    with pytest.raises(TrainError) as error:
        read_picture(path, shape)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", ["x.png", "x.bmp", "x.ppm", "x.webp"])
def test_pixels_of_lossless_formats_arrive_unchanged(tmp_path: Path, name: str) -> None:
    pixels = noise(*RGB)
    options = {"lossless": True} if name.endswith("webp") else {}
    picture = read_picture(saved(tmp_path / name, Image.fromarray(pixels), **options), RGB)
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert picture.changes == ()


def test_jpeg_and_gif_are_read(tmp_path: Path) -> None:
    pixels = np.full(RGB, (200, 40, 90), np.uint8)
    jpeg = read_picture(saved(tmp_path / "x.jpg", Image.fromarray(pixels), quality=100), RGB).pixels
    assert np.abs(jpeg.astype(int) - pixels).max() <= 3
    np.testing.assert_array_equal(read_picture(saved(tmp_path / "x.gif", Image.fromarray(pixels)), RGB).pixels, pixels)


def test_grey_pictures_for_colour_networks_and_the_other_way_round(tmp_path: Path) -> None:
    grey = noise(8, 8)
    path = saved(tmp_path / "grey.png", Image.fromarray(grey))
    np.testing.assert_array_equal(read_picture(path, RGB).pixels, np.repeat(grey[..., None], 3, axis=2))
    np.testing.assert_array_equal(read_picture(path, GREY).pixels, grey[..., None])
    same = saved(tmp_path / "same.png", Image.fromarray(np.repeat(grey[..., None], 3, axis=2)))
    np.testing.assert_array_equal(read_picture(same, GREY).pixels, grey[..., None])
    assert read_picture(same, GREY).changes == ()
    colour = read_picture(saved(tmp_path / "red.png", Image.new("RGB", (8, 8), (255, 0, 0))), GREY)
    assert (colour.pixels[0, 0, 0], colour.changes) == (76, ("turned to grey",))


@pytest.mark.parametrize("name", ["deep.png", "deep.pgm"])
def test_sixteen_bit_grey_is_scaled_to_eight(tmp_path: Path, name: str) -> None:
    levels = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    path = saved(tmp_path / name, Image.fromarray(levels))
    pixels = read_picture(path, GREY).pixels[..., 0]
    np.testing.assert_array_equal(pixels, np.rint(levels / 257).astype(np.uint8))
    assert (pixels.min(), pixels.max()) == (0, 255)
    np.testing.assert_array_equal(decoded(path.read_bytes(), 8, "x"), np.repeat(pixels[..., None], 3, axis=2))


def test_palettes_and_transparency(tmp_path: Path) -> None:
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([10, 20, 30, 200, 100, 50])
    opaque = read_picture(saved(tmp_path / "palette.png", palette), RGB)
    assert (opaque.pixels[3, 3].tolist(), opaque.changes) == ([200, 100, 50], ())
    clear = read_picture(saved(tmp_path / "clear.png", palette, transparency=1), RGB)
    assert (clear.pixels[3, 3].tolist(), clear.changes) == ([0, 0, 0], ("laid on black where it is transparent",))
    half = read_picture(saved(tmp_path / "half.png", Image.new("RGBA", (8, 8), (200, 100, 50, 128))), RGB)
    assert half.pixels[0, 0].tolist() == [100, 50, 25]
    whole = read_picture(saved(tmp_path / "whole.png", Image.new("RGBA", (8, 8), (200, 100, 50, 255))), RGB)
    assert (whole.pixels[0, 0].tolist(), whole.changes) == ([200, 100, 50], ())
    grey = read_picture(saved(tmp_path / "la.png", Image.new("LA", (8, 8), (200, 128))), GREY)
    assert grey.pixels[0, 0, 0] == 100
    deep = Image.fromarray(np.full((8, 8), 40000, np.uint16))
    assert read_picture(saved(tmp_path / "deep.png", deep, transparency=40000), GREY).pixels.max() == 0


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    pixels = noise(*RGB)
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path / "turned.png", Image.fromarray(pixels), exif=exif)
    np.testing.assert_array_equal(read_picture(path, RGB).pixels, np.rot90(pixels, -1))
    np.testing.assert_array_equal(decoded(path.read_bytes(), 8, "x"), np.rot90(pixels, -1))


def exif_of(*entries: tuple[int, int, int, int]) -> bytes:
    """EXIF data of entries (tag, type, count, value), little endian."""
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + packed + bytes(4)


def test_damaged_exif_data_does_not_keep_a_picture_out(tmp_path: Path) -> None:
    """Entries of the wrong type or place, at which Pillow's own exif_transpose fails."""
    image = Image.fromarray(noise(*RGB))
    plain = read_picture(saved(tmp_path / "plain.jpg", image), RGB).pixels
    turned = (0x0112, 3, 1, 6)
    for other in ((0x010F, 11, 2, 8), (0x011A, 7, 8, 0), (0x8825, 9, 2, 20)):
        exif = exif_of(*sorted((turned, other)))
        pixels = read_picture(saved(tmp_path / "turned.jpg", image, exif=exif), RGB).pixels
        np.testing.assert_array_equal(pixels, np.rot90(plain, -1))
    for exif in (b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\x7f"):
        pixels = read_picture(saved(tmp_path / "damaged.jpg", image, exif=exif), RGB).pixels
        np.testing.assert_array_equal(pixels, plain)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_as_pillow_turns_it(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / "turned.png", Image.fromarray(noise(*RGB)), exif=exif)
    expected = ImageOps.exif_transpose(Image.open(path))
    np.testing.assert_array_equal(read_picture(path, RGB).pixels, np.asarray(expected))


def test_the_middle_is_kept_and_resized(tmp_path: Path) -> None:
    pixels = np.zeros((8, 20, 3), np.uint8)
    pixels[:, 6:14] = noise(*RGB)
    picture = read_picture(saved(tmp_path / "wide.png", Image.fromarray(pixels)), RGB)
    np.testing.assert_array_equal(picture.pixels, pixels[:, 6:14])
    assert picture.changes == ("resized to 8 x 8 from the middle of 20 x 8 pixels",)
    tall = read_picture(saved(tmp_path / "tall.png", Image.fromarray(noise(50, 16, 3))), RGB)
    expected = Image.fromarray(noise(50, 16, 3)[17:33]).resize((8, 8), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(tall.pixels, np.asarray(expected))
    thin = read_picture(saved(tmp_path / "thin.png", Image.new("RGB", (900, 1), (7, 8, 9))), RGB)
    assert np.unique(thin.pixels.reshape(-1, 3), axis=0).tolist() == [[7, 8, 9]]
    assert resize(Image.new("L", (30, 20)), 4, 8).size == (8, 4)


def test_what_is_no_image_file(tmp_path: Path) -> None:
    assert "there is no image file" in rejected(tmp_path / "gone.png")
    assert "is a folder; name one image file" in rejected(tmp_path)
    os.mkfifo(tmp_path / "pipe.png")
    assert "is no regular file" in rejected(tmp_path / "pipe.png")
    for name, content in (("empty.png", b""), ("text.png", b"hello"), ("zeros.jpg", bytes(100))):
        (tmp_path / name).write_bytes(content)
        assert f"{name} is not an image that Pillow reads as one of PNG, JPEG," in rejected(tmp_path / name)


@pytest.mark.parametrize("form", ["EPS", "TIFF", "PDF", "ICO", "TGA"])
def test_other_formats_stay_closed_whatever_their_name(tmp_path: Path, form: str) -> None:
    content = io.BytesIO()
    Image.new("RGB", (16, 16), (1, 2, 3)).save(content, form)
    (tmp_path / "cat.png").write_bytes(content.getvalue())
    assert "is not an image that Pillow reads as one of" in rejected(tmp_path / "cat.png")


@pytest.mark.parametrize("form", FORMATS)
def test_torn_files_are_rejected(tmp_path: Path, form: str) -> None:
    content = io.BytesIO()
    Image.fromarray(noise(40, 40, 3)).save(content, form)
    whole = content.getvalue()
    for length in (len(whole) // 2, len(whole) - 40):
        (tmp_path / "torn").write_bytes(whole[:length])
        assert "is not an image that Pillow reads" in rejected(tmp_path / "torn")


def test_damaged_files_give_one_sentence_or_an_image(tmp_path: Path) -> None:
    """Bytes changed anywhere: a TrainError or pixels of the right shape, and nothing else."""
    generator = np.random.default_rng(1)
    refusals = 0
    for form in FORMATS:
        content = io.BytesIO()
        Image.fromarray(noise(24, 24, 3)).save(content, form)
        for _ in range(60):
            damaged = np.frombuffer(content.getvalue(), np.uint8).copy()
            places = generator.integers(0, len(damaged), 4)
            damaged[places] = generator.integers(0, 256, 4)
            (tmp_path / "damaged").write_bytes(damaged.tobytes())
            try:
                assert read_picture(tmp_path / "damaged", RGB).pixels.shape == RGB
            except TrainError as error:
                assert "\n" not in str(error)
                refusals += 1
    assert refusals > 20


def test_a_decompression_bomb_is_refused_unopened(tmp_path: Path) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    for side in (10_000, 60_000):
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
        (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
        assert "bomb.png has more than 89,478,485 pixels" in rejected(tmp_path / "bomb.png")


def test_networks_that_take_no_pictures(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.png", Image.new("RGB", (8, 8)))
    assert "takes event frames [4, 8, 8, 2]" in rejected(path, (4, 8, 8, 2))
    assert "takes images of 2 channels, and a picture has 1 or 3" in rejected(path, (8, 8, 2))


def test_numbers_without_a_known_white_are_rejected(tmp_path: Path) -> None:
    path = tmp_path / "float.pfm"
    path.write_bytes(b"Pf\n2 2\n-1.0\n" + np.ones(4, np.float32).tobytes())
    assert "holds numbers without a known white" in rejected(path)
