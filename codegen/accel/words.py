"""Stream words as bytes: lanes of elements packed LSB first, each word padded with zero bits to whole bytes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BITS_PER_BYTE = 8


def pack_words(elements: NDArray[np.integer], lanes: int, element_bits: int) -> NDArray[np.uint8]:
    """Pack [frames, elements] into stream words [frames, words, bytes]; lane 0 in the least significant bits.

    Negative elements are packed in two's complement. ``lanes`` must divide the elements of a frame.
    """
    frames, count = elements.shape
    words = count // lanes
    if element_bits == BITS_PER_BYTE:  # the usual case, images: no bit shuffling
        return elements.astype(np.uint8).reshape(frames, words, lanes)
    shifts = np.arange(element_bits, dtype=np.uint64)
    values = elements.astype(np.int64).view(np.uint64).reshape(frames, words, lanes, 1)
    bits = ((values >> shifts) & np.uint64(1)).astype(np.uint8).reshape(frames, words, lanes * element_bits)
    return np.packbits(bits, axis=-1, bitorder="little")


def unpack_words(words: NDArray[np.uint8], lanes: int, element_bits: int, *, signed: bool) -> NDArray[np.int64]:
    """Inverse of ``pack_words``: [frames, words, bytes] to [frames, words * lanes]; padding bits are ignored."""
    frames, count, _ = words.shape
    bits = np.unpackbits(words, axis=-1, bitorder="little", count=lanes * element_bits)
    bits = bits.reshape(frames, count * lanes, element_bits).astype(np.int64)
    weights = np.int64(1) << np.arange(element_bits, dtype=np.int64)
    if signed:
        weights[-1] = -weights[-1]
    return bits @ weights
