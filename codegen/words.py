"""Words as bytes: lanes of elements packed LSB first, each word padded with zero bits to whole bytes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BITS_PER_BYTE = 8
_PIECE_BITS = 1 << 22


def word_bytes(bits: int) -> int:
    """Bytes of a word of ``bits`` bits."""
    return -(-bits // BITS_PER_BYTE)


def padded_bits(bits: int) -> int:
    """Width of an AXI stream's TDATA that carries words of ``bits``: whole bytes."""
    return BITS_PER_BYTE * word_bytes(bits)


def pack_lanes(lanes: NDArray[np.integer], bits: int, bytes_per_word: int) -> NDArray[np.uint8]:
    """Pack rows of ``bits``-bit lanes, [rows, lanes] two's complement, lane 0 in the low bits.

    Returns [rows, bytes_per_word] uint8, little endian, zero above the last lane.
    """
    rows, count = lanes.shape
    steps = np.arange(bits, dtype=np.int64)
    packed = np.zeros((rows, bytes_per_word), dtype=np.uint8)
    # In pieces, so that millions of weights do not become hundreds of megabytes of bits at once.
    piece = max(1, _PIECE_BITS // max(1, count * bits))
    for start in range(0, rows, piece):
        part = lanes[start : start + piece].astype(np.int64)
        flags = ((part[:, :, None] >> steps) & 1).astype(np.uint8).reshape(len(part), count * bits)
        filled = np.packbits(flags, axis=1, bitorder="little")
        packed[start : start + piece, : filled.shape[1]] = filled
    return packed


def pack_words(elements: NDArray[np.integer], lanes: int, element_bits: int) -> NDArray[np.uint8]:
    """Pack [frames, elements] into stream words [frames, words, bytes]; ``lanes`` divides the elements of a frame."""
    frames, count = elements.shape
    words = count // lanes
    if element_bits == BITS_PER_BYTE:  # the usual case, images: no bit shuffling
        return elements.astype(np.uint8).reshape(frames, words, lanes)
    packed = pack_lanes(elements.reshape(frames * words, lanes), element_bits, word_bytes(lanes * element_bits))
    return packed.reshape(frames, words, -1)


def unpack_words(words: NDArray[np.uint8], lanes: int, element_bits: int, *, signed: bool) -> NDArray[np.int64]:
    """Inverse of ``pack_words``: [frames, words, bytes] to [frames, words * lanes]; padding bits are ignored."""
    frames, count, _ = words.shape
    bits = np.unpackbits(words, axis=-1, bitorder="little", count=lanes * element_bits)
    bits = bits.reshape(frames, count * lanes, element_bits).astype(np.int64)
    weights = np.int64(1) << np.arange(element_bits, dtype=np.int64)
    if signed:
        weights[-1] = -weights[-1]
    return bits @ weights
