"""Image arrays that reach a simulator: checked once, with one sentence for whatever is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codegen.errors import SimulationError


def check_images(images: NDArray[Any], input_shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The images themselves when they are uint8 [N, H, W, C] of the network; raises SimulationError otherwise."""
    wanted = f"uint8 [N, {', '.join(str(size) for size in input_shape)}]"
    if images.dtype != np.uint8:
        raise SimulationError(f"the images are of type {images.dtype}, but the network takes {wanted}")
    if images.ndim != 4 or images.shape[1:] != input_shape:
        raise SimulationError(f"the images have the shape {list(images.shape)}, but the network takes {wanted}")
    return images


def read_images(path: Path, input_shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Images uint8 [N, H, W, C] from a .npy file; raises SimulationError naming the file and what is wrong with it."""
    if not path.is_file():
        raise SimulationError(f"image file {path} does not exist; give a .npy file of uint8 [N, H, W, C]")
    try:
        images = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise SimulationError(f"image file {path} is not a readable .npy array of numbers") from error
    if not isinstance(images, np.ndarray):
        raise SimulationError(f"image file {path} is an .npz archive; give a .npy file with one array")
    try:
        return check_images(images, input_shape)
    except SimulationError as error:
        raise SimulationError(f"image file {path}: {error}") from error
