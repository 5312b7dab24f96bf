"""``csim`` and ``rtlsim``: a simulator on test images of the run, held against the logits of ONNX Runtime."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codegen.run_folder import RunFolder
from codegen.run_inputs import LabelledImages, load_test_set
from codegen.verify.golden import golden_logits

Logits = NDArray[np.int32]


def run_csim_stage(run: RunFolder, limit: int | None, data: Path | None = None) -> bool:
    """The HLS C++ on the first ``limit`` test images (None: all); True when every logit equals ONNX Runtime's.

    ``data``: where the data set lies, if not where the run's configuration says. Writes results/csim.json either way,
    and names the first differing image on stderr.
    """
    run.require("hls")
    from codegen.verify.csim import run_csim

    everything = load_test_set(run, data)
    tests, golden = everything.first(limit), golden_logits(run, everything.images, limit)
    result = run_csim(run, tests.images)
    outcome = compare(result.logits, golden, tests, result.seconds)
    run.save_result("csim", outcome | measured_fields(result, outcome))
    return _tell("csim", run, result.logits, golden, tests)


def run_rtlsim_stage(
    run: RunFolder,
    limit: int,
    *,
    stall_in: float,
    stall_out: float,
    seed: int,
    waveform: Path | None,
    data: Path | None = None,
) -> bool:
    """The RTL on the first ``limit`` test images back to back; True when every logit equals ONNX Runtime's.

    Only a run without random stalls measures latency and interval, so only that one is kept as results/rtl.json.
    """
    run.require("rtl")
    from codegen.verify.rtlsim import run_rtlsim

    everything = load_test_set(run, data)
    tests, golden = everything.first(limit), golden_logits(run, everything.images, limit)
    result = run_rtlsim(run, tests.images, stall_in=stall_in, stall_out=stall_out, seed=seed, waveform=waveform)
    outcome = compare(result.logits, golden, tests, result.seconds)
    outcome |= measured_fields(result, outcome)
    stalled = stall_in > 0 or stall_out > 0
    run.save_result(
        "rtl_stalled" if stalled else "rtl", outcome | {"stall_in": stall_in, "stall_out": stall_out, "seed": seed}
    )
    interval = "not measured (one image)" if result.interval is None else f"{result.interval} cycles"
    print(f"rtl: latency {result.latency} cycles, interval {interval}, {result.cycles} cycles in total")
    return _tell("rtl", run, result.logits, golden, tests)


def print_stalls(run: RunFolder, limit: int, data: Path | None = None) -> None:
    """Print a table of the accelerator's streams: cycles in which words moved, stalled and starved."""
    run.require("rtl")
    from codegen.verify.rtlsim import count_stalls

    counts = count_stalls(run, load_test_set(run, data).first(limit).images)
    width = max(len(count.stream) for count in counts)
    print(f"{'stream':<{width}}{'moved':>10}{'stalled':>10}{'starved':>10}")
    for count in counts:
        print(f"{count.stream:<{width}}{count.moved:>10}{count.stalled:>10}{count.starved:>10}")


def compare(logits: Logits, golden: Logits, tests: LabelledImages, seconds: float) -> dict[str, Any]:
    """What results/<stage>.json says about logits [N, classes]: accuracy, images, mismatches, seconds, images/s."""
    images = len(golden)
    return {
        **tests.accuracy_fields(logits),
        "images": images,
        "mismatches": int((logits != golden).any(axis=1).sum()),
        "seconds": seconds,
        "images_per_second": images / seconds if seconds > 0 else None,
    }


def measured_fields(result: object, outcome: dict[str, Any]) -> dict[str, Any]:
    """The other fields of a simulator's result, as JSON holds them."""
    return {name: _plain(value) for name, value in vars(result).items() if name not in (*outcome, "logits")}


def _plain(value: object) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value


def _tell(stage: str, run: RunFolder, logits: Logits, golden: Logits, tests: LabelledImages) -> bool:
    differing = (logits != golden).any(axis=1)
    mismatches = int(differing.sum())
    print(f"{stage}: {tests.told(logits)}, {mismatches} mismatches")
    if not mismatches:
        return True
    first = int(differing.argmax())
    print(
        f"error: {stage} of {run.path} differs from ONNX Runtime on {mismatches} of {len(golden)} {tests.kind}, first "
        f"on image {first}: {logits[first].tolist()} instead of {golden[first].tolist()}",
        file=sys.stderr,
    )
    return False
