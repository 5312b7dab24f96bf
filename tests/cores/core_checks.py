"""What every core must show: HLS = RTL = reference model, exact trip counts, exact steady-state intervals."""

from __future__ import annotations

from core_cases import Case
from hls_bench import HlsResult
from rtl_bench import RtlResult


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
    if result.trips != case.frames * case.core.cycles:
        faults.append(f"HLS: {result.trips} trips instead of {case.frames} * {case.core.cycles}")
    return faults


def check_rtl(case: Case, result: RtlResult) -> list[str]:
    """Sentences about everything that is wrong, none when the RTL simulation is right."""
    faults = []
    if wrong := differences(result.free_words, case.output_words):
        faults.append(f"RTL without gaps: {wrong}")
    if wrong := differences(result.stalled_words, case.output_words):
        faults.append(f"RTL with random gaps: {wrong}")
    for port, (stream, cycles) in enumerate(zip(case.core.outputs, result.free_cycles, strict=True)):
        intervals = {later - earlier for earlier, later in zip(cycles, cycles[stream.words :], strict=False)}
        if intervals != {case.core.cycles}:
            found = sorted(intervals)
            faults.append(f"RTL output {port}: intervals of {found} cycles a frame instead of {case.core.cycles}")
    return faults
