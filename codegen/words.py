"""Words as bytes, lanes of elements packed LSB first, padded with zero bits to whole bytes; elements as time steps.

An element holds T unsigned integers of B bits, that of step t in bits t*B to t*B + B - 1: B = 1 is a spike train.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BITS_PER_BYTE = 8
INT64_BITS = 63
"""Widest unsigned element that an int64 holds; wider ones are Python integers in an object array."""
_PIECE_BITS = 1 << 22


def word_bytes(bits: int) -> int:
    """Bytes of a word of ``bits`` bits."""
    return -(-bits // BITS_PER_BYTE)


def padded_bits(bits: int) -> int:
    """Width of an AXI stream's TDATA that carries words of ``bits``: whole bytes."""
    return BITS_PER_BYTE * word_bytes(bits)


def split_steps(elements: NDArray[Any], steps: int, bits: int) -> NDArray[np.int64]:
    """The integers of every step, [..., steps], of elements [...] with ``bits`` a step; int64 or Python integers."""
    kind = object if elements.dtype == object else np.int64
    shifts = (bits * np.arange(steps)).astype(kind)
    return np.asarray((elements[..., np.newaxis].astype(kind) >> shifts) & ((1 << bits) - 1)).astype(np.int64)


def join_steps(values: NDArray[np.int64], bits: int) -> NDArray[Any]:
    """Inverse of ``split_steps``: int64 where the elements fit, else an object array of Python integers."""
    weights = _powers(bits, values.shape[-1])
    return np.asarray(values.astype(weights.dtype) @ weights, dtype=weights.dtype)


def _powers(bits: int, count: int) -> NDArray[Any]:
    """What ``count`` integers of ``bits`` bits, side by side, are multiplied by in their sum."""
    kind = np.int64 if count * bits <= INT64_BITS else object
    return np.array([1 << (bits * index) for index in range(count)], dtype=kind)


def pack_lanes(lanes: NDArray[Any], bits: int, bytes_per_word: int) -> NDArray[np.uint8]:
    """Pack rows of ``bits``-bit lanes, [rows, lanes] integers, two's complement, lane 0 in the low bits.

    Returns [rows, bytes_per_word] uint8, little endian, zero above the last lane.
    """
    rows, count = lanes.shape
    packed = np.zeros((rows, bytes_per_word), dtype=np.uint8)
    # In pieces, so that millions of weights do not become hundreds of megabytes of bits at once.
    piece = max(1, _PIECE_BITS // max(1, count * bits))
    for start in range(0, rows, piece):
        part = lanes[start : start + piece]
        flags = split_steps(part, bits, 1).astype(np.uint8).reshape(len(part), count * bits)
        filled = np.packbits(flags, axis=1, bitorder="little")
        packed[start : start + piece, : filled.shape[1]] = filled
    return packed


def pack_words(elements: NDArray[Any], lanes: int, element_bits: int) -> NDArray[np.uint8]:
    """Pack [frames, elements] into stream words [frames, words, bytes]; ``lanes`` divides the elements of a frame."""
    frames, count = elements.shape
    words = count // lanes
    if element_bits == BITS_PER_BYTE:  # the usual case, images: no bit shuffling
        return elements.astype(np.uint8).reshape(frames, words, lanes)
    packed = pack_lanes(elements.reshape(frames * words, lanes), element_bits, word_bytes(lanes * element_bits))
    return packed.reshape(frames, words, -1)


def unpack_words(words: NDArray[np.uint8], lanes: int, element_bits: int, *, signed: bool) -> NDArray[Any]:
    """Inverse of ``pack_words``: [frames, words, bytes] to [frames, words * lanes], int64 or Python integers.

    Padding bits are ignored.
    """
    frames, count, _ = words.shape
    bits = np.unpackbits(words, axis=-1, bitorder="little", count=lanes * element_bits)
    weights = _powers(1, element_bits)
    if signed:
        weights[-1] = -weights[-1]
    return np.asarray(bits.reshape(frames, count * lanes, element_bits).astype(weights.dtype) @ weights)
