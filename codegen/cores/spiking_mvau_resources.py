"""What SpikingMVAU will cost before it is synthesised: sizes for choosing a folding, not results.

The LUT figures per lane, and those of a neuron in codegen.neurons, are fitted to Yosys ``synth_xilinx`` results of the
core (7 series), which ``python -m bench.core_luts`` repeats.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from codegen.cores.event_memories import TABLE_LUTS_PER_BIT, bank_resources, queue_resources, table_bits
from codegen.cores.memory import rom_resources
from codegen.cores.streamed_weights import streaming_resources
from codegen.fit import Resources
from codegen.neurons import NO_NEURON, SUMS

if TYPE_CHECKING:
    from codegen.cores.spiking_mvau import SpikingMVAU

CONTROL_LUTS = 80
"""Fold counters, handshakes and pipeline valids of one core."""

SPIKE_LANE_LUTS_PER_BIT = 0.8
"""LUTs of one weight lane and time step, for each bit of weight width + 1 (mean width in the adder tree)."""

COUNT_LANE_LUTS_PER_BIT = 0.5
"""The same for each bit of a step where a step has several."""

TERNARY_LANE_LUTS = 1.5
"""LUTs of one weight lane and bit of a step where weights are -1, 0 or 1 and ones are counted."""

PRODUCT_LUTS_PER_BIT = 0.65
"""LUTs of a product of two integers, for each partial product bit, with its share of the adder tree."""


def mvau_resources(core: SpikingMVAU) -> Resources:
    """Estimate of one SpikingMVAU core with its weight and neuron memories."""
    lanes = core.simd * core.pe
    if core.multiplies:
        # One product of element (pixel, or spike count) and weight for each lane, shared by all steps.
        element = core.input_bits if core.static_input else core.count_bits
        lane_luts = 0 if core.use_dsp else PRODUCT_LUTS_PER_BIT * element * core.weight_bits * lanes
        if not core.static_input:
            lane_luts += core.simd * core.timesteps * core.step_bits * 0.75 + map_counter_luts(core)  # spike counters
    else:
        per_bit = SPIKE_LANE_LUTS_PER_BIT if core.lane_planes == 1 else COUNT_LANE_LUTS_PER_BIT
        per_lane = TERNARY_LANE_LUTS if core.ternary else per_bit * (core.weight_bits + 1)
        lane_luts = per_lane * lanes * core.sums * core.lane_planes + plane_sum_luts(core)
        if bits := table_bits(core):
            lane_luts = TABLE_LUTS_PER_BIT * bits * lanes
        if core.counts_spikes:
            lane_luts += core.simd * core.timesteps * core.step_bits * 0.75
    accumulators = 0 if core.synapse_folds == 1 else core.pe * core.acc_bits * core.sums / 2
    lut = CONTROL_LUTS + lane_luts + accumulators + neuron_luts(core) + replay_buffer_luts(core)
    ff = lut + sum_register_bits(core)  # pipeline registers follow every carry chain
    rom = _weight_resources(core)
    constant_bits = 0 if core.neuron == SUMS else core.bias_bits + (core.threshold_bits if core.dynamics else 0)
    neuron_rom = rom_resources(core.pe * constant_bits, core.neuron_folds, "distributed")
    dsp = lanes if core.multiplies and core.use_dsp else 0
    return Resources(lut=round(lut), ff=round(ff), bram36=0, dsp=dsp) + rom + neuron_rom


def _weight_resources(core: SpikingMVAU) -> Resources:
    """What holds the weights, and what else it takes to have them in order."""
    if core.event:
        return bank_resources(core) + queue_resources(core)
    if core.memory_style == "external":
        return streaming_resources(core)
    width = core.simd * core.pe * core.weight_bits
    return rom_resources(width, core.synapse_folds * core.neuron_folds, core.memory_style)


def plane_sum_luts(core: SpikingMVAU) -> float:
    """Adders that bring the sums of a step's bits together, each a little wider than what it adds."""
    sum_bits = core.weight_bits + math.ceil(math.log2(core.simd))
    return core.pe * core.sums * (core.lane_planes - 1) * (sum_bits + 1.5)


def neuron_luts(core: SpikingMVAU) -> float:
    """Neurons of PE outputs: as many steps in hardware as must happen per cycle to be done within a fold."""
    neuron = core.dynamics
    if neuron is None:
        return core.pe * core.output_bits if core.neuron == NO_NEURON else 0
    steps = next(u for u in range(1, core.tp + 1) if core.tp % u == 0 and core.tp // u <= core.synapse_folds)
    return core.pe * neuron.luts_per_bit * core.potential_bits * steps


def sum_register_bits(core: SpikingMVAU) -> int:
    """Registers of sums that are sent on: those of the earlier time folds, and the word at the output."""
    if core.neuron != SUMS:
        return 0
    earlier = core.timesteps - core.tp if core.time_folds > 1 else 0
    return core.pe * core.acc_bits * (earlier + core.output_steps)


def replay_buffer_luts(core: SpikingMVAU) -> float:
    """Input words kept for the folds that read them again (LUT RAM, 32 deep by 2 bits a LUT)."""
    if core.time_folds * (1 if core.memory_style == "external" else core.neuron_folds) == 1 or core.event:
        return 0
    bits = core.simd * (core.count_bits if core.map_pixels > 1 else core.element_bits)
    if core.synapse_folds == 1:
        return bits
    return math.ceil(core.synapse_folds / 64) * bits * 1.25


def map_counter_luts(core: SpikingMVAU) -> float:
    """Spike counts of a map: their memory (LUT RAM) and an adder, for SIMD inputs at a time."""
    if core.map_pixels == 1:
        return 0
    bits = core.simd * core.count_bits
    return bits * (1 + math.ceil(core.synapse_folds / 64) * 1.25)
