"""The pictures of zoo/images are what the script beside them draws."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

IMAGES = Path(__file__).parents[2] / "zoo" / "images"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def test_the_script_draws_the_pictures_pixel_by_pixel(tmp_path: Path) -> None:
    subprocess.run([sys.executable, IMAGES / "draw.py", tmp_path], check=True)
    kept = sorted(path.name for path in IMAGES.glob("*.png"))
    assert kept == sorted(path.name for path in tmp_path.iterdir())
    assert kept == sorted(f"{name}-{number}.png" for name in CLASSES for number in (1, 2))
    for name in kept:
        picture = Image.open(IMAGES / name)
        assert (picture.size, picture.mode) == ((32, 32), "RGB")
        np.testing.assert_array_equal(np.asarray(picture), np.asarray(Image.open(tmp_path / name)), err_msg=name)


def test_no_two_pictures_are_alike() -> None:
    pixels = {np.asarray(Image.open(path)).tobytes() for path in IMAGES.glob("*.png")}
    assert len(pixels) == 2 * len(CLASSES)
