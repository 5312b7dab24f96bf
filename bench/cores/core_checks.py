"""What every core must show: HLS = RTL = reference model, exact trip counts, exact steady-state intervals."""

from __future__ import annotations

from pathlib import Path
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from bench.cores.core_cases import Case
from bench.cores.hls_bench import HlsResult, run_hls
from bench.cores.rtl_bench import RtlResult, run_rtl
from codegen.cores.core import Core, StreamCore
from codegen.cores.event_cycles import scan_lengths, shortest_scan, vector_cycles
from codegen.cores.spiking_mvau import SpikingMVAU


def batch_faults(cases: list[Case], folder: Path, seed: int) -> list[str]:
    """Run every case in both languages, without gaps and with random ones; sentences about everything that is wrong.

    All cases are one C++ program and one Verilated model. Raises SimulationError where one is not built or stops.
    """
    functions = [case for case in cases if not case.core.stream_depth]
    hls = run_hls(functions, folder / "hls") if functions else {}
    rtl = run_rtl(cases, folder / "rtl", seed)
    faults = []
    for case in cases:
        check = check_stream_core if isinstance(case.core, StreamCore) else check_core
        faults += [f"{case.core}: {fault}" for fault in check(case, hls.get(case.name), rtl[case.name])]
    return faults


def differences(words: list[int], expected: list[int]) -> str:
    """Empty when equal, else where the first difference is."""
    if words == expected:
        return ""
    if len(words) != len(expected):
        return f"{len(words)} words instead of {len(expected)}"
    index = next(i for i, (word, wanted) in enumerate(zip(words, expected, strict=True)) if word != wanted)
    return f"word {index} is {words[index]:x} instead of {expected[index]:x}"


def check_hls(case: Case, result: HlsResult) -> list[str]:
    """Sentences about everything that is wrong, none when the C simulation is right."""
    faults = []
    if wrong := differences(result.words, case.output_words):
        faults.append(f"HLS: {wrong}")
    if result.unread:
        faults.append(f"HLS: {result.unread} input words left")
    trips = case.frames * case.core.cycles
    if is_event(case.core):
        trips = int(vector_cycles(lengths_of(case), case.core).sum())
    if result.trips != trips:
        faults.append(f"HLS: {result.trips} trips instead of {trips} in {case.frames} frames")
    return faults


def check_rtl(case: Case, result: RtlResult) -> list[str]:
    """Sentences about everything that is wrong, none when the RTL simulation is right."""
    faults = []
    if wrong := differences(result.free_words, case.output_words):
        faults.append(f"RTL without gaps: {wrong}")
    if wrong := differences(result.stalled_words, case.output_words):
        faults.append(f"RTL with random gaps: {wrong}")
    if is_event(case.core):
        latencies = set((np.array(result.free_cycles[0]) - event_ends(case).ravel()).tolist())
        if len(latencies) != 1:
            faults.append(
                f"RTL: words come {sorted(latencies)} cycles behind the ends of their folds, not equally many"
            )
        return faults
    for port, (stream, cycles) in enumerate(zip(case.core.outputs, result.free_cycles, strict=True)):
        intervals = {later - earlier for earlier, later in zip(cycles, cycles[stream.words :], strict=False)}
        if intervals != {case.core.cycles}:
            found = sorted(intervals)
            faults.append(f"RTL output {port}: intervals of {found} cycles a frame instead of {case.core.cycles}")
    return faults


def is_event(core: Core) -> TypeGuard[SpikingMVAU]:
    """Whether the cycles of a core depend on its data."""
    return isinstance(core, SpikingMVAU) and core.event


def lengths_of(case: Case) -> NDArray[np.int64]:
    """The ``scan_lengths`` of all vectors of an event-driven core's case."""
    core = case.core
    assert isinstance(core, SpikingMVAU)
    return scan_lengths(case.inputs[0].reshape(-1, core.mw) != 0, core.simd, core.rotate_words)


def event_ends(case: Case) -> NDArray[np.int64]:
    """Cycles, from the first on, at which the neuron folds of an event-driven core end, [vectors, NF]."""
    core = case.core
    assert isinstance(core, SpikingMVAU)
    lengths = lengths_of(case)
    cycles = vector_cycles(lengths, core)
    folds = core.time_folds * np.arange(1, core.neuron_folds + 1)
    starts = np.cumsum(cycles) - cycles
    return np.asarray(starts[:, np.newaxis] + folds * np.maximum(lengths, shortest_scan(core))[:, np.newaxis])


def check_core(case: Case, hls: HlsResult | None, rtl: RtlResult) -> list[str]:
    """Sentences about a core that computes: its words, its trips, and every interval."""
    return ([] if hls is None else check_hls(case, hls)) + check_rtl(case, rtl)


def check_stream_core(case: Case, hls: HlsResult | None, rtl: RtlResult) -> list[str]:
    """The same of stream infrastructure, whose interval counts once its buffer is full, between the last two frames.

    FINN's RTL has no interval to keep: its width converters take longer where no word is a multiple of the other.
    """
    words = {"RTL without gaps": rtl.free_words, "RTL with random gaps": rtl.stalled_words}
    faults = []
    if hls is not None:
        words["HLS"] = hls.words
        if hls.unread:
            faults.append(f"HLS: {hls.unread} input words left")
    faults += [
        f"{where}: {wrong}" for where, found in words.items() if (wrong := differences(found, case.output_words))
    ]
    frame = case.core.outputs[0].words
    before, last = rtl.free_cycles[0][frame - 1 :: frame][-2:]
    if last - before != case.core.cycles and not case.core.rtl_from_finn:
        faults.append(f"RTL: the last interval is {last - before} cycles instead of {case.core.cycles}")
    return faults
