"""Image arrays that reach a network: checked by one function, with one sentence for whatever is wrong."""

from __future__ import annotations

import zipfile
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codegen.arrays import read_array
from codegen.dialect import FRAME_DIMENSIONS, PIXEL_BITS
from codegen.errors import SimulationError
from sca_train.errors import TrainError


def check_images(images: NDArray[Any], input_shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The images themselves when they are uint8 [N, *input_shape] of the network; raises SimulationError otherwise.

    ``input_shape``: (height, width, channels) of an image, (T, height, width, channels) of event frames, or (elements,)
    where only their number is known.
    """
    flat = len(input_shape) == 1
    if flat:
        wanted = f"uint8 [N, ...] with {input_shape[0]} elements each"
    else:
        wanted = f"uint8 [N, {', '.join(str(size) for size in input_shape)}]"
    if len(input_shape) > FRAME_DIMENSIONS:
        wanted += f" ({input_shape[0]} event frames each)"
    if images.dtype != np.uint8:
        raise SimulationError(f"the images are of type {images.dtype}, but the network takes {wanted}")
    shape = (prod(images.shape[1:]),) if flat and images.ndim > 1 else images.shape[1:]
    if shape != input_shape:
        raise SimulationError(f"the images have the shape {list(images.shape)}, but the network takes {wanted}")
    return images


def input_steps(element_bits: int) -> int:
    """Time steps that an input element of an accelerator holds, PIXEL_BITS each: 1 for an image."""
    return max(1, element_bits // PIXEL_BITS)


def read_images(path: Path, input_shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Images as ``check_images`` wants them from a .npy file.

    Raises SimulationError naming the file and what is wrong with it.
    """
    wanted = f"give a .npy file of uint8 [N, {', '.join(map(str, input_shape))}]"
    if not path.exists():
        raise SimulationError(f"image file {path} does not exist; {wanted}")
    try:
        images = read_array(path)
    except TrainError as error:
        raise SimulationError(f"image file {error}; {wanted}") from error
    except (ValueError, OSError, EOFError) as error:
        if zipfile.is_zipfile(path):
            raise SimulationError(f"image file {path} is an .npz archive; give a .npy file with one array") from error
        raise SimulationError(f"image file {path} is not a readable .npy array of numbers ({error})") from error
    try:
        return check_images(images, input_shape)
    except SimulationError as error:
        raise SimulationError(f"image file {path}: {error}") from error
