"""`python -m bench.residual_luts`: Yosys results of the cores of residual streams, and the error of their estimates.

Synthesises each core alone for 7 series, writes the measurements to bench/residual_luts.json and prints how far the
cores' own estimates are from them. With ``--keep`` the error is computed from the measurements in the file.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bench.command import run_command
from bench.core_luts import measure_rendered
from codegen.cores.core import Core
from codegen.cores.neuron_bank import NeuronBank
from codegen.cores.residual_add import ResidualAdd
from codegen.cores.stream_fork import StreamFork
from codegen.synthesis.yosys import start_yosys
from sca_train.command_line import Parser

MEASUREMENTS = Path(__file__).with_suffix(".json")

_FORK = StreamFork("fork_2", vectors=64, channels=64, pe=4, copies=2, elements=4, element_bits=12, signed=True)
_ADD = ResidualAdd(
    "add_sums", vectors=64, channels=64, pe=2, timesteps=4, first_bits=11, first_signed=True, second_bits=12,
    second_signed=True, output_bits=14, first_factor=4,
)  # fmt: skip
_BANK = NeuronBank(
    "bank_if", vectors=64, channels=64, pe=2, timesteps=4, tp=1, sum_bits=12, static_sums=False, signs=False,
    neuron="IF", leak_shift=0, reset="hard", half_start=False, frac_bits=4, potential_bits=1, bias_bits=1,
    threshold_bits=1,
)  # fmt: skip

CORES: tuple[Core, ...] = (
    _FORK,
    replace(_FORK, name="fork_3", copies=3),
    _ADD,
    replace(_ADD, name="add_spikes", first_bits=1, first_signed=False, output_bits=13),
    replace(_ADD, name="add_image", second_bits=8, second_signed=False, second_static=True, pe=4),
    *(
        core.with_random_constants(seed=0)
        for core in (
            _BANK,
            replace(_BANK, name="bank_if_chain", tp=4),
            replace(_BANK, name="bank_if_signs", signs=True),
            replace(_BANK, name="bank_lif_soft", neuron="LIF", leak_shift=2, reset="soft", tp=2, signs=True),
            replace(_BANK, name="bank_delayed", neuron="DelayedLIF", leak_shift=2, reset="soft", tp=2, signs=True),
            replace(_BANK, name="bank_static", static_sums=True, tp=2, pe=4),
            replace(_BANK, name="bank_t16", timesteps=16, tp=2, pe=1, sum_bits=9),
        )
    ),
)
_CLASSES: dict[str, type[Core]] = {core.op: type(core) for core in CORES}


def main() -> None:
    """Measure (or read), write the file, print the errors."""
    parser = Parser(prog="python -m bench.residual_luts", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="use the measurements in bench/residual_luts.json")
    if not parser.parse_args().keep:
        start_yosys()
        measured = [{"op": core.op, **measure_rendered(core)} for core in tqdm(CORES, unit="core")]
        MEASUREMENTS.write_text(json.dumps(measured, indent=2) + "\n")
    print_errors(json.loads(MEASUREMENTS.read_text()))


def print_errors(measurements: list[dict[str, Any]]) -> None:
    """One line a core: measured and estimated LUTs and flip-flops."""
    for measured in measurements:
        core = _CLASSES[measured["op"]](**measured["spec"])
        estimate = core.resources()
        print(
            f"{core.name:16} {measured['cycles']:6} cycles  LUT {measured['lut']:5} (estimate {estimate.lut:5}, "
            f"{estimate.lut / measured['lut'] - 1:+.0%})  FF {measured['ff']:5} (estimate {estimate.ff:5})"
        )


if __name__ == "__main__":
    sys.exit(run_command(main))
