"""`python -m bench interval`: VGG16 in Verilator against its bound, and how fast ONNX Runtime and both simulators are.

The network is VGG16 at RATIO=0.5 with random weights (``foldings.shape``): how many cycles it takes is a matter of
shapes. Its images are random too; all logits are compared with ONNX Runtime's.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from bench.foldings import VGG16_HALF, shape
from bench.networks import random_images, run_of
from codegen.render.manifest import read_manifest
from codegen.verify.csim import run_csim
from codegen.verify.onnx_runtime import run_onnx
from codegen.verify.rtlsim import run_rtlsim

BOARD, TARGET = "ZCU102", "250000"
CSIM_IMAGES = 16
RTL_IMAGES = 4
"""Two to fill the pipeline, and two more."""


def interval(folder: Path) -> int:
    """Print the rates, and last cycles from image to image over their bound; returns how many images differ."""
    network = shape(32, 3, VGG16_HALF)
    run = run_of(network, folder / "bench-interval")
    command = [sys.executable, "-m", "codegen", "hls", str(run.path), "--board", BOARD, "--target-cycles", TARGET]
    subprocess.run(command, check=True)
    images = random_images(network, CSIM_IMAGES)
    start = time.perf_counter()
    golden = run_onnx(run.path / "model.onnx", images)
    onnx_rate = len(images) / (time.perf_counter() - start)
    csim = run_csim(run, images)
    rtl = run_rtlsim(run, images[:RTL_IMAGES])
    assert rtl.interval is not None
    wrong = int((csim.logits != golden).any(axis=1).sum() + (rtl.logits != golden[:RTL_IMAGES]).any(axis=1).sum())
    bound = read_manifest(run.require("rtl")).bound
    print(f"ONNX Runtime {onnx_rate:.1f} images/s, csim {len(images) / csim.seconds:.1f} images/s")
    print(f"Verilator {rtl.cycles_per_second:,.0f} cycles/s; latency {rtl.latency:,}, interval {rtl.interval:,} cycles")
    print(f"bound {bound:,} cycles; images that differ from ONNX Runtime: {wrong}\ninterval {rtl.interval / bound:.4f}")
    return wrong
