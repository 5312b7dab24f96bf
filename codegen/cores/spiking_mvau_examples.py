"""SpikingMVAU in its main configurations, with random constants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from codegen.arithmetic.ranges import layer_widths, sum_widths
from codegen.cores.spiking_mvau import SpikingMVAU
from codegen.neurons import SUMS, Constants

_SPIKES = SpikingMVAU(
    name="lint_if",
    mw=16,
    mh=8,
    simd=8,
    pe=4,
    timesteps=4,
    tp=4,
    static_input=False,
    input_bits=1,
    neuron="IF",
    leak_shift=0,
    reset="hard",
    frac_bits=4,
    weight_bits=4,
    acc_bits=8,
    potential_bits=16,
    bias_bits=8,
    threshold_bits=12,
    output_bits=4,
    vectors=4,
    memory_style="distributed",
)


def examples() -> tuple[SpikingMVAU, ...]:
    """One core for each way it is built: spikes, time folds, leak, resets, half start, image, several bits a step,
    read-out, sums, and sums in DSP slices."""
    sums = replace(_SPIKES, neuron=SUMS, output_bits=_SPIKES.acc_bits)
    configurations = (
        _SPIKES,
        replace(_SPIKES, name="lint_lif_folded", neuron="LIF", leak_shift=2, reset="soft", tp=2, weight_bits=2),
        replace(_SPIKES, name="lint_ternary_counts", step_bits=3, weight_bits=2, simd=16, pe=2),
        replace(_SPIKES, name="lint_late_ternary", neuron="LateIF", reset="soft", weight_bits=2),
        replace(_SPIKES, name="lint_half_start", half_start=True),
        replace(_SPIKES, name="lint_lif_half_start", neuron="LIF", leak_shift=1, tp=1, half_start=True),
        replace(_SPIKES, name="lint_delayed", neuron="DelayedLIF", leak_shift=2, reset="soft"),
        replace(
            _SPIKES, name="lint_delayed_folded", neuron="DelayedLIF", leak_shift=1, reset="soft", tp=2, half_start=True
        ),
        replace(_SPIKES, name="lint_one_step", timesteps=1, tp=1, simd=16, pe=1, memory_style="block"),
        replace(_SPIKES, name="lint_image", static_input=True, input_bits=8, weight_bits=8),
        replace(_SPIKES, name="lint_counts", step_bits=3, neuron="LIF", leak_shift=2, tp=2),
        replace(_SPIKES, name="lint_events", step_bits=8, simd=2, timesteps=20, tp=20, weight_bits=8),
        replace(_SPIKES, name="lint_late", neuron="LateIF", reset="soft", half_start=True),
        replace(_SPIKES, name="lint_late_counts", neuron="LateIF", reset="soft", step_bits=3, simd=16, pe=1),
        replace(_SPIKES, name="lint_late_events", neuron="LateIF", reset="soft", step_bits=8, simd=2),
        replace(_SPIKES, name="lint_late_image", neuron="LateIF", reset="soft", static_input=True, input_bits=8),
        replace(_SPIKES, name="lint_readout", neuron="none", weight_bits=8, simd=4, pe=8),
        replace(_SPIKES, name="lint_count_readout", neuron="none", step_bits=3, simd=4, pe=2),
        replace(_SPIKES, name="lint_map_readout", neuron="none", simd=4, pe=2, map_pixels=16, vectors=1),
        replace(_SPIKES, name="lint_map_counts", neuron="none", step_bits=2, simd=4, pe=2, map_pixels=4, vectors=1),
        replace(_SPIKES, name="lint_map_one_fold", neuron="none", simd=16, pe=8, map_pixels=3, vectors=1),
        replace(_SPIKES, name="lint_external", memory_style="external"),
        replace(_SPIKES, name="lint_external_folded", memory_style="external", tp=2, pe=8, weight_bits=2, mw=24),
        replace(_SPIKES, name="lint_external_dense", memory_style="external", vectors=1, pe=1, weight_bits=2),
        replace(_SPIKES, name="lint_external_readout", memory_style="external", neuron="none", vectors=1, pe=2),
        replace(sums, name="lint_external_sums", memory_style="external", simd=4, pe=2, mw=96),
        replace(sums, name="lint_sums"),
        replace(sums, name="lint_sums_folded", tp=2, step_bits=3),
        replace(sums, name="lint_sums_one_fold", tp=1, simd=16, pe=8),
        replace(_SPIKES, name="lint_event", mw=36, simd=4, taps=9, event=True),
        replace(_SPIKES, name="lint_event_late", neuron="LateIF", reset="soft", simd=2, event=True, weight_bits=2),
        replace(_SPIKES, name="lint_event_tables", neuron="LateIF", reset="soft", simd=4, event=True),
        replace(_SPIKES, name="lint_event_ternary", mw=60, simd=3, event=True, weight_bits=2),
        replace(_SPIKES, name="lint_event_ternary_counts", simd=1, tp=2, step_bits=3, event=True, weight_bits=2),
        replace(_SPIKES, name="lint_event_counts", mw=60, mh=12, simd=1, tp=2, step_bits=3, event=True),
        replace(_SPIKES, name="lint_event_block", mw=2304, mh=12, simd=6, taps=16, event=True, memory_style="block"),
        replace(_SPIKES, name="lint_event_readout", neuron="none", weight_bits=8, simd=4, pe=4, event=True),
        replace(sums, name="lint_event_sums", mw=18, mh=3, simd=3, pe=1, taps=6, tp=1, event=True),
        replace(sums, name="lint_sums_image", static_input=True, input_bits=8, weight_bits=8),
        replace(_SPIKES, name="lint_slices", mac_style="dsp", neuron="LIF", leak_shift=2, tp=2),
        replace(_SPIKES, name="lint_slices_of_pairs", mac_style="dsp", memory_style="block", mw=32, pe=1),
        replace(_SPIKES, name="lint_slices_late", mac_style="dsp", neuron="LateIF", reset="soft", simd=16),
        replace(_SPIKES, name="lint_slices_image", mac_style="dsp", use_dsp=True, static_input=True, input_bits=8),
        replace(sums, name="lint_slices_sums", mac_style="dsp", simd=4, pe=2, tp=2),
    )
    return tuple(map(_with_random_constants, configurations))


def _with_random_constants(core: SpikingMVAU) -> SpikingMVAU:
    """The core with constants, and every width as they need it."""
    generator = np.random.default_rng(0)
    largest = (1 << (core.weight_bits - 1)) - 1
    weights = generator.integers(-largest, largest + 1, (core.mh, core.mw))
    bias, threshold = generator.integers(-20, 21, core.mh), generator.integers(1, 500, core.mh)
    constants = Constants(weights, bias, threshold)
    if core.neuron == SUMS:
        return replace(core, **vars(sum_widths(weights, core.largest_input)), constants=constants)
    widths = layer_widths(
        constants,
        largest_input=core.largest_input,
        timesteps=core.timesteps,
        neuron=core.dynamics,
        map_pixels=core.map_pixels,
    )
    return replace(core, **vars(widths), constants=constants)
