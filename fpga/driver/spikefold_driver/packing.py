"""Images to input words and output words to logits, as the simulators of the project pack them.

Lanes of elements lie side by side, lane 0 in the low bits, little endian, padded with zero bits to whole bytes. An
element is a pixel, or the 8 bits of a pixel in every event frame, the first frame in the low bits.
"""

from __future__ import annotations

import numpy as np

from .description import EVENT_DIMENSIONS, PIXEL_BITS, Description, Stream
from .errors import ImageError


def check_images(images: np.ndarray, description: Description) -> np.ndarray:
    """The images as [N, *input_shape] uint8, a single image as one of N = 1.

    Raises ImageError where they are of another shape or type.
    """
    array = np.asarray(images)
    shape = description.input_shape
    wanted = f"give uint8 [N, {', '.join(str(size) for size in shape)}]"
    if array.dtype != np.uint8:
        raise ImageError(f"the images are of type {array.dtype}", wanted)
    if array.shape == shape:
        array = array[np.newaxis]
    if array.shape[1:] != shape:
        raise ImageError(f"the images have the shape {list(array.shape)}", wanted)
    return array


def pack_images(images: np.ndarray, description: Description) -> np.ndarray:
    """Input words [N, words, bytes] uint8 of images as ``check_images`` gives them."""
    stream = description.input
    count = len(images)
    elements = images.reshape(count, description.steps, -1)
    if len(description.input_shape) == EVENT_DIMENSIONS:
        elements = np.ascontiguousarray(np.moveaxis(elements, 1, -1))
    if stream.element_bits == PIXEL_BITS * description.steps:
        return elements.reshape(count, stream.words, stream.bytes)
    return _pack_narrow(elements.reshape(count * stream.words, stream.lanes), stream).reshape(count, stream.words, -1)


def _pack_narrow(rows: np.ndarray, stream: Stream) -> np.ndarray:
    """Elements that are no whole bytes: their low bits, and zeros above the 8 of a pixel."""
    shifts = np.arange(min(stream.element_bits, PIXEL_BITS), dtype=np.uint8)
    bits = np.zeros((*rows.shape, stream.element_bits), dtype=np.uint8)
    bits[..., : len(shifts)] = (rows[..., np.newaxis] >> shifts) & 1
    return np.packbits(bits.reshape(len(rows), -1), axis=1, bitorder="little")


def unpack_logits(words: np.ndarray, stream: Stream) -> np.ndarray:
    """Logits [N, classes] int32 of output words [N, words, bytes or more]."""
    count, frame_words, _ = words.shape
    used = np.ascontiguousarray(words[:, :, : stream.bytes])
    bits = np.unpackbits(used, axis=-1, bitorder="little")[:, :, : stream.lanes * stream.element_bits]
    weights = np.left_shift(np.int64(1), np.arange(stream.element_bits, dtype=np.int64))
    if stream.signed:
        weights[-1] = -weights[-1]
    values = bits.reshape(count, frame_words * stream.lanes, stream.element_bits).astype(np.int64) @ weights
    return values.astype(np.int32)
