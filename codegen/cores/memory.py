"""Memories of cores before synthesis: block RAM or look-up tables, and how many.

They follow the aspect ratios of the 7-series block RAM (UG473) and of LUT memories (UG474).
"""

from __future__ import annotations

import math
from typing import Literal, get_args

from codegen.cores.logic import NO_LOGIC, Logic
from codegen.fit import NO_RESOURCES, Resources

MemoryStyle = Literal["block", "distributed"]
MEMORY_STYLES: tuple[MemoryStyle, ...] = get_args(MemoryStyle)

WeightStyle = Literal[MemoryStyle, "external"]
"""Where weights are: in a memory on the chip, or outside, from where they come on a stream."""

IDEAL_LUTS_PER_RAMB18 = 50
"""Saving at which a ROM moves from look-up tables to block RAM."""

BRAM18_SHAPES = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))
"""(width, depth) of an 18 Kb block RAM in simple dual port use, UG473 table 1-6."""

MUX_LUTS_PER_BANK = 0.6
"""LUTs of a bit for each further block RAM of which one is read: 1 for three, 2 for five, 4 for seven."""

DISTINCT_SHARE = 0.9
"""Of the 2^words bits that a ROM of so few words can hold there are 2^(0.9 words) that weights have equally often."""

WORDS_OF_A_LUT = 16
"""Words of a bit in a LUT of a deep ROM: Yosys finds more LUTs of four address bits than single ones of six."""


def choose_memory_style(depth: int, width: int) -> MemoryStyle:
    """Where a weight ROM of ``depth`` words of ``width`` bits goes: block RAM or look-up tables.

    A LUT6 holds 64 bits of ROM and a RAMB18 18,432 bits at 36 bits a word. A Zynq-7020 has 190 LUTs for each RAMB18,
    and synthesis needs 1.3 to 4 times the ideal count for a ROM in LUTs: the ROM goes to block RAM when each RAMB18
    that it takes saves more than 50 ideal LUTs.
    """
    lut_cost = width * -(-depth // 64) if depth > 1 else 0
    ramb18 = -(-width // 36) * -(-depth // 512)
    return "block" if lut_cost > IDEAL_LUTS_PER_RAMB18 * ramb18 else "distributed"


def choose_queue_style(width: int, depth: int) -> MemoryStyle:
    """Where a memory with a write and a read port goes, by what its look-up tables cost next to block RAMs."""
    return "block" if lut_ram(width, depth) > IDEAL_LUTS_PER_RAMB18 * 2 * block_rams(width, depth) else "distributed"


def rom_resources(width: int, depth: int, style: MemoryStyle) -> Resources:
    """A read-only memory of ``depth`` words of ``width`` bits."""
    if depth <= 1:
        return NO_RESOURCES
    if style == "block":
        rams, banks = _rom_rams(width, depth)
        lut = round(width * (banks - 1) * MUX_LUTS_PER_BANK)  # Yosys saves RAMs before LUTs
        return Resources(lut=lut, ff=0, bram36=rams / 2, dsp=0)
    return Resources(lut=round(rom_logic(width, depth).luts), ff=width, bram36=0, dsp=0)


def distinct_bits(width: int, depth: int) -> float:
    """Bits of a word that are neither constant nor the same as another one in all words: few words hold few of them."""
    most = 2.0 ** min(DISTINCT_SHARE * depth, 64)
    return most * -math.expm1(-width / most)


def rom_logic(width: int, depth: int) -> Logic:
    """A ROM of weights in look-up tables.

    Up to four address bits take a LUT for each bit that no other one is equal to, and up to three share their decoders;
    of five some are split into LUTs that several bits share, and beyond that a LUT holds but few words.
    """
    if depth <= 1:
        return NO_LOGIC
    bits = distinct_bits(width, depth)
    if depth <= 8:
        return Logic(small=0.1, tiny=0.9) * bits
    if depth <= 16:
        return Logic(large=0.15, small=0.7, tiny=0.25) * bits
    if depth <= 32:
        return Logic(large=0.6, small=0.45, tiny=0.45) * bits
    shared = 1.2 - 0.04 * math.log2(width)
    return Logic(large=0.68, small=0.34, tiny=0.2) * (shared * bits * depth / WORDS_OF_A_LUT)


def block_rams(width: int, depth: int) -> float:
    """36 Kb block RAMs (an 18 Kb one is a half) for a memory of that shape."""
    return min(math.ceil(width / w) * math.ceil(depth / d) for w, d in BRAM18_SHAPES) / 2


def _rom_rams(width: int, depth: int) -> tuple[int, int]:
    """18 Kb block RAMs of the best shape for a ROM, and how many of them hold a bit of all its words.

    Yosys lays words of fewer bits than a RAM has beside each other, so the last column may take fewer RAMs.
    """
    shapes = ((width // w, width % w, w, math.ceil(depth / d)) for w, d in BRAM18_SHAPES)
    return min((full * banks + math.ceil(rest * banks / w), banks) for full, rest, w, banks in shapes)


def lut_ram(width: int, depth: int) -> float:
    """LUTs of a dual port LUT RAM: four LUTs hold 3 bits of 64 words or 6 bits of 32 words; then a multiplexer."""
    banks = math.ceil(depth / 64)
    if depth <= 32:
        return 4 * math.ceil(width / 6)
    return banks * 4 * math.ceil(width / 3) + width * (banks - 1) / 3


def lut_ram_of_32(width: int, depth: int) -> float:
    """The same in banks of 32 words, which Yosys takes where that is less."""
    banks = math.ceil(depth / 32)
    return banks * 4 * math.ceil(width / 6) + width * (banks - 1) / 3
