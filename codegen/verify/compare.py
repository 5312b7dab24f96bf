"""``csim`` and ``rtlsim``: a simulator on test images of the run, compared with the logits of ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from codegen.digests import file_digest, sources_digest
from codegen.results import HlsSimulationResult, RtlSimulationResult, TogglesResult
from codegen.run_folder import RunFolder
from codegen.run_inputs import LabelledImages, load_test_set
from codegen.verify.golden import golden_logits
from sca_train.telling import complain, say

if TYPE_CHECKING:
    from codegen.verify.rtlsim import RtlResult

Logits = NDArray[np.int32]


def run_csim_stage(
    run: RunFolder, limit: int | None, data: Path | None = None, jobs: int | None = None
) -> HlsSimulationResult:
    """The HLS C++ on the first ``limit`` test images (None: all), compared with ONNX Runtime's logits.

    ``data``: where the data set lies, if not where the run's configuration says; ``jobs``: as ``run_csim``. Writes
    results/csim.json either way, and names the first differing image on stderr.
    """
    run.require("hls")
    from codegen.verify.csim import run_csim

    everything = load_test_set(run, data)
    tests, golden = everything.first(limit), golden_logits(run, everything.images, limit)
    model, sources = file_digest(run.require("model.onnx")), sources_digest(run.path / "hls")
    computed = run_csim(run, tests.images, jobs=jobs)
    result = HlsSimulationResult(
        accuracy=tests.accuracy(computed.logits),
        shipped_accuracy=tests.shipped_accuracy(computed.logits),
        images=len(golden),
        mismatches=mismatches(computed.logits, golden),
        seconds=computed.seconds,
        images_per_second=_speed(len(golden), computed.seconds),
        trips=computed.trips,
        model_sha256=model,
        sources_sha256=sources,
    )
    result.save(run)
    _tell("csim", run, computed.logits, golden, tests)
    return result


def run_rtlsim_stage(
    run: RunFolder,
    limit: int,
    *,
    stall_in: float,
    stall_out: float,
    seed: int,
    waveform: Path | None,
    data: Path | None = None,
    toggles: int = 0,
    jobs: int | None = None,
) -> RtlSimulationResult:
    """The RTL on the first ``limit`` test images back to back, compared with ONNX Runtime's logits.

    ``toggles``: images of which the toggles of each core's signals are counted too, for results/toggles.json.
    ``jobs``: as ``run_rtlsim``, but without it toggles are of one process, so that they are the same everywhere.

    Only a run without random stalls measures latency and interval, so only that one is kept as results/rtl.json.
    """
    run.require("rtl")
    from codegen.verify.rtlsim import run_rtlsim

    everything = load_test_set(run, data)
    tests, golden = everything.first(limit), golden_logits(run, everything.images, limit)
    model, sources = file_digest(run.require("model.onnx")), sources_digest(run.path / "rtl")
    computed = run_rtlsim(
        run, tests.images, stall_in=stall_in, stall_out=stall_out, seed=seed, waveform=waveform, jobs=jobs
    )
    result = RtlSimulationResult(
        accuracy=tests.accuracy(computed.logits),
        shipped_accuracy=tests.shipped_accuracy(computed.logits),
        images=len(golden),
        mismatches=mismatches(computed.logits, golden),
        seconds=computed.seconds,
        images_per_second=_speed(len(golden), computed.seconds),
        latency=computed.latency,
        interval=computed.interval,
        interval_max=computed.interval_max,
        cycles=computed.cycles,
        cycles_per_second=computed.cycles_per_second,
        stall_in=stall_in,
        stall_out=stall_out,
        seed=seed,
        model_sha256=model,
        sources_sha256=sources,
    )
    result.save(run)
    interval = "not measured (one image)" if result.interval is None else f"{result.interval} cycles"
    processes = f" of {computed.processes} processes" if computed.processes > 1 else ""
    say(f"rtl: latency {result.latency} cycles, interval {interval}, {result.cycles} cycles in total{processes}")
    _tell("rtl", run, computed.logits, golden, tests)
    if not result.mismatches and result.stage == result.STAGE:
        _count_event_cycles(run, everything, computed)
    if toggles and not result.mismatches:
        _count_toggles(run, everything.first(toggles), model, sources, jobs or 1)
    return result


def _count_event_cycles(run: RunFolder, everything: LabelledImages, computed: RtlResult) -> None:
    """Write results/event_cycles.json where cores are event-driven, and say what it holds."""
    from codegen.verify.event_cycles import measure_event_cycles

    result = measure_event_cycles(run, everything, computed)
    if result is None:
        return
    result.save(run)
    spread = result.interval
    say(
        f"event-driven cores: {spread.mean:.0f} cycles a frame on average over {result.images} {result.kind}, "
        f"{spread.p99} in 99 % and {spread.worst} in all of them; {result.guaranteed} for any image"
    )
    if result.simulated:
        simulated = result.simulated
        say(
            f"event-driven cores: {simulated.measured:.0f} cycles from frame to frame in Verilator, "
            f"{simulated.modelled:.0f} by their model, over {simulated.images} images"
        )


def _count_toggles(run: RunFolder, tests: LabelledImages, model: str, sources: str, jobs: int) -> None:
    from codegen.verify.toggles import count_toggles

    result, cores = count_toggles(run, tests.images, jobs)
    images = len(tests.images)
    TogglesResult(images, result.cycles, cores, result.seconds, model, sources).save(run)
    total = sum(core.toggles for core in cores)
    say(f"rtl: {total / images:,.0f} toggles a frame in {len(cores)} cores, counted over {images} images")


def print_stalls(run: RunFolder, limit: int, data: Path | None = None, jobs: int | None = None) -> None:
    """Print a table of the accelerator's streams: cycles in which words moved, stalled and starved.

    ``jobs``: as ``count_stalls``, and one process without it.
    """
    run.require("rtl")
    from codegen.verify.rtlsim import count_stalls

    counts = count_stalls(run, load_test_set(run, data).first(limit).images, jobs or 1)
    width = max(len(count.stream) for count in counts)
    print(f"{'stream':<{width}}{'moved':>10}{'stalled':>10}{'starved':>10}")
    for count in counts:
        print(f"{count.stream:<{width}}{count.moved:>10}{count.stalled:>10}{count.starved:>10}")


def mismatches(logits: Logits, golden: Logits) -> int:
    """Images of which at least one logit [N, classes] differs."""
    return int((logits != golden).any(axis=1).sum())


def _speed(images: int, seconds: float) -> float | None:
    return images / seconds if seconds > 0 else None


def _tell(stage: str, run: RunFolder, logits: Logits, golden: Logits, tests: LabelledImages) -> None:
    differing = mismatches(logits, golden)
    say(f"{stage}: {tests.told(logits)}, {differing} mismatches")
    if not differing:
        return
    first = int((logits != golden).any(axis=1).argmax())
    complain(
        f"error: {stage} of {run.path} differs from ONNX Runtime on {differing} of {len(golden)} {tests.kind}, first "
        f"on image {first}: {logits[first].tolist()} instead of {golden[first].tolist()}"
    )
