"""LUTs and block RAMs of FINN's plumbing nodes before synthesis, fitted to Yosys (7 series).

FINN's own estimators give no LUTs for padding and converters. The constants here follow from measurements that
``python -m bench.plumbing_luts`` repeats; it prints the error of every formula below. Estimates choose a folding; they
are not results.
"""

from __future__ import annotations

import math

from codegen.fit import Resources

# FINN's FIFO (fifo.sv): a shift register up to 33 words, LUT RAM up to 257, block RAM above.
_SHIFT_REGISTER_WORDS = 33
_LUT_RAM_WORDS = 257
# Yosys puts a buffer of more bits than this into block RAM when it may choose.
_AUTO_BLOCK_BITS = 3072
_WINDOW_CONTROL = 153
_BLOCK_SHAPES = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))


def estimate_plumbing(op: str, in_bits: int, out_bits: int, depth: int) -> Resources:
    """Estimate of one plumbing node by its FINN op type, stream widths in bits, and words of buffer (0: none).

    Raises ValueError for another op.
    """
    if op == "FMPadding_rtl":
        return padding_resources(in_bits)
    if op == "ConvolutionInputGenerator_rtl":
        return window_resources(in_bits, depth)
    if op == "StreamingDataWidthConverter_rtl":
        return converter_resources(in_bits, out_bits)
    if op == "StreamingFIFO_rtl":
        return fifo_resources(in_bits, depth)
    raise ValueError(f"no estimate for {op}")


def padding_resources(word_bits: int) -> Resources:
    """Zero padding: position counters, and a skid buffer that takes the word or zero."""
    return Resources(lut=round(22 + 0.93 * word_bits), ff=round(22 + 1.95 * word_bits), bram36=0, dsp=0)


def window_resources(word_bits: int, depth: int) -> Resources:
    """Sliding window over an addressable buffer of ``depth`` words, its memory left to the tool (ram_style auto)."""
    if depth * word_bits > _AUTO_BLOCK_BITS:
        return Resources(lut=_WINDOW_CONTROL, ff=90, bram36=block_rams(word_bits, depth), dsp=0)
    return Resources(lut=round(_WINDOW_CONTROL + lut_ram(word_bits, depth)), ff=70 + word_bits, bram36=0, dsp=0)


def converter_resources(in_bits: int, out_bits: int) -> Resources:
    """Width converter: a barrel of multiplexers where words are cut, a shift register where they are only collected."""
    if in_bits == out_bits:
        return Resources(lut=0, ff=0, bram36=0, dsp=0)
    wide, narrow = max(in_bits, out_bits), min(in_bits, out_bits)
    if out_bits % in_bits == 0:
        return Resources(lut=round(18 + 0.27 * wide), ff=round(12 + 1.23 * wide), bram36=0, dsp=0)
    levels = math.log2(wide / math.gcd(wide, narrow))
    return Resources(lut=round(8 + 1.72 * wide * levels), ff=wide + narrow + 15, bram36=0, dsp=0)


def fifo_resources(word_bits: int, depth: int) -> Resources:
    """FIFO; its words are whole bytes wide."""
    width = 8 * math.ceil(word_bits / 8)
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


def block_rams(width: int, depth: int) -> float:
    """36 Kb block RAMs (an 18 Kb one is a half)."""
    return min(math.ceil(width / w) * math.ceil(depth / d) for w, d in _BLOCK_SHAPES) / 2
