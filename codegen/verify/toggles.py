"""Toggles of each core's signals while the Verilated RTL computes some images: Verilator's SAIF counts, added up.

A toggle is one bit of one signal that changes at a clock edge. Counted are the signals of each core's instance and of
the modules in it, but for those of the arithmetic inside (``codegen.verify.rtl_model.UNCOUNTED``), whose inputs and
results are signals of the core around it. Verilator has names, not nets: signals of one core of which every bit toggled
equally often are taken as one net under several names, and are counted once. Clocks, which change twice in each cycle,
are not counted. It is the activity of the RTL as it is written, before synthesis, and no energy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from codegen.errors import SimulationError
from codegen.render.manifest import read_manifest
from codegen.results import CoreToggles
from codegen.run_folder import RunFolder
from codegen.scratch import scratch_folder
from codegen.verify.rtl_model import ModelOptions
from codegen.verify.rtlsim import RtlResult, simulate, trace_file

INSTANCE = "i_{}"
"""The accelerator's instance of a node (hls_templates/rtl/accelerator.sv.j2)."""
_OPENING = re.compile(r"\(INSTANCE (\S+)")
_BIT = re.compile(r"\((\S+?)(?:\\\[(\d+)\\\])? \(T0 \d+\).*\(TC (\d+)\)")


@dataclass(frozen=True)
class Signal:
    """A signal in a SAIF file: the instances from the top down to it, its name, and the toggles of each bit."""

    scope: tuple[str, ...]
    name: str
    toggles: tuple[int, ...]


def count_toggles(
    run: RunFolder, images: NDArray[np.uint8], jobs: int | None = 1, quick: bool = False
) -> tuple[RtlResult, tuple[CoreToggles, ...]]:
    """Stream images [N, H, W, C] uint8 through the RTL of a run and count; in the order of the accelerator's nodes.

    jobs, quick: as ``codegen.verify.rtlsim.run_rtlsim``. Counts of several processes are added up signal by signal;
    what toggles from one image to the next does not where they are of two processes.
    Raises SimulationError as ``codegen.verify.rtlsim.run_rtlsim``, and where a node is not in what Verilator wrote.
    """
    manifest = read_manifest(run.require("rtl"))
    with scratch_folder() as scratch:
        saif = scratch / "toggles.saif"
        options = ModelOptions(assertions=False, toggles=True, quick=quick)
        result, _ = simulate(run, images, options, waveform=saif, jobs=jobs)
        with ExitStack() as stack:
            files = (saif, *(trace_file(saif, index) for index in range(1, result.processes)))
            opened = [stack.enter_context(file.open(encoding="utf-8", errors="replace")) for file in files]
            counts = add_up(merged([read_saif(lines) for lines in opened]), result.cycles)
    missing = [node.name for node in manifest.nodes if INSTANCE.format(node.name) not in counts]
    if missing:
        raise SimulationError(f"Verilator counted no toggles of {', '.join(missing)} in the RTL of {run.path}")
    cores = ((node.name, counts[INSTANCE.format(node.name)]) for node in manifest.nodes)
    return result, tuple(CoreToggles(name, bits, toggles) for name, (bits, toggles) in cores)


def add_up(signals: Iterable[Signal], cycles: int) -> dict[str, tuple[int, int]]:
    """By instance of the accelerator: bits that toggled at all, and their toggles, over so many cycles."""
    counts: dict[str, tuple[int, int]] = {}
    seen: set[tuple[str, tuple[int, ...]]] = set()
    for signal in signals:
        if len(signal.scope) <= 1:
            continue  # the accelerator's own streams are outputs of its cores
        core = signal.scope[1]
        bits, toggles = counts.get(core, (0, 0))
        if not _is_clock(signal, cycles) and (core, signal.toggles) not in seen:
            seen.add((core, signal.toggles))
            bits += sum(count > 0 for count in signal.toggles)
            toggles += sum(signal.toggles)
        counts[core] = bits, toggles
    return counts


def merged(files: Sequence[Iterable[Signal]]) -> Iterator[Signal]:
    """The signals of one model's SAIF files, the same in each, with the sum of their toggles bit by bit."""
    for same in zip(*files, strict=True):
        toggles = zip(*(signal.toggles for signal in same), strict=True)
        yield Signal(same[0].scope, same[0].name, tuple(map(sum, toggles)))


def _is_clock(signal: Signal, cycles: int) -> bool:
    return len(signal.toggles) == 1 and signal.toggles[0] > cycles


def read_saif(lines: Iterable[str]) -> Iterator[Signal]:
    """The signals in the text of a SAIF file as Verilator writes it, bits of a signal one after the other."""
    for (scope, name), bits in groupby(_bits(lines), key=lambda bit: bit[:2]):
        yield Signal(scope, name, tuple(count for _, _, count in bits))


def _bits(lines: Iterable[str]) -> Iterator[tuple[tuple[str, ...], str, int]]:
    scopes: list[str] = []
    opened: list[bool] = []
    scope: tuple[str, ...] = ()
    for line in lines:
        text = line.strip()
        if text == ")":
            if opened and opened.pop():
                scopes.pop()
                scope = tuple(scopes)
        elif opening := _OPENING.match(text):
            scopes.append(opening[1])
            opened.append(True)
            scope = tuple(scopes)
        elif text == "(NET":
            opened.append(False)
        elif bit := _BIT.match(text):
            yield scope, bit[1], int(bit[3])
