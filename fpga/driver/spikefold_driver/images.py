"""Images from files and folders: .npy arrays with numpy alone, pictures with Pillow."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .description import Description
from .errors import ImageError, first_line
from .packing import check_images
from .pictures import read_picture

ARRAYS = (".npy",)
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".webp")


def load_images(path: Path, description: Description) -> tuple[np.ndarray, list[str]]:
    """Images [N, *input_shape] uint8 of a file or of all files of a folder, in the order of their names, and the names.

    A .npy file holds one image or several. Raises ImageError naming the file, MissingPackageError where a picture needs
    Pillow.
    """
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in ARRAYS + PICTURES)
        if not files:
            raise ImageError(f"folder {path} holds no image", f"images end in {', '.join(ARRAYS + PICTURES)}")
    elif path.is_file():
        files = [path]
    else:
        raise ImageError(f"there is no image file {path}", "give a file or a folder of images")
    arrays, names = [], []
    for file in files:
        loaded = _load(file, description)
        arrays.append(loaded)
        names += [file.name] if len(loaded) == 1 else [f"{file.name}[{index}]" for index in range(len(loaded))]
    return np.concatenate(arrays), names


def _load(file: Path, description: Description) -> np.ndarray:
    if file.suffix.lower() not in ARRAYS:
        return read_picture(file, description.input_shape)[np.newaxis]
    try:
        array = np.load(file, allow_pickle=False)
        if not isinstance(array, np.ndarray):
            raise ValueError("an archive of several arrays")
    except Exception as error:  # numpy raises whatever damaged bytes lead it to
        raise ImageError(
            f"{file} is no readable .npy array ({first_line(error)})", "give a .npy file of uint8 images"
        ) from None
    try:
        return check_images(array, description)
    except ImageError as error:
        error.change(f"{file}: {error.what}")
        raise
