"""`python -m bench soak`: random images, an hour of them in csim, then 10,000 in Verilator with random stalls.

The demo network is trained, or that of a given run folder taken as `make hls` left it; ONNX Runtime's logits of the
same images are what both have to give, bit by bit. The RTL's stream rules are checked in every cycle.
"""

from __future__ import annotations

import time
from contextlib import redirect_stderr
from io import StringIO

import numpy as np
from numpy.typing import NDArray

from codegen.run_folder import RunFolder
from codegen.verify.csim import run_csim
from codegen.verify.onnx_runtime import OnnxNetwork, load_network
from codegen.verify.rtlsim import run_rtlsim

MINUTES = 60
SOAK_IMAGES = 10_000
CSIM_CHUNK, RTL_CHUNK = 2_000, 500
"""Images that go through a simulation back to back."""
STALLS = (0.0, 0.05, 0.3, 0.6)
"""Probabilities per cycle from which each chunk's pauses of the source and stalls of the sink are drawn."""
SAID_EVERY = 60.0
"""Seconds between two lines of progress."""


def soak(run: RunFolder, first: int, minutes: float, rtl_images: int, quick: bool = False) -> int:
    """Simulate the sources of a run on random images; returns in how many images logits differ from ONNX Runtime's.

    ``first``: seed of the first chunk of images, the next is one more. ``minutes`` of C simulation, ONNX Runtime's part
    and the compilation included, at least one chunk; then ``rtl_images``. Prints progress, the seed of each chunk that
    is not right, and last the number of images that are not. ``quick``: simulations that are compiled soon and run
    slowly. Errors as ``run_csim`` and ``run_rtlsim``.
    """
    network = load_network(run.require("model.onnx"))
    csim_wrong, csim_images = _soak_csim(run, network, first, minutes * 60, quick)
    rtl_wrong = _soak_rtl(run, network, first, rtl_images, quick)
    total = f"{csim_images:,} images in csim and {rtl_images:,} in Verilator"
    print(f"\nsoak {csim_wrong + rtl_wrong} of {total}", flush=True)
    return csim_wrong + rtl_wrong


def _soak_csim(run: RunFolder, network: OnnxNetwork, first: int, seconds: float, quick: bool) -> tuple[int, int]:
    """How many images are wrong, of how many."""
    start = said = time.monotonic()
    wrong, seed = 0, first
    while True:
        images = soak_images(network, CSIM_CHUNK, seed)
        with redirect_stderr(StringIO()):
            logits = run_csim(run, images, quick).logits
        wrong += _differing(f"csim, seed {seed}", logits, network.logits(images))
        seed += 1
        done, now = (seed - first) * CSIM_CHUNK, time.monotonic()
        over = now - start >= seconds
        if over or now - said >= SAID_EVERY:
            print(f"csim: {done:,} images, {wrong} wrong, {(now - start) / 60:.1f} minutes", flush=True)
            said = now
        if over:
            return wrong, done


def _soak_rtl(run: RunFolder, network: OnnxNetwork, first: int, count: int, quick: bool) -> int:
    """How many of ``count`` images are wrong."""
    start = said = time.monotonic()
    wrong, cycles = 0, 0
    for seed, done in enumerate(range(0, count, RTL_CHUNK), first):
        images = soak_images(network, min(RTL_CHUNK, count - done), seed)
        stall_in, stall_out = (float(stall) for stall in np.random.default_rng(seed).choice(STALLS, 2))
        with redirect_stderr(StringIO()):
            result = run_rtlsim(run, images, stall_in=stall_in, stall_out=stall_out, seed=seed, quick=quick)
        named = f"Verilator, seed {seed}, pauses {stall_in}, stalls {stall_out}"
        wrong += _differing(named, result.logits, network.logits(images))
        cycles += result.cycles
        seen, now = done + len(images), time.monotonic()
        if seen == count or now - said >= SAID_EVERY:
            minutes = (now - start) / 60
            print(f"Verilator: {seen:,} images, {cycles:,} cycles, {wrong} wrong, {minutes:.1f} minutes", flush=True)
            said = now
    return wrong


def soak_images(network: OnnxNetwork, count: int, seed: int) -> NDArray[np.uint8]:
    """Random images or event frames uint8 [count, ...]: each with its own share of pixels that are not zero, and its
    own largest value, so that few and many neurons fire."""
    rng = np.random.default_rng(seed)
    shape = (count, *network.properties.input_shape)
    per_image = (count, *(1 for _ in network.properties.input_shape))
    largest = rng.integers(1, 256, per_image)
    lit = rng.random(shape, dtype=np.float32) < rng.random(per_image, dtype=np.float32)
    return np.where(lit, rng.integers(0, largest + 1, shape), 0).astype(np.uint8)


def _differing(named: str, logits: NDArray[np.int32], golden: NDArray[np.int32]) -> int:
    """In how many images logits differ; said where some do."""
    count = int((logits != golden).any(axis=1).sum())
    if count:
        print(f"{named}: {count} of {len(golden)} images differ", flush=True)
    return count
