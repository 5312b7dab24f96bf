"""How far the LUT estimates of SpikingMVAU are from Yosys, on cores drawn at random that no formula was fitted to."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np

from bench.core_luts import measure_rendered
from codegen.arithmetic.ranges import layer_widths, sum_widths
from codegen.cores.core import divisors
from codegen.cores.memory import choose_memory_style
from codegen.cores.spiking_mvau import SpikingMVAU
from codegen.neurons import NO_NEURON, SUMS, Constants
from codegen.synthesis.yosys import start_yosys

NAME = "estimate-error"
UNSEEN_SEED = 3000
"""The first seed by default: the figures of the estimates were chosen on CALIBRATION_SEEDS."""
CALIBRATION_SEEDS = (*range(1, 19), *range(1000, 1061))
UNSEEN_COUNT = 12
MAX_LANES = 300
"""Most products a cycle of a drawn core, so that Yosys takes a minute or two for it."""
IMAGE = "image"


def estimate_error(first: int, count: int | None) -> None:
    """Compare the cores of ``count`` seeds (None: UNSEEN_COUNT) from ``first`` (0: UNSEEN_SEED) on, and print the mean
    absolute error."""
    start_yosys()
    seeds = range(first or UNSEEN_SEED, (first or UNSEEN_SEED) + (UNSEEN_COUNT if count is None else count))
    print(f"\n### {NAME}\n\n| seed | neuron | PE x SIMD x TP, weights | LUT | estimate | error |")
    print("| --- | --- | --- | --- | --- | --- |")
    errors = []
    for seed in seeds:
        core = draw_core(seed)
        used = measure_rendered(core)["lut"]
        estimate = core.resources().lut
        errors.append(estimate / used - 1)
        kind = f"{core.neuron}{', image' if core.static_input else ''}"
        folds = f"{core.pe} x {core.simd} x {core.tp}, {core.weight_bits} bits, {core.memory_style}"
        print(f"| {seed} | {kind} | {folds} | {used:,} | {estimate:,} | {errors[-1]:+.1%} |", flush=True)
    print(f"\n{NAME} {np.mean(np.abs(errors)):.3f}", flush=True)


def draw_core(seed: int) -> SpikingMVAU:
    """A core as networks have them: the shape of a layer, folded at random, with all widths as its constants need."""
    draw, rng = random.Random(seed), np.random.default_rng(seed)
    kind = draw.choice(["IF", "IF", "LIF", "LateIF", "LateIF", "LateIF", IMAGE, NO_NEURON, SUMS])
    late, image, readout = kind == "LateIF", kind == IMAGE, kind == NO_NEURON
    while True:
        channels = draw.choice([16, 24, 32, 48, 64, 96, 128])
        mw = 27 if image else draw.choice([64, 128, 256]) if readout else draw.choice([9 * channels, channels])
        mh = 10 if readout else draw.choice([16, 32, 48, 64, 96])
        timesteps = draw.choice([2, 3, 4, 4, 8])
        wide = kind in ("IF", "LIF")
        weight_bits = 8 if image and draw.random() < 0.5 else draw.choice([2, 4, 4, 8] if wide else [2, 4])
        simd, pe = draw.choice(divisors(mw)), draw.choice(divisors(mh))
        shared = late or image or readout
        tp = timesteps if shared else draw.choice(divisors(timesteps))
        lanes = simd * pe * (timesteps.bit_length() if late else 1 if image or readout else tp)
        if 8 <= lanes <= MAX_LANES and simd <= 64 and pe * simd * weight_bits <= 1500:
            break
    limit = (1 << (weight_bits - 1)) - 1
    weights = np.clip(np.rint(rng.normal(0, max(limit / 2.5, 0.6), (mh, mw))), -limit, limit).astype(np.int64)
    largest = 255 if image else 1
    spread = int(np.abs(weights).sum(axis=1).mean() * largest) << 4
    bias = rng.integers(-spread // 8, spread // 8 + 1, mh)
    constants = Constants(weights, bias, rng.integers(spread // 16 + 1, spread // 4 + 2, mh))
    neuron = draw.choice(["IF", "LateIF", "LIF"]) if image else kind
    core = SpikingMVAU(
        name=f"core_{seed}",
        mw=mw,
        mh=mh,
        simd=simd,
        pe=pe,
        timesteps=timesteps,
        tp=tp,
        static_input=image,
        input_bits=8 if image else 1,
        neuron=neuron,
        leak_shift=1 if neuron == "LIF" else 0,
        reset="soft" if neuron == "LateIF" else draw.choice(["hard", "soft"]),
        frac_bits=4,
        weight_bits=weight_bits,
        acc_bits=1,
        potential_bits=1,
        bias_bits=1,
        threshold_bits=1,
        output_bits=1,
        vectors=1,
        memory_style=choose_memory_style(mw // simd * (mh // pe), simd * pe * weight_bits),
        half_start=neuron not in (NO_NEURON, SUMS) and draw.random() < 0.5,
        constants=constants,
    )
    if neuron == SUMS:
        return replace(core, **vars(sum_widths(weights, largest)))
    return replace(core, **vars(layer_widths(constants, largest, timesteps, core.dynamics)))
