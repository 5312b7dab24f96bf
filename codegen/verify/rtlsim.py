"""RTL simulation: one Verilator model of the whole accelerator, images streamed back to back, by several processes."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codegen.errors import DeadlockError, SimulationError
from codegen.progress import Progress
from codegen.render.manifest import Manifest, read_manifest
from codegen.render.weight_image import WEIGHT_IMAGE
from codegen.run_folder import RunFolder
from codegen.scratch import scratch_folder
from codegen.verify.processes import Ended, check_jobs, first_failed, process_count, run_together, shares
from codegen.verify.rtl_model import ModelOptions, build_model
from codegen.verify.stream_words import image_words, logits_of_words
from codegen.weight_bus import BUS_SHARE
from sca_train.files import check_writable

_GAVE_UP = 3
_TIMEOUT_FRAMES = 4
_TIMEOUT_CYCLES = 20_000
SHARE_IMAGES = 8
"""Least images of one of several processes: two to fill the pipeline, and six more whose intervals count. With two, the
median is not the rate that lasts where weights come from memory, which are read ahead at first."""
_SEED_STEP = 2**40
"""From the seed of one process's random stalls to that of the next."""


@dataclass(frozen=True)
class RtlResult:
    """What a run of the Verilated accelerator gave.

    logits int32 [N, classes]. latency: cycles from the first image's first input word to its last logit word, both
    included. settled: the images whose interval counts, each process's from its third on (the first ones fill the
    pipeline), or else its second. intervals: for each, cycles between the last logit word of the image before it and
    its own. interval: their median; None for a single image. interval_max: the largest. cycles: of all processes
    together, each of which fills the pipeline anew; seconds: wall time of the simulation without its compilation.
    """

    logits: NDArray[np.int32]
    latency: int
    interval: int | None
    interval_max: int | None
    cycles: int
    seconds: float
    cycles_per_second: float
    intervals: tuple[int, ...] = ()
    settled: tuple[int, ...] = ()
    processes: int = 1


@dataclass(frozen=True)
class StreamCounts:
    """Cycles in which a stream's word moved, waited for ready (stalled), or was waited for (starved)."""

    stream: str
    moved: int
    stalled: int
    starved: int


def run_rtlsim(
    run: RunFolder,
    images: NDArray[np.uint8],
    *,
    stall_in: float = 0.0,
    stall_out: float = 0.0,
    seed: int = 0,
    waveform: Path | None = None,
    assertions: bool = True,
    quick: bool = False,
    jobs: int | None = None,
) -> RtlResult:
    """Stream images [N, H, W, C] uint8 through the RTL of a run.

    stall_in, stall_out: probability per cycle that the source pauses and that the sink stalls, from ``seed``.
    waveform: FST file to write. assertions: check the stream rules in every cycle. quick: see ``ModelOptions``.
    jobs: most processes that share the images, SHARE_IMAGES at least each; without it as many as there are cores, but
    one where the seed of random stalls is to make the same run on every machine. A waveform is of one process.
    Raises SimulationError when the tool is missing, the model does not build, or it stops moving words (the sentence
    names the full and the empty streams by producer and consumer).
    """
    options = ModelOptions(assertions=assertions, waveform=waveform is not None, quick=quick)
    check_jobs(jobs)
    if waveform is not None or (jobs is None and stall_in + stall_out > 0):
        jobs = 1
    result, _ = simulate(
        run, images, options, stall_in=stall_in, stall_out=stall_out, seed=seed, waveform=waveform, jobs=jobs
    )
    return result


def count_stalls(
    run: RunFolder, images: NDArray[np.uint8], jobs: int | None = 1, quick: bool = False
) -> tuple[StreamCounts, ...]:
    """Per stream of the accelerator, how often words moved, stalled and starved; errors as ``run_rtlsim``.

    jobs, quick: as there. Each process fills the pipeline anew, where streams starve.
    """
    manifest = read_manifest(run.require("rtl"))
    _, output = simulate(run, images, ModelOptions(assertions=False, counters=True, quick=quick), jobs=jobs)
    counts = np.zeros((len(manifest.edge_names), 3), np.int64)
    for line in output:
        if line.startswith("counts "):
            index, *cycles = (int(number) for number in line.split()[1:])
            counts[index] += cycles
    return tuple(
        StreamCounts(name, *map(int, cycles)) for name, cycles in zip(manifest.edge_names, counts, strict=True)
    )


def run_gauged(
    run: RunFolder,
    images: NDArray[np.uint8],
    depths: Mapping[str, int],
    *,
    pace: int = 0,
    stall: float = 0.0,
    patience: int | None = None,
) -> tuple[RtlResult, dict[str, int]]:
    """A run with FIFOs of other ``depths`` in words (0: none), by name, and the most words that each of these held.

    One compiled model serves all depths. pace: cycles over which the words of an image are spread before they are
    offered; stall: probability per cycle that the source pauses, and that the sink stalls; patience: cycles in which no
    word enters or leaves after which this is a deadlock. Errors as ``run_rtlsim``.
    """
    paths = {f"accelerator.i_{name}.fifo": name for name in depths}
    arguments = [f"+{path}={depths[name]}" for path, name in paths.items()]
    options = ModelOptions(assertions=False, gauges=True)
    result, output = simulate(
        run,
        images,
        options,
        stall_in=stall,
        stall_out=stall,
        pace=pace,
        patience=patience,
        arguments=arguments,
    )
    lines = [line.split() for line in output if line.startswith("occupancy ")]
    return result, {paths[path]: int(words) for _, path, words in lines if path in paths}


def simulate(
    run: RunFolder,
    images: NDArray[np.uint8],
    options: ModelOptions,
    *,
    stall_in: float = 0.0,
    stall_out: float = 0.0,
    seed: int = 0,
    waveform: Path | None = None,
    pace: int = 0,
    patience: int | None = None,
    arguments: Sequence[str] = (),
    jobs: int | None = 1,
) -> tuple[RtlResult, list[str]]:
    """Build the model if need be and run it; returns the result and the lines that its processes printed.

    waveform: what is traced, of the first process; of the others ``trace_file``. pace, patience: as ``run_gauged``;
    arguments: of the Verilog; jobs: as ``run_rtlsim``. Errors as there.
    """
    for name, probability in (("stall_in", stall_in), ("stall_out", stall_out)):
        if not 0 <= probability < 1:
            raise SimulationError(f"{name}={probability} is outside [0, 1)")
    rtl = run.require("rtl")
    manifest = read_manifest(rtl)
    words = image_words(images, manifest.input)
    parts = shares(len(words), process_count(jobs, len(words), SHARE_IMAGES))
    program = build_model(run, options)
    slack = (1 - stall_in) * (1 - stall_out)
    frame = sum(node.cycles for node in manifest.nodes) + pace + manifest.bound
    timeout = int((patience or _TIMEOUT_FRAMES * frame + _TIMEOUT_CYCLES) / slack)
    with scratch_folder() as scratch, _written_aside(waveform) as trace:
        commands = []
        for index, part in enumerate(parts):
            files = [scratch / f"{name}{index}" for name in ("images", "results", "times")]
            words[part].tofile(files[0])
            traced = trace_file(waveform, index) if waveform is not None and index else trace
            commands.append(
                [
                    str(program.resolve()),
                    *map(str, files),
                    *(str(n) for n in (part.stop - part.start, manifest.input.words, manifest.input.bytes)),
                    *(str(n) for n in (manifest.output.words, manifest.output.bytes)),
                    *(str(n) for n in (stall_in, stall_out, seed + index * _SEED_STEP, timeout, pace)),
                    "-" if traced is None else str(traced.resolve()),
                    *_weight_arguments(rtl, manifest),
                    *arguments,
                ]
            )
        start = time.monotonic()
        ended = _run(commands, rtl, len(words))
        seconds = time.monotonic() - start
        _check(run, manifest, ended)
        results = np.concatenate([np.fromfile(scratch / f"results{index}", np.uint8) for index in range(len(parts))])
        logits = logits_of_words(results.reshape(len(words), manifest.output.words, -1), manifest.output)
        times = [np.fromfile(scratch / f"times{index}", np.int64).reshape(-1, 2) for index in range(len(parts))]
    return _result(logits, parts, times, sum(map(_cycles, ended)), seconds), [
        line for process in ended for line in process.output
    ]


def trace_file(first: Path, index: int) -> Path:
    """Where a process writes what is traced, given where the first one does."""
    return first.with_name(f"{first.name}.{index}")


def _result(
    logits: NDArray[np.int32], parts: Sequence[slice], times: Sequence[NDArray[np.int64]], cycles: int, seconds: float
) -> RtlResult:
    """Of each process's share of the images and [share, 2] cycles of their first input word and last output word."""
    settled: list[int] = []
    intervals: list[int] = []
    for part, share in zip(parts, times, strict=True):
        gaps = np.diff(share[:, 1])
        filling = 1 if len(gaps) > 1 else 0
        settled += range(part.start + 1 + filling, part.stop)
        intervals += map(int, gaps[filling:])
    return RtlResult(
        logits=logits,
        latency=int(times[0][0, 1] - times[0][0, 0] + 1),
        interval=int(np.median(intervals)) if intervals else None,
        interval_max=max(intervals, default=None),
        cycles=cycles,
        seconds=seconds,
        cycles_per_second=cycles / seconds,
        intervals=tuple(intervals),
        settled=tuple(settled),
        processes=len(parts),
    )


def _check(run: RunFolder, manifest: Manifest, ended: Sequence[Ended]) -> None:
    """Raise the error of the first process that did not end well."""
    failed = first_failed(ended)
    if failed is None:
        return
    if failed.status == _GAVE_UP:
        raise DeadlockError(
            f"the accelerator of {run.path} is in a deadlock after {_cycles(failed)} cycles; of its streams, "
            f"{_waiting(manifest, failed.output)}"
        )
    raise SimulationError(f"the RTL simulation of {run.path} stopped: {_reason(failed)}")


def _cycles(process: Ended) -> int:
    return next((int(line.split()[1]) for line in process.output if line.startswith("cycles ")), 0)


def _weight_arguments(rtl: Path, manifest: Manifest) -> tuple[str, str, str]:
    """File, bytes and beats a cycle of the memory that weights are read from."""
    if not manifest.weights:
        return "-", "0", "0"
    return WEIGHT_IMAGE, str((rtl / WEIGHT_IMAGE).stat().st_size), str(float(BUS_SHARE))


@contextmanager
def _written_aside(target: Path | None) -> Iterator[Path | None]:
    """A file beside ``target`` that takes its place even where the block fails: a waveform shows a deadlock best."""
    if target is None:
        yield None
        return
    check_writable(target)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    aside = Path(name)
    try:
        yield aside
    finally:
        if aside.stat().st_size:
            aside.chmod(0o644)
            aside.replace(target)
        else:
            aside.unlink()


def _run(commands: Sequence[Sequence[str]], rtl: Path, count: int) -> tuple[Ended, ...]:
    progress = Progress("RTL simulation", "images")

    def show(said: Sequence[tuple[int, ...]]) -> None:
        done, cycles = (sum(numbers[place] for numbers in said if numbers) for place in (0, 1))
        progress.show(min(done, count - 1), count, f"{cycles} cycles")

    ended = run_together(commands, rtl, show)
    if first_failed(ended) is None:
        progress.show(count, count)
    return ended


def _waiting(manifest: Manifest, output: Sequence[str]) -> str:
    """Which streams hold a word that is not taken, and which have none: a deadlock is between the two."""
    lines = [line.split() for line in output if line.startswith("stream ")]
    states = {manifest.edge_names[int(index)]: (valid == "1", ready == "1") for _, index, valid, ready in lines}
    full = [name for name, (valid, ready) in states.items() if valid and not ready]
    empty = [name for name, (valid, _) in states.items() if not valid]
    return f"full: {', '.join(full) or 'none'}; empty: {', '.join(empty) or 'none'}"


def _reason(process: Ended) -> str:
    """The first error that the model reported (a failed assertion), or the last line it printed."""
    lines = [line.strip() for line in (*process.output, *process.errors.splitlines()) if line.strip()]
    reported = next((line for line in lines if "%Error" in line), None)
    return reported or (lines[-1] if lines else "no message")
