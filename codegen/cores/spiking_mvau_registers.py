"""Flip-flops of SpikingMVAU before it is synthesised: those of its modules, one by one.

Registers that hold the same in all words of a ROM are left out, as Yosys leaves them out.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from codegen.cores.dsp_sums import sum_bits
from codegen.cores.event_memories import table_bits
from codegen.cores.memory import distinct_bits
from codegen.neurons import SUMS

if TYPE_CHECKING:
    from codegen.cores.spiking_mvau import SpikingMVAU

TREE_WORDS = 4
"""Words that adder_tree.sv adds in one clock cycle."""

CONTROL_REGISTERS = 45
"""Fold counters, handshakes and pipeline valids of one core."""

COUNTED_AT_ONCE = 27
"""Ones that ternary_dot.sv counts before its first registers."""


def mvau_registers(core: SpikingMVAU) -> float:
    """Estimate of all flip-flops but those of queues and of weights that come from outside."""
    held = weight_bits(core)
    return (
        CONTROL_REGISTERS
        + (0 if core.event and core.memory_style != "block" else held)  # bank_resources has them
        + product_registers(core, held)
        + accumulator_registers(core)
        + constant_bits(core)
        + neuron_registers(core)
        + sum_registers(core)
        + 2 * core.outputs[0].bits
    )


def accumulator_registers(core: SpikingMVAU) -> int:
    """Those of the sums; with sums in DSP slices of what these start from."""
    if core.mac_style == "dsp":
        return core.pe * sum_bits(core)
    return core.pe * core.sums * sum_bits(core) if core.synapse_folds > 1 else 0


def weight_bits(core: SpikingMVAU) -> float:
    """Bits of a word of weights that are not constant or the same as others."""
    words = core.synapse_folds * core.neuron_folds
    if core.memory_style != "distributed" or core.event:
        return core.weight_word_bits
    return distinct_bits(core.weight_word_bits, words) if words > 1 else 0


def constant_word_bits(core: SpikingMVAU) -> int:
    """Width of a word of the neurons' constants; a single word is no memory."""
    if core.neuron == SUMS or core.neuron_folds == 1:
        return 0
    return core.pe * (core.bias_bits + (core.threshold_bits if core.dynamics else 0))


def constant_bits(core: SpikingMVAU) -> float:
    """Bits of such a word that are not constant or the same as others."""
    return distinct_bits(constant_word_bits(core), core.neuron_folds)


def steps_at_once(core: SpikingMVAU) -> int:
    """Steps of a neuron in hardware: as many as must happen per cycle to be done within a fold."""
    return next(u for u in range(1, core.tp + 1) if core.tp % u == 0 and core.tp // u <= core.synapse_folds)


def product_registers(core: SpikingMVAU, held: float) -> float:
    """Inputs of the products (``held``: bits of the weights) and the sums of each level of their adder trees."""
    rows = core.pe * core.sums * core.lane_planes
    if core.multiplies:
        return _multiplier_registers(core, held)
    elements = 2 * core.simd * core.sums * core.lane_planes
    if bits := table_bits(core):
        return held + elements + core.pe * tree_registers(core.simd, bits)
    if core.counted_whole:
        bits = core.count_bits if core.ternary else core.weight_bits + 1
        return held + elements + core.pe * tree_registers(core.simd, bits)
    if core.ternary:
        groups = math.ceil(core.simd / COUNTED_AT_ONCE)
        bits = min(core.simd, COUNTED_AT_ONCE).bit_length()
        return elements + rows * (core.simd + groups * bits + tree_registers(groups, bits))
    pairs = math.ceil(core.simd / 2)
    sums = 0 if core.paired else min(1.0, held / core.weight_word_bits) * core.pe * pairs * (core.weight_bits + 1)
    return held + elements + sums + rows * tree_registers(pairs, core.weight_bits + 1)


def _multiplier_registers(core: SpikingMVAU, held: float) -> float:
    element = core.input_bits if core.static_input else core.count_bits
    if core.use_dsp:
        product = core.weight_bits + element
        return held + core.simd * element * 2 + core.pe * (core.simd * product + tree_registers(core.simd, product))
    digits, bits = core.weight_bits // 2, element + 2
    shared = core.simd * (element + bits * (1 if digits == 1 else 2))
    return held + shared + core.pe * digits * (tree_registers(core.simd, bits) + (digits > 1) * bits)


def tree_registers(words: int, bits: int) -> int:
    """Bits of the registers of adder_tree.sv behind each of its levels."""
    total = 0
    while words > 1:
        bits += 1 if words == 2 else 2
        words = math.ceil(words / TREE_WORDS)
        total += words * bits
    return total


def neuron_registers(core: SpikingMVAU) -> float:
    """Potential, threshold, currents and spikes of each unit of the neurons."""
    if core.dynamics is None:
        return 0
    steps = steps_at_once(core)
    threshold = 0 if core.neuron_folds == 1 else min(1.0, constant_bits(core) / core.pe / core.threshold_bits)
    unit = core.potential_bits + core.threshold_bits * threshold + core.frac_bits
    later = sum(core.sums - step * (core.tp // steps) for step in range(steps)) if core.sums > 1 else steps
    return core.pe * (unit * steps + core.current_bits * later + core.timesteps)


def sum_registers(core: SpikingMVAU) -> int:
    """Sums of the earlier time folds, where sums are sent on."""
    if core.neuron != SUMS or core.time_folds == 1:
        return 0
    return core.pe * core.acc_bits * (core.timesteps - core.tp)
