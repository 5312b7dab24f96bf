"""What SpikingMVAU will cost before it is synthesised: sizes for choosing a folding, not results.

Logic is counted LUT by LUT as Yosys ``synth_xilinx`` maps the modules (7 series), by inputs, since a LUT of two shares
a LUT6 with one of three or four; what is fitted to its results are the figures of control, neurons and memories.
``python -m bench.core_luts`` repeats the measurements, and ``make bench BENCH=estimate-error`` compares with cores that
were not used for them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codegen.cores.event_memories import TABLE_LUTS_PER_BIT, bank_resources, queue_resources, table_bits
from codegen.cores.memory import lut_ram, rom_resources
from codegen.cores.streamed_weights import streaming_resources
from codegen.fit import Resources
from codegen.neurons import NO_NEURON, SUMS

if TYPE_CHECKING:
    from codegen.cores.spiking_mvau import SpikingMVAU

TREE_WORDS = 4
"""Words that adder_tree.sv adds in one clock cycle."""


@dataclass(frozen=True)
class Logic:
    """LUTs by their inputs: ``large`` of five or six, ``small`` of three or four, ``tiny`` of two or one."""

    large: float = 0.0
    small: float = 0.0
    tiny: float = 0.0

    def __add__(self, other: Logic) -> Logic:
        return Logic(self.large + other.large, self.small + other.small, self.tiny + other.tiny)

    def __mul__(self, times: float) -> Logic:
        return Logic(self.large * times, self.small * times, self.tiny * times)

    @property
    def luts(self) -> float:
        """LUT6 that hold them: a tiny one goes with a small one, else two tiny ones go together."""
        return self.large + self.small + max(0.0, self.tiny - self.small) / 2


CONTROL = Logic(large=5, small=40, tiny=40)
"""Fold counters, handshakes and pipeline valids of one core."""

NEXT_POTENTIAL = 0.65
"""LUTs of a bit of a potential that is chosen of the sum, of what is left after a spike, and of the initial one."""

INVERTED_BITS = 4
"""Bits of a potential from which a threshold takes nothing, as all thresholds have a 0 there: an inverter each."""

UPPER_BITS = 0.7
"""Share of an accumulator's bits above the dot product that take a LUT of three inputs and not of two."""

CHANGING_BITS = 0.4
"""Share of the constants' bits that are not the same in all words, or as another bit."""


@dataclass(frozen=True)
class Tree:
    """Adders of adder_tree.sv over words that are chosen by a LUT a bit.

    ``fused``: bits of adders in which the choice of a word shares a LUT with the adder; ``fusions`` is their number.
    ``plain``: bits of the others. ``alone``: words that are chosen before an adder.
    """

    fused: int
    fusions: int
    plain: int
    alone: int

    def logic(self, bits: int, choice: Logic, fused: Logic) -> Logic:
        """Of words of so many ``bits``: a LUT of ``choice`` for each bit, ``fused`` where an adder shares it."""
        return choice * (self.alone * bits) + fused * self.fused + Logic(tiny=self.plain)


def adder_tree(words: int, bits: int) -> Tree:
    """The adders over so many words of so many bits."""
    fused = fusions = plain = alone = 0
    for first in range(0, words, TREE_WORDS):
        count = min(TREE_WORDS, words - first)
        # Of three words, one joins the sum of the others.
        alone += (1, 1, 1, 2)[count - 1]
        fusions += (0, 1, 2, 2)[count - 1]
        fused += (0, bits, 2 * bits + 1, 2 * bits)[count - 1]
        plain += bits + 1 if count == TREE_WORDS else 0
    above = registered_tree(-(-words // TREE_WORDS), bits + (1 if words < 3 else 2)) if words > 1 else 0
    return Tree(fused, fusions, plain + above, alone)


def registered_tree(words: int, bits: int) -> int:
    """Bits of the adders of a tree over registers."""
    total = 0
    while words > 1:
        pairs = words // 2
        total += pairs * bits
        words, bits = words - pairs, bits + 1
    return total


def mvau_resources(core: SpikingMVAU) -> Resources:
    """Estimate of one SpikingMVAU core with its weight and neuron memories."""
    logic = (
        CONTROL
        + dot_logic(core) * weight_share(core)
        + accumulator_logic(core)
        + neuron_logic(core)
        + constant_logic(core)
    )
    memory = replay_buffer_luts(core)
    if core.counts_spikes:
        logic += step_count_logic(core)
        memory += map_counter_luts(core)
    lut = logic.luts + memory
    ff = lut + sum_register_bits(core)  # pipeline registers follow every carry chain
    dsp = core.simd * core.pe if core.multiplies and core.use_dsp else 0
    return Resources(lut=round(lut), ff=round(ff), bram36=0, dsp=dsp) + _weight_resources(core)


def _weight_resources(core: SpikingMVAU) -> Resources:
    """What holds the weights, and what else it takes to have them in order."""
    if core.event:
        return bank_resources(core) + queue_resources(core)
    if core.memory_style == "external":
        return streaming_resources(core)
    return rom_resources(core.weight_word_bits, core.synapse_folds * core.neuron_folds, core.memory_style)


def weight_share(core: SpikingMVAU) -> float:
    """Share of the products' logic that is left where the weights are functions of few address bits, which Yosys merges
    into it: the fewer words a ROM in LUTs has, the more they are constants."""
    words = core.synapse_folds * core.neuron_folds
    return min(1.0, 0.3 + 0.15 * math.log2(words)) if core.memory_style == "distributed" else 1.0


def dot_logic(core: SpikingMVAU) -> Logic:
    """The products of one fold and their sums, by how they are formed (docs/architecture.md, Cores)."""
    if core.multiplies:
        return product_logic(core)
    if core.signed_ternary:
        return signed_logic(core)
    if bits := table_bits(core):
        return Logic(large=TABLE_LUTS_PER_BIT * bits * core.simd * core.pe)
    large, small = Logic(large=1), Logic(small=1)
    if core.counted_whole:
        bits = core.count_bits if core.ternary else core.weight_bits + 1
        tree = adder_tree(core.simd, bits)
        if core.ternary:
            wide = large if core.most_count > 3 else small
            return tree.logic(bits, wide, wide) * core.pe
        if core.most_count < 4:
            return tree.logic(bits, small, large) * core.pe
        # Yosys takes two LUTs for some of the five multiples, and their choice is made once for all rows.
        multiple = Logic(small=1.25, tiny=0.3)
        return tree.logic(bits, multiple, multiple) * core.pe + Logic(tiny=3 * core.simd)
    rows = core.pe * core.sums * core.lane_planes
    if core.ternary:
        return (Logic(small=core.simd) + ones_logic(core.simd)) * rows + plane_sum_logic(core)
    if core.simd == 1:
        return Logic(tiny=core.weight_bits * rows) + plane_sum_logic(core)
    pairs, bits = math.ceil(core.simd / 2), core.weight_bits + 1
    tree = adder_tree(pairs, bits)
    if core.paired:
        # The lowest bit of a sum and a difference is the same.
        lowest = Logic(small=tree.fusions - tree.alone, large=-tree.fusions, tiny=tree.alone)
        return (tree.logic(bits, small, large) + lowest) * rows + Logic(tiny=pairs * core.sums)
    sums = Logic(tiny=core.weight_bits, small=1) * (core.pe * pairs)
    return tree.logic(bits, large, large) * rows + sums + plane_sum_logic(core)


def signed_logic(core: SpikingMVAU) -> Logic:
    """Counts and their negatives (signed_dot.sv): a LUT for each first top bit and carry."""
    tree = adder_tree(core.simd, core.lane_planes + 1)
    chosen = Logic(small=tree.alone * core.lane_planes + tree.fused - tree.fusions, tiny=tree.fusions + tree.plain)
    return (chosen * core.sums + Logic(tiny=2 * math.ceil(core.simd / 2))) * core.pe


def product_logic(core: SpikingMVAU) -> Logic:
    """Products of integers: a tree for each radix-4 digit of weights, and multiples of elements for all rows."""
    element = core.input_bits if core.static_input else core.count_bits
    if core.use_dsp:
        return Logic(tiny=core.pe * registered_tree(core.simd, core.weight_bits + element))
    digits, bits = core.weight_bits // 2, element + 2
    tree = adder_tree(core.simd, bits)
    totals = (digits - 1) * (bits + math.ceil(math.log2(core.simd)) + digits)
    rows = tree.logic(bits, Logic(large=1), Logic(large=1)) * digits + Logic(tiny=totals)
    inverted = Logic(large=element)  # an inverter is a LUT of its own
    return rows * core.pe + (inverted + Logic(tiny=element if digits > 1 else 0)) * core.simd


def plane_sum_logic(core: SpikingMVAU) -> Logic:
    """Adders that bring the sums of a step's bits together, each a little wider than what it adds."""
    sum_bits = core.weight_bits + math.ceil(math.log2(core.simd))
    return Logic(tiny=core.pe * core.sums * (core.lane_planes - 1) * (sum_bits + 1.5))


def ones_logic(bits: int) -> Logic:
    """Counter of the ones of so many bits: six at a time, and one in the carry of each adder (popcount.sv)."""
    words = (bits + 7) // 7
    full, rest = divmod(bits - words + 1, 6)
    counted = (Logic(), Logic(), Logic(tiny=2), Logic(small=2), Logic(small=3), Logic(large=3))[rest]
    return Logic(large=3 * full, tiny=registered_tree(words, 3)) + counted


def step_count_logic(core: SpikingMVAU) -> Logic:
    """Counters of an input's ones over the steps, for SIMD inputs."""
    planes = core.simd * core.step_bits
    return ones_logic(core.timesteps) * planes + Logic(tiny=(planes - core.simd) * core.count_bits)


def accumulator_logic(core: SpikingMVAU) -> Logic:
    """Sums over the synapse folds with their first value, a LUT a bit."""
    bits = core.current_bits + core.paired if core.dynamics else core.output_bits
    if core.synapse_folds == 1:
        return Logic(tiny=bits) * (core.pe * core.sums)
    # Above a dot product there is a bit less to choose from.
    above = max(0, bits - core.weight_bits - math.ceil(math.log2(core.simd)) - core.lane_planes)
    return Logic(small=bits - (1 - UPPER_BITS) * above, tiny=(1 - UPPER_BITS) * above) * (core.pe * core.sums)


def neuron_logic(core: SpikingMVAU) -> Logic:
    """Neurons of PE outputs: as many steps in hardware as must happen per cycle to be done within a fold."""
    neuron = core.dynamics
    if neuron is None:
        return Logic(small=core.pe * core.output_bits if core.neuron == NO_NEURON else 0)
    steps = next(u for u in range(1, core.tp + 1) if core.tp % u == 0 and core.tp // u <= core.synapse_folds)
    bits, current = core.potential_bits, core.current_bits
    # The adder of the current, which LateIF chooses by the step, the comparison, and the leak; then the next potential.
    step = Logic(small=neuron.late, tiny=2 - neuron.late + neuron.leaks) * bits + Logic(large=INVERTED_BITS)
    if neuron.reset == "soft" or core.half_start:
        step += Logic(large=NEXT_POTENTIAL * bits)
    if not core.sums_once and core.tp // steps > 1:
        step += Logic(large=current) if core.tp // steps <= 4 else Logic(large=2 * current)
    return (step * steps + Logic(tiny=core.timesteps)) * core.pe


def constant_logic(core: SpikingMVAU) -> Logic:
    """The neurons' constants, a LUT a bit of as many inputs as there are address bits; few bits are the same in all."""
    if core.neuron == SUMS:
        return Logic()
    bits = core.pe * (core.bias_bits + (core.threshold_bits if core.dynamics else 0))
    if core.neuron_folds <= 4:
        return Logic(tiny=bits * (0, 0, 0.2, 0.6, 0.8)[core.neuron_folds])
    if core.neuron_folds <= 16:
        return Logic(small=CHANGING_BITS * bits, tiny=CHANGING_BITS * bits)
    return Logic(large=bits * max(1, core.neuron_folds / 64))


def sum_register_bits(core: SpikingMVAU) -> int:
    """Registers of sums that are sent on: those of the earlier time folds, and the word at the output."""
    if core.neuron != SUMS:
        return 0
    earlier = core.timesteps - core.tp if core.time_folds > 1 else 0
    return core.pe * core.acc_bits * (earlier + core.output_steps)


def replay_buffer_luts(core: SpikingMVAU) -> float:
    """Input words kept for the folds that read them again, in LUT RAM; a single one is a register."""
    passes = core.time_folds * (1 if core.memory_style == "external" else core.neuron_folds)
    if passes == 1 or core.synapse_folds == 1 or core.event:
        return 0
    bits = core.simd * (core.count_bits if core.map_pixels > 1 else core.element_bits)
    return lut_ram(bits, core.synapse_folds)


def map_counter_luts(core: SpikingMVAU) -> float:
    """Spike counts of a map: their memory (LUT RAM) and an adder, for SIMD inputs at a time."""
    if core.map_pixels == 1:
        return 0
    bits = core.simd * core.count_bits
    return bits * (1 + math.ceil(core.synapse_folds / 64) * 1.25)
