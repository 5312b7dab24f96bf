"""LUTs of a whole SpikingMVAU for each of its SIMD*PE*T lanes, by weight width, neuron and fold, in Yosys."""

from __future__ import annotations

from typing import Any

from bench.core_luts import BASE, LATE, measure_core
from codegen.cores.spiking_mvau import SpikingMVAU
from codegen.synthesis.yosys import start_yosys

NAME = "lut-per-lane"
LATE_4 = {**LATE, "timesteps": 4, "tp": 4}
ONE_FOLD = {"mw": 16, "mh": 4}

CORES: dict[str, dict[str, Any]] = {
    "IF, 4 bits": {},
    "IF, 2 bits": {"weight_bits": 2},
    "IF, 8 bits": {"weight_bits": 8, "pe": 2, "acc_bits": 16, "potential_bits": 21},
    "IF, 4 bits, one step a cycle": {"tp": 1},
    "IF, 4 bits, SIMD 4": {"simd": 4},
    "IF, 4 bits, one fold: weights are constants": ONE_FOLD,
    "IF, 4 bits, sums sent on": {"neuron": "sums", "output_bits": 12},
    "LateIF, 4 bits": LATE_4,
    "LateIF, 2 bits": {**LATE_4, "weight_bits": 2},
    "LateIF, 2 bits, one fold": {**LATE_4, "weight_bits": 2, **ONE_FOLD},
    "LateIF, T = 3, 4 bits": LATE,
    "LateIF, T = 3, 2 bits": {**LATE, "weight_bits": 2},
}
"""Changes of bench.core_luts.BASE: PE=4 SIMD=16 T=4, 144 inputs, 32 outputs. The first one is the figure."""


def lut_per_lane() -> None:
    """Synthesise each core for 7 series and print a table; the last line is the figure of the first core."""
    start_yosys()
    print(f"\n### {NAME}\n\n| core | PE x SIMD x TP | LUT | of a lane | FF | BRAM36 |")
    print("| --- | --- | --- | --- | --- | --- |")
    figures = []
    for label, change in CORES.items():
        core = SpikingMVAU(name="core", **(BASE | change))
        used = measure_core(core)
        figures.append(used["lut"] / (core.pe * core.simd * core.tp))
        folds = f"{core.pe} x {core.simd} x {core.tp}"
        print(
            f"| {label} | {folds} | {used['lut']:,} | {figures[-1]:.2f} | {used['ff']:,} | {used['bram36']:g} |",
            flush=True,
        )
    print(f"\n{NAME} {figures[0]:.2f}", flush=True)
