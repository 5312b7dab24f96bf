"""How weights that are not on the chip lie in memory, and how fast they come from there.

A bus moves one beat of ``BUS_BITS`` a clock cycle. A weight word takes whole beats, or a beat holds several words, each
in a slot of a power of two of bits. The weights of a layer, its region, begin at a burst.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

BUS_BITS = 64
"""Of a high-performance port of a Zynq-7000 (UG585)."""

BURST_BEATS = 16
"""The longest burst: AXI3 has no longer ones, and bursts of 128 bytes never cross a 4 KB boundary."""

OUTSTANDING_BURSTS = 8
"""Bursts that are under way at most: 128 beats, more than a memory takes to answer."""

BUS_SHARE = Fraction(3, 4)
"""Beats a cycle that foldings reckon with and simulations give: memory refreshes, turns around, and moves images."""

_BUS_BYTES = BUS_BITS // 8


def slot_bits(word_bits: int) -> int:
    """Bits that a word takes in memory."""
    if word_bits > BUS_BITS:
        return -(-word_bits // BUS_BITS) * BUS_BITS
    return 1 << (word_bits - 1).bit_length()


def frame_beats(word_bits: int, words: int) -> int:
    """Beats of so many words."""
    return -(-words * slot_bits(word_bits) // BUS_BITS)


def frame_bursts(beats: int) -> int:
    """Bursts of so many beats, the last of which may be shorter."""
    return -(-beats // BURST_BEATS)


def bus_cycles(beats: int) -> int:
    """Cycles of so many beats at BUS_SHARE."""
    return -(-beats * BUS_SHARE.denominator // BUS_SHARE.numerator)


def region_bytes(words: NDArray[np.uint8], word_bits: int) -> NDArray[np.uint8]:
    """The bytes of a region, whole bursts of them, for words [words, bytes], little endian."""
    slot = slot_bits(word_bits)
    if slot >= 8:
        slots = np.zeros((len(words), slot // 8), np.uint8)
        slots[:, : words.shape[1]] = words
        packed = slots.reshape(-1)
    else:
        bits = np.unpackbits(words, axis=1, bitorder="little")[:, :slot]
        packed = np.packbits(bits.reshape(-1), bitorder="little")
    region = np.zeros(frame_bursts(frame_beats(word_bits, len(words))) * BURST_BEATS * _BUS_BYTES, np.uint8)
    region[: len(packed)] = packed
    return region
