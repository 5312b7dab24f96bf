"""`python -m bench random-cores`: random configurations of every core in batches, HLS = RTL = reference model."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

from bench.cores.core_cases import Case
from bench.cores.core_checks import batch_faults
from bench.cores.external_cases import random_external
from bench.cores.finn_cases import random_converter, random_fifo, random_padding
from bench.cores.port_cases import random_add, random_bank, random_fork
from bench.cores.random_cases import random_case, random_count_case, random_event_case, random_sums_case
from bench.cores.window_cases import random_window
from codegen.errors import CodegenError

CORE_COUNT = 1008
BATCH_SIZE = 24
"""Configurations in one C++ program and one Verilated model; more take longer to compile than they save."""

DRAWS = (
    random_case,
    random_case,
    random_case,
    random_count_case,
    random_sums_case,
    random_event_case,
    random_external,
    random_fork,
    random_add,
    random_bank,
    random_window,
    random_padding,
    random_converter,
    random_fifo,
)
"""What the seeds draw, in turn; SpikingMVAU, which has the most parameters, more often than the others."""


def seeded_case(seed: int) -> Case:
    """The configuration of a seed."""
    return DRAWS[seed % len(DRAWS)](f"core_{seed}", seed)


def random_cores(folder: Path, first: int, count: int | None) -> int:
    """Check the configurations of ``count`` seeds (None: CORE_COUNT) from ``first`` on; returns how many are not right.

    Prints progress, what is wrong with which seed, a table by core, and last how many are not right.
    """
    seeds = range(first, first + (CORE_COUNT if count is None else count))
    start = time.monotonic()
    checked: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for index in range(0, len(seeds), BATCH_SIZE):
        batch = seeds[index : index + BATCH_SIZE]
        cases = [seeded_case(seed) for seed in batch]
        checked.update(case.core.op for case in cases)
        wrong.update(_wrong(cases, batch, folder / "bench-random-cores"))
        minutes = (time.monotonic() - start) / 60
        print(
            f"{checked.total()} of {len(seeds)} configurations, seeds {first}..{batch[-1]}, "
            f"{wrong.total()} mismatches, {minutes:.1f} minutes",
            flush=True,
        )
    print("\n| core | configurations | mismatches |\n| --- | --- | --- |")
    for op in sorted(checked):
        print(f"| {op} | {checked[op]} | {wrong[op]} |")
    print(f"\nrandom-cores {wrong.total()}", flush=True)
    return wrong.total()


def _wrong(cases: list[Case], seeds: range, build: Path) -> list[str]:
    """Operators of the cases that are not right, each found to be so alone; prints what is wrong.

    ``build``: a folder that all batches share, so that Verilator's own files are compiled once.
    """
    try:
        faults = batch_faults(cases, build, seed=seeds[0])
    except CodegenError as error:
        faults = [str(error)]
    if not faults:
        return []
    if len(cases) > 1:
        middle = len(cases) // 2
        return _wrong(cases[:middle], seeds[:middle], build) + _wrong(cases[middle:], seeds[middle:], build)
    print(f"seed {seeds[0]}: " + "; ".join(faults), flush=True)
    return [cases[0].core.op]
