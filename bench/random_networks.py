"""`python -m bench random-networks`: random networks at random foldings, every implementation against ONNX Runtime.

ONNX Runtime = FINN's execution = HLS C++ = RTL in Verilator, the last with stream assertions, without stalls and with
random ones on both sides.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.network_cases import KINDS, kind_of, random_folding, random_network
from bench.networks import random_images, run_of
from codegen.dataflow.build import DEFAULT_PART
from codegen.dataflow.dataflow import fold, load_model, to_dataflow
from codegen.dataflow.environment import quiet
from codegen.dataflow.execute import run_finn
from codegen.dataflow.folding.file import plan_folding
from codegen.dataflow.folding.from_file import explicit, plan_from_file
from codegen.dataflow.folding.layers import read_layers
from codegen.errors import ExportError, FoldingError, MappingError, PrecisionError, SimulationError
from codegen.network import IntegerNetwork
from codegen.render.render import render_sources
from codegen.run_folder import RunFolder
from codegen.verify.csim import run_csim
from codegen.verify.onnx_runtime import run_onnx
from codegen.verify.rtlsim import run_rtlsim

NETWORK_COUNT = 200
IMAGES = 3
PROGRESS = 10
"""Networks between two lines of progress."""
STALL = 0.3
"""Probability per cycle that the source pauses, and that the sink stalls."""


@dataclass(frozen=True)
class Outcome:
    """What a seed's network gave: the sentence that refused it, or what is not right; whether FINN could hold it, and
    whether its images have different logits."""

    kind: str
    refused: str = ""
    faults: tuple[str, ...] = ()
    in_finn: bool = True
    tells_apart: bool = True


def check_network(seed: int, folder: Path) -> Outcome:
    """Run the network of a seed through every implementation, in the run folder ``folder``.

    Networks may follow each other in one folder: Verilator's own files are then compiled once.
    """
    kind = kind_of(seed)
    network = random_network(seed)
    try:
        run = run_of(network, folder)
        save_folded(run, seed)
    except (ExportError, MappingError, FoldingError) as error:
        return Outcome(kind, refused=str(error))
    images = varied_images(network, seed)
    golden = run_onnx(run.path / "model.onnx", images)
    faults: list[str] = []

    def compare(name: str, logits_of: Callable[[], NDArray[np.int32]]) -> None:
        try:
            logits = logits_of()
        except PrecisionError:
            raise
        except SimulationError as error:
            faults.append(f"{name}: {error}")
            return
        differing = int((logits != golden).sum())
        if differing:
            faults.append(f"{name}: {differing} of {golden.size} logits differ")

    in_finn = True
    try:
        compare("FINN", lambda: run_finn(run, images))
    except PrecisionError:
        in_finn = False
    render_sources(run)
    compare("csim", lambda: run_csim(run, images, quick=True).logits)
    compare("RTL", lambda: run_rtlsim(run, images, quick=True).logits)
    stalls = {"stall_in": STALL, "stall_out": STALL, "seed": seed}
    compare("RTL with stalls", lambda: run_rtlsim(run, images, quick=True, **stalls).logits)
    return Outcome(kind, "", tuple(faults), in_finn, len(np.unique(golden, axis=0)) == IMAGES)


def varied_images(network: IntegerNetwork, seed: int) -> NDArray[np.uint8]:
    """IMAGES random images or event frames, each with more pixels that are not zero than the one before."""
    images = random_images(network, IMAGES, seed)
    rng = np.random.default_rng(seed)
    for image, density in zip(images, np.linspace(0.1, 1.0, IMAGES), strict=True):
        image[rng.random(image.shape) >= density] = 0
    return images


def save_folded(run: RunFolder, seed: int) -> None:
    """Write graph.onnx of a run that has a model.onnx, at the random folding of a seed.

    Raises MappingError and FoldingError where a limit forbids it.
    """
    with quiet():
        model = to_dataflow(load_model(run.require("model.onnx")), "rtl", DEFAULT_PART)
        layers = read_layers(model)
        asked = random_folding(layers, seed)
        folding = explicit(plan_folding(plan_from_file(layers, asked)), asked)
        fold(model, folding, DEFAULT_PART).save(str(run.path / "graph.onnx"))


def random_networks(folder: Path, first: int, count: int | None) -> int:
    """Check ``count`` networks (None: NETWORK_COUNT) from seed ``first`` on; returns how many are not right.

    A seed whose network is refused by a sentence is not counted. Prints progress, what is wrong with which seed, a
    table by kind, the refusals, and last how many are not right. The files of the last network stay in ``folder``, so
    that a wrong one is there again with its seed as ``first`` and a ``count`` of 1.
    """
    wanted = NETWORK_COUNT if count is None else count
    start = time.monotonic()
    checked: list[Outcome] = []
    refused: Counter[str] = Counter()
    seed = first
    while len(checked) < wanted:
        outcome = _checked(seed, folder / "bench-random-networks")
        if outcome.faults:
            print(f"seed {seed}, {outcome.kind}: " + "; ".join(outcome.faults), flush=True)
        if outcome.refused:
            refused[outcome.refused] += 1
        else:
            checked.append(outcome)
            if len(checked) % PROGRESS == 0 or len(checked) == wanted:
                _print_progress(checked, wanted, first, seed, time.monotonic() - start)
        seed += 1
    _print_table(checked, refused)
    wrong = sum(bool(outcome.faults) for outcome in checked)
    print(f"\nrandom-networks {wrong}", flush=True)
    return wrong


def _checked(seed: int, folder: Path) -> Outcome:
    """``check_network`` without the progress of its stages; an error of any kind is a fault of the seed's network."""
    try:
        with redirect_stderr(StringIO()):
            return check_network(seed, folder)
    except Exception as error:
        return Outcome(kind_of(seed), faults=(f"{type(error).__name__}: {error}",))


def _print_progress(checked: list[Outcome], wanted: int, first: int, last: int, seconds: float) -> None:
    wrong = sum(bool(outcome.faults) for outcome in checked)
    print(
        f"{len(checked)} of {wanted} networks, seeds {first}..{last}, {wrong} mismatches, {seconds / 60:.1f} minutes",
        flush=True,
    )


def _print_table(checked: list[Outcome], refused: Counter[str]) -> None:
    """Networks by kind, and the sentences by which others were refused."""
    print("\n| kind | networks | of these in FINN | logits differ from image to image | mismatches |")
    print("| --- | --- | --- | --- | --- |")
    for kind in (*KINDS, ""):
        these = [outcome for outcome in checked if outcome.kind == kind or not kind]
        print(
            f"| {kind or 'all'} | {len(these)} | {sum(outcome.in_finn for outcome in these)} "
            f"| {sum(outcome.tells_apart for outcome in these)} | {sum(bool(outcome.faults) for outcome in these)} |"
        )
    for sentence, times in refused.items():
        print(f"refused {times} times: {sentence}")
