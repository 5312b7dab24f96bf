"""`python -m bench sim-speed`: how fast VGG16 is simulated, beside ONNX Runtime and beside what it was before.

The network is that of ``bench.interval``. Before: all images in one process of Verilator's model, compiled as it was
(``ModelOptions.baseline``). Now: as ``run_rtlsim`` compiles it and shares them. Both are compiled here and take turns,
since others may use the cores; the last figure is the median over turns.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.foldings import VGG16_HALF, shape
from bench.interval import BOARD, TARGET
from bench.networks import random_images, run_of
from codegen.verify.csim import run_csim
from codegen.verify.onnx_runtime import run_onnx
from codegen.verify.rtl_model import ModelOptions, build_model
from codegen.verify.rtlsim import SHARE_IMAGES, RtlResult, simulate

ROUNDS = 3
LEAST_IMAGES = 16
BEFORE, NOW = ModelOptions(baseline=True), ModelOptions()


@dataclass(frozen=True)
class Timed:
    """What a run computed, its wall seconds without compilation, and its processes' seconds on a core."""

    logits: NDArray[np.int32]
    wall: float
    cpu: float
    cycles: int = 0
    processes: int = 1

    @property
    def images_per_second(self) -> float:
        return len(self.logits) / self.wall


def sim_speed(folder: Path, rounds: int | None) -> int:
    """Print the rates of ``rounds`` turns [3], and last Verilator's cycles a second, now over before.

    Returns how many images differ from ONNX Runtime's in any of them.
    """
    network = shape(32, 3, VGG16_HALF)
    run = run_of(network, folder / "bench-sim-speed")
    command = [sys.executable, "-m", "codegen", "hls", str(run.path), "--board", BOARD, "--target-cycles", TARGET]
    subprocess.run(command, check=True)
    images = random_images(network, max(LEAST_IMAGES, SHARE_IMAGES * (os.cpu_count() or 1)))
    run_csim(run, images[:1])  # compiles it
    for options in (BEFORE, NOW):
        build_model(run, options)
    wrong, ratios = 0, []
    for turn in range(1, 1 + (rounds or ROUNDS)):
        onnx = timed(lambda: Timed(run_onnx(run.path / "model.onnx", images), 0, 0))
        csim = timed(lambda: Timed(run_csim(run, images).logits, 0, 0))
        before = timed(lambda: _verilator(simulate(run, images, BEFORE, jobs=1)[0]))
        now = timed(lambda: _verilator(simulate(run, images, NOW, jobs=None)[0]))
        wrong += sum(int((one.logits != onnx.logits).any(axis=1).sum()) for one in (csim, before, now))
        ratios.append(now.cycles / now.wall / (before.cycles / before.wall))
        by_cpu = now.cycles / now.cpu / (before.cycles / before.cpu)
        print(f"turn {turn}, load {', '.join(f'{load:.1f}' for load in os.getloadavg())}")
        print(f"ONNX Runtime {onnx.images_per_second:.1f} images/s, csim {csim.images_per_second:.1f} images/s")
        for name, one in (("before", before), ("now", now)):
            print(
                f"Verilator {name}, {one.processes} processes: {one.cycles / one.wall:,.0f} cycles/s "
                f"({one.cycles / one.cpu:,.0f} by the CPU second), {one.images_per_second:.3f} images/s"
            )
        print(f"cycles a second, now over before: {ratios[-1]:.2f}; by the CPU second {by_cpu:.2f}", flush=True)
    print(f"images that differ from ONNX Runtime: {wrong}\nsim-speed {statistics.median(ratios):.2f}")
    return wrong


def timed(compute: Callable[[], Timed]) -> Timed:
    """The same with its seconds, of this process and of those that it started."""
    start, used = time.monotonic(), _cpu_seconds()
    found = compute()
    return Timed(found.logits, time.monotonic() - start, _cpu_seconds() - used, found.cycles, found.processes)


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _verilator(result: RtlResult) -> Timed:
    return Timed(result.logits, 0, 0, result.cycles, result.processes)
