"""LUTs of whole SpikingMVAU cores with their sums, and products, in look-up tables and in DSP slices, in Yosys."""

from __future__ import annotations

from typing import Any

from bench.core_luts import BASE, LATE, MAP_SUM, SUMS, measure_core
from bench.lut_per_lane import LATE_4
from codegen.cores.dsp_sums import lane_bits
from codegen.cores.spiking_mvau import SpikingMVAU
from codegen.synthesis.yosys import start_yosys

NAME = "mac-style"
IMAGE: dict[str, Any] = {
    **LATE, "mw": 27, "simd": 9, "pe": 2, "static_input": True, "weight_bits": 8, "acc_bits": 18, "potential_bits": 26,
    "bias_bits": 20, "threshold_bits": 22, "vectors": 1024,
}  # fmt: skip

CORES: dict[str, dict[str, Any]] = {
    "IF": {},
    "IF, sums of 12 bits": {"acc_bits": 10, "bias_bits": 11, "potential_bits": 15},
    "IF, sums of 21 bits": {"acc_bits": 20, "bias_bits": 20, "potential_bits": 25},
    "IF, PE 1": {"pe": 1},
    "IF, T = 8": {"timesteps": 8, "tp": 8},
    "IF, T = 2": {"timesteps": 2, "tp": 2},
    "IF, 2 bits": {"weight_bits": 2},
    "IF, weights in LUTs, PE 2": {"pe": 2, "memory_style": "distributed"},
    "sums sent on": SUMS,
    "LateIF": LATE_4,
    "LateIF, T = 3": LATE,
    "LateIF, T = 3, 2 bits, PE 8 SIMD 64": {
        **LATE, "mw": 576, "mh": 176, "simd": 64, "pe": 8, "weight_bits": 2, "acc_bits": 12, "potential_bits": 17,
    },
    "image of 8 bits, 8-bit weights, PE 2 SIMD 9": IMAGE,
    "read-out over a map, PE 1 SIMD 4": {**MAP_SUM, "simd": 4, "pe": 1},
}  # fmt: skip
"""Changes of bench.core_luts.BASE: PE=4 SIMD=16 T=4, 4-bit weights, 144 inputs, 32 outputs."""


def mac_style() -> None:
    """Synthesise each core for 7 series and print a table; the last line is LUTs saved by a slice of the first core."""
    start_yosys()
    print(
        f"\n### {NAME}\n\n| core | bits of a sum in a slice | LUT | sums in slices: LUT, DSP, LUTs a slice saves ",
        end="",
    )
    print("| products too: LUT, DSP, LUTs a slice saves |\n| --- | --- | --- | --- | --- |")
    figures = []
    for label, change in CORES.items():
        core = SpikingMVAU(name="core", **(BASE | change))
        in_luts = measure_core(core)
        columns = []
        for placed in core.dsp_choices():
            used = measure_core(placed)
            saved = (in_luts["lut"] - used["lut"]) / used["dsp"]
            figures.append(saved)
            columns.append(f"{used['lut']:,}, {used['dsp']}, {saved:.1f}")
        print(f"| {label} | {lane_bits(core)} | {in_luts['lut']:,} | {' | '.join([*columns, ''][:2])} |", flush=True)
    print(f"\n{NAME} {figures[0]:.1f}", flush=True)
