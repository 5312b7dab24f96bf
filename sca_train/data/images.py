"""Images brought to one size, from files or arrays."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sca_train.errors import TrainError

_UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)
"""What Pillow raises on bytes that are no image; SyntaxError is its word for a broken PNG."""


def resize(image: Image.Image, size: int) -> Image.Image:
    """The image as ``size`` x ``size``: unchanged if it is, else Pillow's bilinear filter (integer arithmetic)."""
    return image if image.size == (size, size) else image.resize((size, size), Image.Resampling.BILINEAR)


def resized(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Images [N, H, W] or [N, H, W, 3] as ``size`` x ``size``."""
    if images.shape[1:3] == (size, size):
        return np.ascontiguousarray(images)
    return np.stack([np.asarray(resize(Image.fromarray(image), size)) for image in images])


def decoded(content: bytes, size: int, name: str) -> NDArray[np.uint8]:
    """The RGB image [size, size, 3] that the bytes of a file hold; TrainError, naming ``name``, when it is none."""
    try:
        return np.asarray(resize(Image.open(io.BytesIO(content)).convert("RGB"), size))
    except _UNREADABLE as error:
        raise TrainError(f"{name} is not an image that Pillow reads: {error}") from None
