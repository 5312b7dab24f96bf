"""Images in, logits out: between the arrays of the command line and the words of the accelerator's two streams."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codegen.accel.graph import Stream
from codegen.errors import SimulationError
from codegen.verify.images import check_images
from codegen.words import pack_words, unpack_words


def image_words(images: NDArray[np.uint8], stream: Stream) -> NDArray[np.uint8]:
    """Input words [N, words, bytes] of images uint8 [N, H, W, C], N at least 1.

    A stream knows how many elements an image has, not how they lie. Raises SimulationError as ``check_images`` does,
    and where there is no image.
    """
    check_images(images, (stream.lanes * stream.words,))
    if not len(images):
        raise SimulationError("there is no image to simulate")
    return pack_words(images.reshape(len(images), -1), stream.lanes, stream.element_bits)


def logits_of_words(words: NDArray[np.uint8], stream: Stream) -> NDArray[np.int32]:
    """Logits [N, classes] int32 of output words [N, words, bytes]."""
    return unpack_words(words, stream.lanes, stream.element_bits, signed=stream.signed).astype(np.int32)
