"""Images in, logits out: between the arrays of the command line and the words of the accelerator's two streams."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codegen.errors import SimulationError
from codegen.render.graph import Stream
from codegen.verify.images import check_images, input_steps
from codegen.words import pack_words, unpack_words


def image_words(images: NDArray[np.uint8], stream: Stream) -> NDArray[np.uint8]:
    """Input words [N, words, bytes] of images uint8 [N, H, W, C] or event frames [N, T, H, W, C], N at least 1.

    A stream knows how many elements an image has, not how they lie. Raises SimulationError as ``check_images`` does,
    and where there is no image.
    """
    elements, steps = stream.lanes * stream.words, input_steps(stream.element_bits)
    check_images(images, (elements * steps,))
    if not len(images):
        raise SimulationError("there is no image to simulate")
    if steps == 1:
        return pack_words(images.reshape(len(images), -1), stream.lanes, stream.element_bits)
    if images.shape[1] != steps:
        raise SimulationError(
            f"the images have the shape {list(images.shape)}, but the network takes {steps} event frames each"
        )
    # An element holds the bytes of its pixel in all frames.
    pixels = np.moveaxis(images.reshape(len(images), steps, elements), 1, -1)
    return pixels.reshape(len(images), stream.words, stream.lanes * steps)


def logits_of_words(words: NDArray[np.uint8], stream: Stream) -> NDArray[np.int32]:
    """Logits [N, classes] int32 of output words [N, words, bytes]."""
    return unpack_words(words, stream.lanes, stream.element_bits, signed=stream.signed).astype(np.int32)
