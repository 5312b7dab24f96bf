"""``lint``: Verilator with all warnings over the SystemVerilog cores, each rendered in its main configurations."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from codegen.arithmetic.ranges import layer_widths
from codegen.core import spike_pool, spiking_mvau
from codegen.core.spike_pool import SpikePoolSpec
from codegen.core.spiking_mvau import SpikingMVAUSpec
from codegen.errors import RenderError
from codegen.neurons import Constants
from codegen.verify.rtlsim import verilator_program
from hls_templates import RTL_DIR

_SPIKES = SpikingMVAUSpec(
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


def lint_configurations() -> tuple[SpikingMVAUSpec, ...]:
    """One SpikingMVAU for each way it is built: spikes, time folds, leak, resets, half start, image, read-out."""
    return (
        _SPIKES,
        replace(_SPIKES, name="lint_lif_folded", neuron="LIF", leak_shift=2, reset="soft", tp=2, weight_bits=2),
        replace(_SPIKES, name="lint_half_start", half_start=True),
        replace(_SPIKES, name="lint_lif_half_start", neuron="LIF", leak_shift=1, tp=1, half_start=True),
        replace(_SPIKES, name="lint_one_step", timesteps=1, tp=1, simd=16, pe=1, memory_style="block"),
        replace(_SPIKES, name="lint_image", static_input=True, input_bits=8, weight_bits=8),
        replace(_SPIKES, name="lint_readout", neuron="none", weight_bits=8, simd=4, pe=8),
        replace(_SPIKES, name="lint_map_readout", neuron="none", simd=4, pe=2, map_pixels=16, vectors=1),
        replace(_SPIKES, name="lint_map_one_fold", neuron="none", simd=16, pe=8, map_pixels=3, vectors=1),
    )


def lint_cores() -> int:
    """Lint every core; returns the number of rendered modules. Raises RenderError with Verilator's first complaint."""
    pool = SpikePoolSpec(name="lint_pool", height=6, width=7, channels=4, kernel=2, pe=2, timesteps=4)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        configurations = lint_configurations()
        for spec in configurations:
            _render(spec, folder)
            _lint(spec.name, spiking_mvau.RTL_SOURCES, folder)
        spike_pool.write_rtl(pool, folder)
        _lint(pool.name, spike_pool.RTL_SOURCES, folder)
    return len(configurations) + 1


def _render(spec: SpikingMVAUSpec, folder: Path) -> None:
    generator = np.random.default_rng(0)
    largest = (1 << (spec.weight_bits - 1)) - 1
    weights = generator.integers(-largest, largest + 1, (spec.mh, spec.mw))
    bias, threshold = generator.integers(-20, 21, spec.mh), generator.integers(1, 500, spec.mh)
    widths = layer_widths(
        Constants(weights, bias, threshold),
        static_input=spec.static_input,
        input_bits=spec.input_bits,
        timesteps=spec.timesteps,
        neuron=spec.dynamics,
        map_pixels=spec.map_pixels,
    )
    spiking_mvau.write_rtl(replace(spec, **vars(widths)), weights, bias, threshold, folder)


def _lint(top: str, sources: tuple[str, ...], folder: Path) -> None:
    files = [str(RTL_DIR / source) for source in sources]
    # Every file of the project is linted with all warnings on; nothing is waived.
    command = [str(verilator_program()), "--lint-only", "-Wall", "--top-module", top, *files, f"{top}.sv"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RenderError(f"Verilator objects to {top}: {done.stderr.strip()}")
