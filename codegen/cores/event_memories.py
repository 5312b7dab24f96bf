"""Memories of event-driven SpikingMVAU cores: queues of elements, and the weights of each bank; what they cost.

The LUT figures are fitted to Yosys ``synth_xilinx`` results (7 series), which ``python -m bench.event_luts`` repeats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from codegen.cores.event_cycles import bank_lanes
from codegen.cores.memory import MemoryStyle, block_rams, choose_queue_style, lut_ram, rom_resources
from codegen.fit import Resources, total

if TYPE_CHECKING:
    from codegen.cores.spiking_mvau import SpikingMVAU

MOST_TABLE_COUNT = 4
MOST_TABLE_WEIGHT_BITS = 4
"""The largest counts and weights of whose products an event-driven core has tables."""

LENGTH_LUTS_PER_BIT = 0.95
"""LUTs of a queue for each bit of its length: a counter, and whether the queue is the longest."""

TABLE_LUTS_PER_BIT = 1.05
"""LUTs of a product of a small count and weight by a table, for each bit of it, with its share of the adder tree."""

ROTATION_LUTS = 0.25
"""LUTs of a bit that is rotated, for each bit of the tap; LUT6 choose among four, and take other logic in."""

FEWER_CONTROL_LUTS = 30
"""What counters of folds and addresses take in a dense core only."""


def fold_stride(core: SpikingMVAU) -> int:
    """Weight words of a bank for each input word: one for each neuron fold, filled up to a power of two where that
    takes no more block RAM, since its address then needs no adder."""
    folds = core.neuron_folds
    filled = 1 << (folds - 1).bit_length()
    width, words = core.pe * core.weight_bits, core.synapse_folds
    if core.memory_style == "block" and block_rams(width, filled * words) <= block_rams(width, folds * words):
        return filled
    return folds


def place_step(core: SpikingMVAU) -> int:
    """From the place of one word to that of the next: 1 where places and folds lie beside each other in addresses."""
    stride = fold_stride(core)
    return 1 if stride & (stride - 1) == 0 else stride


def kept_bits(core: SpikingMVAU) -> int:
    """Width of an element in the queues: what is added up over the steps is counted before."""
    return core.count_bits if core.counts_spikes else core.element_bits


def table_bits(core: SpikingMVAU) -> int:
    """Width of the products that are tables of weight and count (table_dot.sv); 0 where the core has none."""
    late = core.dynamics is not None and core.dynamics.late
    most = core.timesteps * core.largest_input
    small = 1 < most <= MOST_TABLE_COUNT and core.weight_bits <= MOST_TABLE_WEIGHT_BITS
    if not core.event or core.signed_ternary or not late or not small:
        return 0
    return core.weight_bits + (most - 1).bit_length()


def queue_shape(core: SpikingMVAU) -> tuple[int, int]:
    """Width and depth of the memory of one queue: places and elements, two sides."""
    place_bits = (core.synapse_folds * place_step(core) - 1).bit_length()
    return place_bits + kept_bits(core), 2 << (core.synapse_folds - 1).bit_length()


def queue_style(core: SpikingMVAU) -> MemoryStyle:
    """Where the queues go."""
    return choose_queue_style(*queue_shape(core))


def bank_weights(core: SpikingMVAU, weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """Words of the memories of all banks, [SIMD, words, PE], from weights [MH, MW].

    Word w * stride + nf of a bank is for the element that it takes of input word w and the channels of neuron fold nf;
    words that no fold reads are zero.
    """
    lanes = bank_lanes(core.synapse_folds, core.simd, core.rotate_words)
    folds = weights.reshape(core.neuron_folds, core.pe, core.synapse_folds, core.simd)
    banked = np.take_along_axis(folds, lanes[np.newaxis, np.newaxis], axis=3)
    filled = np.zeros((core.simd, core.synapse_folds, fold_stride(core), core.pe), np.int64)
    filled[:, :, : core.neuron_folds] = banked.transpose(3, 2, 0, 1)
    return filled.reshape(core.simd, -1, core.pe)


def bank_resources(core: SpikingMVAU) -> Resources:
    """Estimate of the weights' memories of all banks."""
    depth = core.synapse_folds * fold_stride(core)
    style: MemoryStyle = "block" if core.memory_style == "block" else "distributed"
    return total([rom_resources(core.pe * core.weight_bits, depth, style)] * core.simd)


def queue_resources(core: SpikingMVAU) -> Resources:
    """Estimate of the queues, of what brings elements into them, and of what leads from places to weights."""
    width, depth = queue_shape(core)
    block = queue_style(core) == "block"
    length_bits = core.synapse_folds.bit_length()
    lut = LENGTH_LUTS_PER_BIT * length_bits * core.simd - FEWER_CONTROL_LUTS
    if core.rotate_words:
        lut += ROTATION_LUTS * (core.simd - 1).bit_length() * core.simd * kept_bits(core)
    if place_step(core) > 1:
        lut += core.simd * (core.synapse_folds * fold_stride(core)).bit_length()  # adders of addresses
    if not block:
        lut += core.simd * lut_ram(width, depth)
    bram36 = core.simd * block_rams(width, depth) if block else 0
    return Resources(lut=round(lut), ff=core.simd * (width + length_bits), bram36=bram36, dsp=0)
