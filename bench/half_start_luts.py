"""`python -m bench.half_start_luts`: what an initial potential of half the threshold costs, in LUTs and FFs of Yosys.

Synthesises each core twice for 7 series, from V = 0 and from V = threshold >> 1 (v_init 0 and 0.5), with the same
random constants, and prints a table of exact counts.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from tqdm import tqdm

from bench.command import positive, run_command
from bench.core_luts import BASE, measure_core
from codegen.cores.spiking_mvau import SpikingMVAU
from codegen.synthesis.yosys import start_yosys
from sca_train.command_line import Parser

STATIC = {
    "mw": 27, "simd": 9, "static_input": True, "weight_bits": 8, "acc_bits": 21, "potential_bits": 26,
    "bias_bits": 20, "threshold_bits": 22, "memory_style": "distributed",
}  # fmt: skip
CORES: dict[str, dict[str, Any]] = {
    "if_soft": {"reset": "soft"},
    "if_hard": {},
    "lif_soft": {"neuron": "LIF", "reset": "soft"},
    "lif_hard": {"neuron": "LIF"},
    "if_soft_chain": {"simd": 72, "pe": 2, "reset": "soft"},
    "if_soft_tp2": {"tp": 2, "reset": "soft"},
    "if_soft_image": {**STATIC, "reset": "soft"},
    "if_hard_image": STATIC,
}


def main() -> None:
    """Measure and print one row a core."""
    parser = Parser(prog="python -m bench.half_start_luts", description=__doc__)
    parser.add_argument("--jobs", type=positive, default=2)
    parser.add_argument("cores", nargs="*", default=list(CORES), metavar="core", help=f"of {', '.join(CORES)}")
    options = parser.parse_args()
    unknown = [name for name in options.cores if name not in CORES]
    if unknown:
        parser.error(f"unknown core {unknown[0]}; valid are {', '.join(CORES)}")
    start_yosys()
    cores = [SpikingMVAU(name=name, **(BASE | CORES[name])) for name in options.cores]
    both = [replace(core, half_start=half_start) for core in cores for half_start in (False, True)]
    with ThreadPoolExecutor(options.jobs) as pool:
        used = list(tqdm(pool.map(measure_core, both), total=len(both), unit="core"))
    print("| core | PE, SIMD, TP | LUT at 0 | LUT at 0.5 | FF at 0 | FF at 0.5 |")
    print("| --- | --- | --- | --- | --- | --- |")
    for core, zero, half in zip(cores, used[::2], used[1::2], strict=True):
        more = half["lut"] / zero["lut"] - 1
        folds = f"{core.pe}, {core.simd}, {core.tp}"
        luts = f"{zero['lut']:,} | {half['lut']:,} ({more:+.1%})"
        print(f"| {core.name} | {folds} | {luts} | {zero['ff']:,} | {half['ff']:,} |")


if __name__ == "__main__":
    sys.exit(run_command(main))
