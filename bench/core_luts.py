"""`python -m bench.core_luts`: Yosys results of the spiking cores over folds and modes, and the error of the estimates.

Renders each core alone with random weights, synthesises it for 7 series, writes the measurements to
bench/core_luts.json and prints how far the cores' own estimates are from them. With ``--keep`` the error is computed
from the measurements in the file.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from bench.command import positive, run_command
from codegen.cores.core import Core
from codegen.cores.spiking_mvau import SpikingMVAU
from codegen.neurons import Constants
from codegen.synthesis.cache import SynthesisCache
from codegen.synthesis.cells import CoreUse
from codegen.synthesis.yosys import CoreSources, content_key, start_yosys, synthesise_core
from hls_templates import RTL_DIR
from sca_train.command_line import Parser
from sca_train.files import cache_folder

MEASUREMENTS = Path(__file__).with_suffix(".json")
LIMIT_SECONDS = 900.0

BASE: dict[str, Any] = {
    "mw": 144, "mh": 32, "simd": 16, "pe": 4, "timesteps": 4, "tp": 4, "static_input": False, "input_bits": 8,
    "neuron": "IF", "leak_shift": 1, "reset": "hard", "frac_bits": 4, "weight_bits": 4, "acc_bits": 12,
    "potential_bits": 17, "bias_bits": 12, "threshold_bits": 14, "output_bits": 14, "vectors": 1,
    "memory_style": "block",
}  # fmt: skip
MLP_FIRST = {
    "mw": 64, "mh": 64, "timesteps": 16, "tp": 16, "static_input": True, "neuron": "LIF", "acc_bits": 20,
    "potential_bits": 26, "bias_bits": 20, "threshold_bits": 22, "weight_bits": 8,
}  # fmt: skip
MAP_SUM = {
    "mw": 208, "mh": 10, "neuron": "none", "map_pixels": 16, "acc_bits": 18, "bias_bits": 14, "output_bits": 18,
    "memory_style": "distributed",
}  # fmt: skip
MLP_LAST = {"mw": 64, "mh": 10, "timesteps": 16, "tp": 16, "neuron": "none", "memory_style": "distributed"}
LATE = {
    "timesteps": 3, "tp": 3, "neuron": "LateIF", "reset": "soft", "half_start": True, "potential_bits": 19,
    "acc_bits": 14, "threshold_bits": 16,
}  # fmt: skip
SUMS = {"neuron": "sums", "output_bits": 12}
EXTERNAL = {"memory_style": "external", "acc_bits": 16, "potential_bits": 21}

CORES: dict[str, dict[str, Any]] = {
    "spikes_2x4": {"simd": 4, "pe": 2},
    "spikes_1x16": {"pe": 1},
    "spikes_4x16": {},
    "spikes_4x16_tp2": {"tp": 2},
    "ternary_4x16": {"weight_bits": 2},
    "ternary_1x72": {"weight_bits": 2, "simd": 72, "pe": 1},
    "late_ternary_8x32": {**LATE, "mw": 576, "mh": 176, "simd": 32, "pe": 8, "weight_bits": 2},
    "late_ternary_4x96": {**LATE, "mw": 288, "mh": 64, "simd": 96, "pe": 4, "weight_bits": 2},
    "late_4x16": LATE,
    "spikes_2x16_8bit": {"weight_bits": 8, "pe": 2, "acc_bits": 16, "potential_bits": 21},
    "spikes_2x16_lif_soft": {"pe": 2, "neuron": "LIF", "reset": "soft"},
    "spikes_2x16_delayed": {"pe": 2, "neuron": "DelayedLIF", "reset": "soft"},
    "spikes_2x48_chain": {"simd": 48, "pe": 2},
    "spikes_1x16_t16": {"pe": 1, "timesteps": 16, "tp": 16},
    "spikes_2x16_lut_rom": {"pe": 2, "memory_style": "distributed"},
    "static_4x9_8bit": {
        "mw": 27, "simd": 9, "static_input": True, "weight_bits": 8, "acc_bits": 21, "potential_bits": 26,
        "bias_bits": 20, "threshold_bits": 22, "memory_style": "distributed",
    },
    "mlp_first_8x4": {**MLP_FIRST, "simd": 4, "pe": 8},
    "mlp_first_8x4_4bit": {**MLP_FIRST, "simd": 4, "pe": 8, "weight_bits": 4, "acc_bits": 16, "potential_bits": 22},
    "mlp_first_8x4_dsp": {**MLP_FIRST, "simd": 4, "pe": 8, "use_dsp": True},
    "mlp_last_1x4": {**MLP_LAST, "simd": 4, "pe": 1},
    "mlp_last_2x2": {**MLP_LAST, "simd": 2, "pe": 2},
    "map_sum_1x1": {**MAP_SUM, "simd": 1, "pe": 1},
    "map_sum_1x4": {**MAP_SUM, "simd": 4, "pe": 1},
    "map_sum_2x8_block": {**MAP_SUM, "simd": 8, "pe": 2, "memory_style": "block"},
    "counts_2x16_3bit": {"pe": 2, "step_bits": 3, "acc_bits": 14, "potential_bits": 19},
    "counts_4x8_3bit_tp1": {"simd": 8, "tp": 1, "step_bits": 3, "acc_bits": 14, "potential_bits": 19},
    "events_4x2_8bit": {
        "mw": 18, "simd": 2, "weight_bits": 8, "step_bits": 8, "acc_bits": 20, "potential_bits": 26,
        "bias_bits": 18, "threshold_bits": 20, "memory_style": "distributed",
    },
    "sums_4x16": SUMS,
    "sums_4x16_tp2": {**SUMS, "tp": 2},
    "sums_static_4x9_8bit": {
        **SUMS, "mw": 27, "simd": 9, "static_input": True, "weight_bits": 8, "acc_bits": 21, "output_bits": 21,
        "memory_style": "distributed",
    },
    "external_2x16": {**EXTERNAL, "mw": 2304, "mh": 256, "vectors": 64, "pe": 2},
    "counts_last_1x4": {**MLP_LAST, "simd": 4, "pe": 1, "step_bits": 3, "acc_bits": 16, "output_bits": 17},
}  # fmt: skip


def main() -> None:
    """Measure (or read), write the file, print the errors."""
    parser = Parser(prog="python -m bench.core_luts", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="use the measurements in bench/core_luts.json")
    parser.add_argument("--jobs", type=positive, default=2)
    options = parser.parse_args()
    if not options.keep:
        MEASUREMENTS.write_text(json.dumps(measure(options.jobs), indent=2) + "\n")
    print_errors(json.loads(MEASUREMENTS.read_text()))


def measure(jobs: int) -> list[dict[str, Any]]:
    """Every core of the table: its spec, and what Yosys used for it."""
    start_yosys()
    cores = [SpikingMVAU(name=name, **(BASE | change)) for name, change in CORES.items()]
    with ThreadPoolExecutor(jobs) as pool:
        return list(tqdm(pool.map(measure_core, cores), total=len(cores), unit="core"))


def measure_core(core: SpikingMVAU) -> dict[str, Any]:
    """Synthesise one core with random weights, 7 series."""
    return measure_rendered(with_random_constants(core))


def with_random_constants(core: SpikingMVAU) -> SpikingMVAU:
    """The core with weights, biases and thresholds, always the same."""
    rng = np.random.default_rng(0)
    limit = (1 << (core.weight_bits - 1)) - 1
    weights = rng.integers(-limit, limit + 1, (core.mh, core.mw))
    bias = rng.integers(-100, 101, core.mh)
    threshold = rng.integers(100, 1000, core.mh)
    return replace(core, constants=Constants(weights, bias, threshold))


def measure_rendered(core: Core) -> dict[str, Any]:
    """Synthesise one core that is complete with constants, 7 series."""
    with rendered(core) as sources:
        used = _synthesised(sources)
    resources = asdict(used.resources)
    return {"spec": core.parameters(), "cycles": core.cycles, **resources, "memory_luts": used.memory_luts}


@contextmanager
def rendered(core: Core) -> Iterator[CoreSources]:
    """The sources of one core in a folder of their own."""
    shared = core.sources["rtl"]
    with tempfile.TemporaryDirectory(prefix="spikefold-core-") as name:
        folder = Path(name)
        files = core.render("rtl", folder)
        for source in shared:
            shutil.copyfile(RTL_DIR / source, folder / source)
        every = (*shared, *files.sources, *files.data_files)
        yield CoreSources(f"{core.op}_rtl", core.name, folder, every)


def _synthesised(core: CoreSources) -> CoreUse:
    """What Yosys uses for a core, from the cache of ``make synth`` where it has it."""
    cache, key = SynthesisCache(cache_folder()), content_key(core, "xc7")
    if (found := cache.load(key)) is not None:
        return found.use
    result = synthesise_core(core, "xc7", LIMIT_SECONDS)
    cache.store(key, result)
    return result.use


def print_errors(measurements: list[dict[str, Any]]) -> None:
    """One line a core: measured, estimated, relative error of the LUTs."""
    errors = []
    for measured in measurements:
        core = SpikingMVAU(**measured["spec"])
        estimate = core.resources()
        errors.append(abs(estimate.lut / measured["lut"] - 1))
        print(
            f"{core.name:22} {measured['cycles']:6} cycles  LUT {measured['lut']:5} (estimate {estimate.lut:5})"
            f"  FF {measured['ff']:5}  BRAM36 {measured['bram36']:4} ({estimate.bram36:4})  DSP {measured['dsp']}"
        )
    print(f"LUT estimate: mean error {np.mean(errors):.1%}, largest {max(errors):.1%}")


if __name__ == "__main__":
    sys.exit(run_command(main))
