"""`python -m bench.estimate_luts`: Yosys results of the cores on which the figures of the estimates were chosen.

Synthesises the cores of ``CALIBRATION_SEEDS`` (bench/estimate_error.py) for 7 series, writes what they take to
bench/estimate_luts.json and prints the errors of the estimates. With ``--keep`` they are computed from the file.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from bench.command import run_command
from bench.core_luts import measure_rendered
from bench.estimate_error import CALIBRATION_SEEDS, draw_core
from codegen.fit import Resources
from codegen.synthesis.yosys import start_yosys
from sca_train.command_line import Parser

MEASUREMENTS = Path(__file__).with_suffix(".json")


@dataclass(frozen=True)
class Errors:
    """What estimates are more than Yosys, as a share of that: of LUTs and flip-flops. Of 36 Kb block RAMs their
    number."""

    lut: float
    ff: float
    bram36: float


def main() -> None:
    """Measure (or read), write the file, print the errors."""
    parser = Parser(prog="python -m bench.estimate_luts", description=__doc__)
    parser.add_argument("--keep", action="store_true", help=f"use the measurements in bench/{MEASUREMENTS.name}")
    if not parser.parse_args().keep:
        start_yosys()
        rows = [_measure(seed) for seed in tqdm(CALIBRATION_SEEDS, unit="core")]
        MEASUREMENTS.write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n")
    found = errors()
    for seed, error in found.items():
        print(f"seed {seed:4}: LUT {error.lut:+6.1%}, FF {error.ff:+6.1%}, BRAM36 {error.bram36:+.1f}")
    luts, ffs = ([abs(getattr(error, name)) for error in found.values()] for name in ("lut", "ff"))
    print(f"LUT: mean error {np.mean(luts):.1%}, largest {max(luts):.1%}; FF: {np.mean(ffs):.1%}, {max(ffs):.1%}")


def _measure(seed: int) -> dict[str, float]:
    used = measure_rendered(draw_core(seed))
    return {"seed": seed, "lut": used["lut"], "ff": used["ff"], "bram36": used["bram36"]}


def errors() -> dict[int, Errors]:
    """By seed, what the estimates miss of the measurements in the file."""
    return {row["seed"]: _errors(row) for row in json.loads(MEASUREMENTS.read_text())}


def _errors(row: dict[str, float]) -> Errors:
    estimate: Resources = draw_core(int(row["seed"])).resources()
    return Errors(estimate.lut / row["lut"] - 1, estimate.ff / row["ff"] - 1, estimate.bram36 - row["bram36"])


if __name__ == "__main__":
    sys.exit(run_command(main))
