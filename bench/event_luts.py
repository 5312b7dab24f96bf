"""`python -m bench.event_luts`: Yosys results of event-driven spiking cores beside dense ones of the same folding.

Synthesises each core alone for 7 series, dense and event-driven, writes the measurements to bench/event_luts.json and
prints both, the overhead, and how far the estimates are. With ``--keep`` they are those in the file.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from bench.command import run_command
from bench.core_luts import BASE, LATE, measure_core
from codegen.cores.spiking_mvau import SpikingMVAU
from codegen.synthesis.yosys import start_yosys
from sca_train.command_line import Parser

MEASUREMENTS = Path(__file__).with_suffix(".json")

_CONV: dict[str, Any] = {**BASE, "mw": 576, "mh": 64, "taps": 9}
_LATE_CONV = {**_CONV, **LATE, "timesteps": 4, "tp": 4}
_LATE_CONV_2_BIT = {**_CONV, **LATE, "weight_bits": 2}
_CONV_2_BIT = {**_CONV, "weight_bits": 2}

CORES: dict[str, dict[str, Any]] = {
    "late_2x8": {**_LATE_CONV, "simd": 2, "pe": 8},
    "late_2x16": {**_LATE_CONV, "simd": 2, "pe": 16},
    "late_4x8": {**_LATE_CONV, "simd": 4, "pe": 8},
    "late_4x16": {**_LATE_CONV, "simd": 4, "pe": 16},
    "late_8x16": {**_LATE_CONV, "simd": 8, "pe": 16},
    "if_2x8": {**_CONV, "simd": 2, "pe": 8},
    "if_4x16": {**_CONV, "simd": 4, "pe": 16},
    "if_4x16_tp1": {**_CONV, "simd": 4, "pe": 16, "tp": 1},
    "late_2_bit_2x8": {**_LATE_CONV_2_BIT, "simd": 2, "pe": 8},
    "late_2_bit_4x16": {**_LATE_CONV_2_BIT, "simd": 4, "pe": 16},
    "late_2_bit_8x16": {**_LATE_CONV_2_BIT, "simd": 8, "pe": 16},
    "if_2_bit_4x16": {**_CONV_2_BIT, "simd": 4, "pe": 16},
    "if_2_bit_8x8": {**_CONV_2_BIT, "simd": 8, "pe": 8},
    # Folds and places that are no powers of two, and queues in LUTs.
    "late_11_folds_4x16": {**_LATE_CONV, "mw": 396, "mh": 176, "simd": 4, "pe": 16},
    "late_short_8x16": {**_LATE_CONV, "mw": 288, "simd": 8, "pe": 16},
}  # fmt: skip
"""Cores by name, with SIMD x PE lanes."""


def main() -> None:
    """Measure (or read), write the file, print the table."""
    parser = Parser(prog="python -m bench.event_luts", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="use the measurements in bench/event_luts.json")
    if not parser.parse_args().keep:
        start_yosys()
        MEASUREMENTS.write_text(json.dumps([_measure(name) for name in tqdm(CORES, unit="core")], indent=2) + "\n")
    print_table(json.loads(MEASUREMENTS.read_text()))


def _measure(name: str) -> dict[str, Any]:
    """What Yosys used for a core of the table, dense and event-driven."""
    core = SpikingMVAU(name=name, **CORES[name])
    return {"dense": measure_core(core), "event": measure_core(replace(core, event=True))}


def print_table(measurements: list[dict[str, Any]]) -> None:
    """One line a core: LUTs, flip-flops and block RAM of both, the overhead in LUTs, and the estimate's error."""
    errors = []
    for pair in measurements:
        dense, event = pair["dense"], pair["event"]
        estimate = SpikingMVAU(**event["spec"]).resources()
        errors.append(abs(estimate.lut / event["lut"] - 1))
        overhead = event["lut"] / dense["lut"] - 1
        print(
            f"{event['spec']['name']:19} LUT {dense['lut']:5} -> {event['lut']:5} ({overhead:+.1%})"
            f"  FF {dense['ff']:5} -> {event['ff']:5}  BRAM36 {dense['bram36']:4} -> {event['bram36']:4}"
            f"  (estimate {estimate.lut:5}, {estimate.bram36:4})"
        )
    print(f"LUT estimate of event-driven cores: mean error {np.mean(errors):.1%}, largest {max(errors):.1%}")


if __name__ == "__main__":
    sys.exit(run_command(main))
