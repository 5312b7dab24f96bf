"""What SpikingMVAU will cost before it is synthesised: sizes for choosing a folding, not results.

Logic is counted LUT by LUT as Yosys ``synth_xilinx`` maps the modules (7 series), by inputs, since a LUT of two shares
a LUT6 with one of three or four; what is fitted to its results are the figures of control, neurons and memories.
``python -m bench.estimate_luts`` repeats the measurements, and ``make bench BENCH=estimate-error`` compares with cores
that were not used for them. Cores have no constants where a folding is chosen, so weights count by their number only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codegen.cores.dsp_sums import dsp_slices, sum_bits
from codegen.cores.event_memories import TABLE_LUTS_PER_BIT, bank_resources, queue_resources, table_bits
from codegen.cores.logic import NO_LOGIC, Logic
from codegen.cores.memory import lut_ram, lut_ram_of_32, rom_logic, rom_resources
from codegen.cores.spiking_mvau_registers import TREE_WORDS, constant_word_bits, mvau_registers, steps_at_once
from codegen.cores.streamed_weights import streaming_resources
from codegen.fit import NO_RESOURCES, Resources

if TYPE_CHECKING:
    from codegen.cores.spiking_mvau import SpikingMVAU


CONTROL = Logic(large=12, small=8, tiny=15)
"""Fold counters, handshakes and pipeline valids of one core."""

SPIKES_INVERTED = 0.7
"""Share of the channels whose spikes are inverted signs on their way to the output."""

ADDER, COMPARATOR, LEAK = 0.8, 0.95, 1.1
"""LUTs of two inputs of a bit of a potential, for each of its carry chains."""

CONSTANT_ONES = 0.65
"""Share of a comparator's bits that a constant threshold inverts."""

INVERTED_BITS = 5
"""Bits of a potential from which other thresholds take nothing, as all of them have a 0 there: an inverter each."""

SIGN_LUTS = 3
"""LUTs of the sign of a potential beside its adder, and of whether it spikes."""

NEGATIVE_BITS = 0.6
"""Share of the bits above a count of ternary weights that are constant, as it starts from negative numbers."""

FEW_WORDS, FEWER_LUTS = 8, 0.88
"""So few words of weights leave that share of the products' logic."""

COUNT_CHOICE = Logic(large=0.35, small=0.65)
"""A bit of the product of a ternary weight and a count up to 4."""

MULTIPLE = Logic(large=0.65, small=0.4, tiny=0.3)
"""A bit of one of five multiples of a weight; Yosys takes small LUTs for some."""

TOP_DIGIT, DIGIT = Logic(large=0.5, small=0.5), Logic(large=0.75, small=0.25)
"""A bit of a multiple by a digit, and of an adder: of weights of one digit only, and of others."""

LATER_POTENTIAL = Logic(large=1, small=0.4)
"""A bit of a potential that comes from a unit of earlier steps, or stays in its own."""

HALF_POTENTIAL = 0.85
"""LUTs of a bit that is either half the threshold or a sum that a spike resets to 0."""


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
        control_logic(core)
        + replay_logic(core)
        + with_few_weights(core, dot_logic(core))
        + accumulator_logic(core)
        + neuron_logic(core)
        + constant_logic(core)
    )
    memory = replay_buffer_luts(core)
    if core.counts_spikes:
        logic += step_count_logic(core)
        memory += map_counter_luts(core)
    lut = (logic + weight_logic(core)).luts + memory
    dsp = core.simd * core.pe if core.multiplies and core.use_dsp else 0
    dsp += dsp_slices(core) if core.mac_style == "dsp" else 0
    return Resources(lut=round(lut), ff=round(mvau_registers(core)), bram36=0, dsp=dsp) + _weight_resources(core)


def _weight_resources(core: SpikingMVAU) -> Resources:
    """What holds the weights, and what else it takes to have them in order."""
    if core.event:
        return bank_resources(core) + queue_resources(core)
    if core.memory_style == "external":
        return streaming_resources(core)
    if core.memory_style == "block":
        return rom_resources(core.weight_word_bits, core.synapse_folds * core.neuron_folds, "block")
    return NO_RESOURCES


def weight_logic(core: SpikingMVAU) -> Logic:
    """The weights of a dense core in look-up tables, into whose halves other logic goes."""
    if core.event or core.memory_style != "distributed":
        return NO_LOGIC
    return rom_logic(core.weight_word_bits, core.synapse_folds * core.neuron_folds)


def control_logic(core: SpikingMVAU) -> Logic:
    """Control, and what is done with results at the output."""
    logic = CONTROL
    if core.dynamics:
        logic += Logic(large=SPIKES_INVERTED * core.pe)
    if core.synapse_folds * core.time_folds == 1:
        logic += Logic(small=core.outputs[0].bits)  # a result of each cycle may have to wait
    return logic


def merged_share(core: SpikingMVAU) -> float:
    """Share of the products' LUTs that get fewer inputs, as bits of weights in LUTs are constant or the same as others:
    of few words many are, and Yosys merges them into what reads them."""
    words = core.synapse_folds * core.neuron_folds
    return 2.0 ** ((1 - words) / 2) if core.memory_style == "distributed" and words <= FEW_WORDS else 0.0


def with_few_weights(core: SpikingMVAU, logic: Logic) -> Logic:
    """Logic of products, of which few words of weights leave LUTs of fewer inputs."""
    merged = merged_share(core)
    if not merged:
        return logic
    large, small = FEWER_LUTS * logic.large, FEWER_LUTS * logic.small
    return Logic(large * (1 - merged), small + (large - small) * merged, logic.tiny + small * merged / 2)


def dot_logic(core: SpikingMVAU) -> Logic:
    """The products of one fold and their sums, by how they are formed (docs/architecture.md, Cores)."""
    if core.multiplies:
        return product_logic(core)
    if core.signed_ternary:
        return signed_logic(core)
    if bits := table_bits(core):
        return Logic(large=TABLE_LUTS_PER_BIT * bits * core.simd * core.pe)
    if core.counted_whole:
        return count_logic(core)
    rows = core.pe * core.sums * core.lane_planes
    if core.ternary:
        return (Logic(small=core.simd) + ones_logic(core.simd)) * rows + plane_sum_logic(core)
    if core.simd == 1:
        return Logic(tiny=core.weight_bits * rows) + plane_sum_logic(core)
    return pair_logic(core)


def count_logic(core: SpikingMVAU) -> Logic:
    """Products of small counts that are taken whole (count_dot.sv), and their sums."""
    bits = core.count_bits if core.ternary else core.weight_bits + 1
    tree = adder_tree(core.simd, bits)
    small, large = Logic(small=1), Logic(large=1)
    if core.most_count < 4:
        return tree.logic(bits, small, small if core.ternary else large) * core.pe
    if core.ternary:
        # Two bits of each count are inverted, once for all rows.
        return tree.logic(bits, COUNT_CHOICE, COUNT_CHOICE) * core.pe + Logic(large=2 * core.simd)
    shared = Logic(small=4, tiny=3) * core.simd  # which multiple it is, once for all rows
    return tree.logic(bits, MULTIPLE, MULTIPLE) * core.pe + shared


def pair_logic(core: SpikingMVAU) -> Logic:
    """Products of spikes with pairs of weights (pair_dot.sv, spike_dot.sv), and their sums."""
    rows = core.pe * core.sums * core.lane_planes
    pairs, bits = math.ceil(core.simd / 2), core.weight_bits + 1
    tree = adder_tree(pairs, bits)
    if core.paired:
        # The lowest bit of a sum and a difference is the same.
        lowest = Logic(small=tree.fusions - tree.alone, large=-tree.fusions, tiny=tree.alone)
        return (tree.logic(bits, Logic(small=1), Logic(large=1)) + lowest) * rows + Logic(tiny=pairs * core.sums)
    sums = Logic(tiny=core.weight_bits * (1 - merged_share(core))) * (core.pe * pairs)
    logic = tree.logic(bits, Logic(large=1), Logic(large=1))
    if core.simd % 2:  # the last weight has no second one to choose from
        logic += Logic(large=-bits) + (Logic(tiny=bits) if pairs % TREE_WORDS == 1 else Logic(small=bits))
    return logic * rows + sums + plane_sum_logic(core)


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
    choice = TOP_DIGIT if digits == 1 else DIGIT
    alone = bits if core.simd % TREE_WORDS == TREE_WORDS - 1 else 0  # a third word is chosen before its adder too
    rows = (tree.logic(bits, choice, choice) + Logic(tiny=alone)) * digits + Logic(tiny=totals)
    inverted = Logic(large=element)  # an inverter is a LUT of its own
    return rows * core.pe + (inverted + Logic(tiny=element if digits > 1 else 0)) * core.simd


def plane_sum_logic(core: SpikingMVAU) -> Logic:
    """Adders that bring the sums of a step's bits together, each a little wider than what it adds."""
    plane_bits = core.weight_bits + math.ceil(math.log2(core.simd))
    return Logic(tiny=core.pe * core.sums * (core.lane_planes - 1) * (plane_bits + 1.5))


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
    bits = sum_bits(core)
    # The sign of a dot product is an inverter.
    inverted = 0 if core.ternary or core.paired or core.counted_whole else 1
    if core.mac_style == "dsp":
        return Logic(large=inverted) * (core.pe * core.sums)
    if core.synapse_folds == 1:
        return Logic(tiny=bits) * (core.pe * core.sums)
    if inverted:
        return Logic(large=1, small=bits) * (core.pe * core.sums)
    # Above a dot product there is a bit less to choose from, and nothing where the bias is the same in all folds.
    above = max(0, bits - core.weight_bits - math.ceil(math.log2(core.simd)) - core.lane_planes)
    constant = above * max(1 - changing_share(core), NEGATIVE_BITS * core.ternary)
    return Logic(small=bits - constant, tiny=constant) * (core.pe * core.sums)


def changing_share(core: SpikingMVAU) -> float:
    """Share of the bits of the neurons' constants that are not the same in all folds."""
    return 1 - 2.0 ** (1 - core.neuron_folds)


def neuron_logic(core: SpikingMVAU) -> Logic:
    """Neurons of PE outputs: as many steps in hardware as must happen per cycle to be done within a fold."""
    neuron = core.dynamics
    if neuron is None:
        return NO_LOGIC
    steps = steps_at_once(core)
    bits, current, cycles = core.potential_bits, core.current_bits, core.tp // steps
    changing = changing_share(core)
    added = Logic(tiny=ADDER * bits)
    # Currents come inverted, and are turned back by the LUT that chooses them where there is one.
    if (core.paired or core.counted_whole) and not core.ternary and (core.sums_once or cycles == 1):
        added += Logic(large=current)
    compared = Logic(tiny=COMPARATOR * changing * bits, large=CONSTANT_ONES * (1 - changing) * bits)
    step = compared + Logic(large=INVERTED_BITS * changing, tiny=LEAK * neuron.leaks * bits)
    step += Logic(small=SIGN_LUTS * changing)
    logic = step * steps + added * (1 if neuron.late else steps)
    if not core.sums_once and cycles > 1:
        logic += (Logic(small=current) if cycles == 2 else Logic(large=math.ceil(cycles / 4) * current)) * steps
    return (logic + first_potential(core) + LATER_POTENTIAL * (bits * (steps - 1))) * core.pe


def first_potential(core: SpikingMVAU) -> Logic:
    """What a neuron's potential is next: the sum, what a spike leaves of it, or the initial one (a constant where there
    is one fold, which takes the registers' set and reset)."""
    bits = core.potential_bits
    if core.reset == "hard":
        return Logic(small=HALF_POTENTIAL * bits if core.half_start else 0)
    if not core.half_start or core.neuron_folds == 1:
        return Logic(small=bits)
    initial = bits if core.time_folds > 1 else min(bits, core.threshold_bits - 1)
    return Logic(large=initial, small=bits - initial)


def constant_logic(core: SpikingMVAU) -> Logic:
    """The neurons' constants; those of many folds are a LUT6 a bit for 64 words, as none of them shares logic."""
    bits = constant_word_bits(core)
    if core.neuron_folds <= 16:
        return rom_logic(bits, core.neuron_folds)
    return Logic(large=1, small=0.1) * (bits * max(1, core.neuron_folds / 64))


def replay_logic(core: SpikingMVAU) -> Logic:
    """The choice of the steps of a time fold from a word that is kept."""
    if core.time_folds == 1 or core.event:
        return NO_LOGIC
    bits = core.simd * core.tp * core.step_bits
    return Logic(small=bits) if core.time_folds == 2 else Logic(large=bits * math.ceil(core.time_folds / 4))


def replay_buffer_luts(core: SpikingMVAU) -> float:
    """Input words kept for the folds that read them again, in LUT RAM."""
    passes = core.time_folds * (1 if core.memory_style == "external" else core.neuron_folds)
    if passes == 1 or core.event:
        return 0
    bits = core.simd * (core.count_bits if core.map_pixels > 1 else core.element_bits)
    if core.synapse_folds == 1:
        return 4 * math.ceil(bits / 8)  # read and written at one address
    return min(lut_ram(bits, core.synapse_folds), lut_ram_of_32(bits, core.synapse_folds))


def map_counter_luts(core: SpikingMVAU) -> float:
    """Spike counts of a map: their memory (LUT RAM) and an adder, for SIMD inputs at a time."""
    if core.map_pixels == 1:
        return 0
    bits = core.simd * core.count_bits
    return bits * (1 + math.ceil(core.synapse_folds / 64) * 1.25)
