"""LUTs and block RAMs of FINN's plumbing nodes before synthesis, fitted to Yosys (7 series).

FINN's own estimators give no LUTs for padding and converters. The constants here follow from measurements that
``python -m bench.plumbing_luts`` repeats; it prints the error of every formula below. Estimates choose a folding; they
are not results.
"""

from __future__ import annotations

import math

from codegen.core.spiking_mvau import MemoryStyle
from codegen.finn.estimates import block_rams
from codegen.fit import Resources
from codegen.words import padded_bits

# FINN's FIFO (fifo.sv): a shift register up to 33 words, LUT RAM up to 257, block RAM above.
_SHIFT_REGISTER_WORDS = 33
_LUT_RAM_WORDS = 257
_WINDOW_CONTROL = 153


def padding_resources(word_bits: int) -> Resources:
    """Zero padding: position counters, and a skid buffer that takes the word or zero."""
    return Resources(lut=round(22 + 0.93 * word_bits), ff=round(22 + 1.95 * word_bits), bram36=0, dsp=0)


def window_resources(word_bits: int, depth: int, style: MemoryStyle) -> Resources:
    """Sliding window over an addressable buffer of ``depth`` words in block RAM or LUT RAM."""
    if style == "block":
        return Resources(lut=_WINDOW_CONTROL, ff=90, bram36=block_rams(word_bits, depth), dsp=0)
    return Resources(lut=round(_WINDOW_CONTROL + lut_ram(word_bits, depth)), ff=70 + word_bits, bram36=0, dsp=0)


def converter_resources(in_bits: int, out_bits: int) -> Resources:
    """Width converter: a barrel of multiplexers where words meet only at a common multiple, else a shift register."""
    if in_bits == out_bits:
        return Resources(lut=0, ff=0, bram36=0, dsp=0)
    wide, narrow = max(in_bits, out_bits), min(in_bits, out_bits)
    if out_bits % in_bits == 0:
        return Resources(lut=6 + in_bits, ff=round(12 + 1.23 * wide), bram36=0, dsp=0)
    if in_bits % out_bits == 0:
        return Resources(lut=round(8 + 1.2 * wide), ff=wide + narrow + 15, bram36=0, dsp=0)
    levels = math.log2(wide / math.gcd(wide, narrow))
    return Resources(lut=round(8 + 1.72 * wide * levels), ff=wide + narrow + 15, bram36=0, dsp=0)


def fifo_resources(word_bits: int, depth: int) -> Resources:
    """FIFO; its words are whole bytes wide."""
    width = padded_bits(word_bits)
    if depth <= _SHIFT_REGISTER_WORDS:
        return Resources(lut=9 + width, ff=7 + width, bram36=0, dsp=0)
    if depth <= _LUT_RAM_WORDS:
        return Resources(lut=round(20 + lut_ram(width, depth)), ff=33 + width, bram36=0, dsp=0)
    return Resources(lut=17, ff=40 + width, bram36=block_rams(width, depth), dsp=0)


def lut_ram(width: int, depth: int) -> float:
    """LUTs of a dual port LUT RAM: four LUTs hold 3 bits of 64 words or 6 bits of 32 words; then a multiplexer."""
    banks = math.ceil(depth / 64)
    if depth <= 32:
        return 4 * math.ceil(width / 6)
    return banks * 4 * math.ceil(width / 3) + width * (banks - 1) / 3
