"""What a core will cost before it is synthesised: sizes for choosing a folding, not results.

The LUT figures per lane, and those of a neuron in codegen.neurons, are fitted to Yosys ``synth_xilinx`` results of the
SpikingMVAU core (7-series); memories follow the aspect ratios of the 7-series block RAM (UG473) and 64-bit LUT ROMs
(UG474).
"""

from __future__ import annotations

import math

from codegen.core.spike_pool import SpikePoolSpec
from codegen.core.spiking_mvau import MemoryStyle, SpikingMVAUSpec
from codegen.fit import Resources

BRAM18_SHAPES = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))
"""(width, depth) of an 18 Kb block RAM in simple dual port use, UG473 table 1-6."""

CONTROL_LUTS = 80
"""Fold counters, handshakes and pipeline valids of one core."""

SPIKE_LANE_LUTS_PER_BIT = 0.8
"""LUTs of one weight lane and time step, for each bit of weight width + 1 (mean width in the adder tree)."""

PRODUCT_LUTS_PER_BIT = 0.65
"""LUTs of a product of two integers, for each partial product bit, with its share of the adder tree."""

ROM_MUX_GROWTH = 0.6
"""A ROM in LUTs deeper than 64 words grows by this share with each doubling: Yosys multiplexes its parts in LUTs."""


def mvau_resources(spec: SpikingMVAUSpec) -> Resources:
    """Estimate of one SpikingMVAU core with its weight and neuron memories."""
    lanes = spec.simd * spec.pe
    if spec.sums_once:
        # One product of element (pixel, or spike count) and weight for each lane, shared by all steps.
        element = spec.input_bits if spec.static_input else spec.count_bits
        lane_luts = 0 if spec.use_dsp else PRODUCT_LUTS_PER_BIT * element * spec.weight_bits * lanes
        if spec.dynamics is None:
            lane_luts += spec.simd * spec.timesteps * 0.75 + map_counter_luts(spec)  # spike counters
    else:
        lane_luts = SPIKE_LANE_LUTS_PER_BIT * (spec.weight_bits + 1) * lanes * spec.tp
    accumulators = 0 if spec.synapse_folds == 1 else spec.pe * spec.acc_bits * (1 if spec.sums_once else spec.tp) / 2
    lut = CONTROL_LUTS + lane_luts + accumulators + neuron_luts(spec) + replay_buffer_luts(spec)
    ff = lut  # pipeline registers follow every carry chain
    rom = rom_resources(lanes * spec.weight_bits, spec.synapse_folds * spec.neuron_folds, spec.memory_style)
    neuron_rom = rom_resources(
        spec.pe * (spec.bias_bits + (spec.threshold_bits if spec.dynamics else 0)),
        spec.neuron_folds,
        "distributed",
    )
    dsp = lanes if spec.sums_once and spec.use_dsp else 0
    return Resources(lut=round(lut), ff=round(ff), bram36=0, dsp=dsp) + rom + neuron_rom


def neuron_luts(spec: SpikingMVAUSpec) -> float:
    """Neurons of PE outputs: as many steps in hardware as must happen per cycle to be done within a fold."""
    neuron = spec.dynamics
    if neuron is None:
        return spec.pe * spec.output_bits
    steps = next(u for u in range(1, spec.tp + 1) if spec.tp % u == 0 and spec.tp // u <= spec.synapse_folds)
    return spec.pe * neuron.luts_per_bit * spec.potential_bits * steps


def replay_buffer_luts(spec: SpikingMVAUSpec) -> float:
    """Input words kept for the folds that read them again (LUT RAM, 32 deep by 2 bits a LUT)."""
    if spec.neuron_folds * spec.time_folds == 1:
        return 0
    bits = spec.simd * (spec.count_bits if spec.map_pixels > 1 else spec.element_bits)
    if spec.synapse_folds == 1:
        return bits
    return math.ceil(spec.synapse_folds / 64) * bits * 1.25


def map_counter_luts(spec: SpikingMVAUSpec) -> float:
    """Spike counts of a map: their memory (LUT RAM) and an adder, for SIMD inputs at a time."""
    if spec.map_pixels == 1:
        return 0
    bits = spec.simd * spec.count_bits
    return bits * (1 + math.ceil(spec.synapse_folds / 64) * 1.25)


def pool_resources(spec: SpikePoolSpec) -> Resources:
    """Estimate of one SpikePool core: OR gates and one row of pooled words in LUT RAM."""
    bits = spec.pe * spec.timesteps
    words = (spec.width // spec.kernel) * (spec.channels // spec.pe)
    lut = 60 + bits + math.ceil(words / 64) * bits * 1.25
    return Resources(lut=round(lut), ff=round(2 * bits + 60), bram36=0, dsp=0)


def rom_resources(width: int, depth: int, style: MemoryStyle) -> Resources:
    """A read-only memory of ``depth`` words of ``width`` bits."""
    if depth <= 1:
        return Resources(0, 0, 0, 0)
    if style == "block":
        return Resources(lut=0, ff=0, bram36=block_rams(width, depth), dsp=0)
    # A LUT6 holds 64 bits of one word lane, or 32 bits of two.
    parts = math.ceil(depth / 64) if depth > 32 else 0.5
    lut = width * parts * (1 + ROM_MUX_GROWTH * max(0.0, math.log2(parts)))
    return Resources(lut=round(lut), ff=width, bram36=0, dsp=0)


def block_rams(width: int, depth: int) -> float:
    """36 Kb block RAMs (an 18 Kb one is a half) for a memory of that shape."""
    return min(math.ceil(width / w) * math.ceil(depth / d) for w, d in BRAM18_SHAPES) / 2
