"""Images in, logits out: between the arrays of the command line and the words of the accelerator's two streams."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from codegen.accel.manifest import Manifest
from codegen.errors import SimulationError
from codegen.words import pack_words, unpack_words


def image_words(images: NDArray[np.uint8], manifest: Manifest) -> NDArray[np.uint8]:
    """Input words [N, words, bytes] of images [N, H, W, C] uint8.

    Raises SimulationError when the images do not have the network's number of elements, or are not uint8.
    """
    stream = manifest.input
    expected = stream.lanes * stream.words
    if images.dtype != np.uint8:
        raise SimulationError(f"images are {images.dtype}; uint8 is expected")
    if images.ndim < 2 or len(images) == 0 or prod(images.shape[1:]) != expected:
        raise SimulationError(
            f"images of shape {list(images.shape)}; [N, ...] with {expected} elements each is expected"
        )
    return pack_words(images.reshape(len(images), -1), stream.lanes, stream.element_bits)


def logits_of_words(words: NDArray[np.uint8], manifest: Manifest) -> NDArray[np.int32]:
    """Logits [N, classes] int32 of output words [N, words, bytes]."""
    stream = manifest.output
    return unpack_words(words, stream.lanes, stream.element_bits, signed=stream.signed).astype(np.int32)
