"""RTL simulation: one Verilator model of the whole accelerator, images streamed back to back."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codegen.cores import core_class
from codegen.cores.fifo import FIFO_FILE
from codegen.errors import DeadlockError, SimulationError
from codegen.progress import Progress
from codegen.render.build import Command, KeptProgram, content_key, run_tool
from codegen.render.manifest import Manifest, read_manifest
from codegen.render.weight_image import WEIGHT_IMAGE
from codegen.run_folder import RunFolder
from codegen.scratch import scratch_folder
from codegen.verify.stream_words import image_words, logits_of_words
from codegen.verify.verilator import verilator_command, verilator_program
from codegen.weight_bus import BUS_SHARE
from hls_templates import RTL_DIR
from sca_train.files import check_writable

_GAVE_UP = 3
_TIMEOUT_FRAMES = 4
_TIMEOUT_CYCLES = 20_000
_OUTPUT_SPLIT = "6000"
UNCOUNTED = (
    *("sum_tree.sv", "adder_tree.sv", "popcount.sv", "plane_tree.sv", "plane_sum.sv", "step_sum.sv"),
    *("product_dot.sv", "spike_dot.sv", "ternary_dot.sv", "constant_times.sv", "constant_rom.sv", "delay_line.sv"),
)
"""Files whose signals are left out of toggle counts: arithmetic inside a core, most of its signals by far. What goes in
and comes out are signals of the core that uses it."""
PROGRAM = "Vaccelerator"
LZ4_HEADER = "lz4/lz4.h"
"""The header of liblz4, which waveforms need, is on few machines; our own takes its place."""


@dataclass(frozen=True)
class RtlResult:
    """What a run of the Verilated accelerator gave.

    logits int32 [N, classes]. latency: cycles from the first image's first input word to its last logit word, both
    included. interval: median number of cycles between the last logit words of consecutive images, from the third image
    on where there are that many (the first ones fill the pipeline); None for a single image. interval_max: the largest
    of these. cycles: all cycles of the run; seconds: wall time of the simulation without its compilation. intervals:
    cycles between the last logit words of each image and the one before it, from the second image on.
    """

    logits: NDArray[np.int32]
    latency: int
    interval: int | None
    interval_max: int | None
    cycles: int
    seconds: float
    cycles_per_second: float
    intervals: tuple[int, ...] = ()


@dataclass(frozen=True)
class StreamCounts:
    """Cycles in which a stream's word moved, waited for ready (stalled), or was waited for (starved)."""

    stream: str
    moved: int
    stalled: int
    starved: int


@dataclass(frozen=True)
class ModelOptions:
    """What is compiled into a Verilator model beside the accelerator, and how.

    Stream assertions, counters of each stream's stalls, a waveform, toggle counts of all signals (SAIF, in its place);
    gauges in the place of FIFOs. ``quick``: compiled in a quarter of the time to a model that simulates slowly, for a
    few small images.
    """

    assertions: bool = True
    counters: bool = False
    waveform: bool = False
    toggles: bool = False
    gauges: bool = False
    quick: bool = False

    @property
    def variant(self) -> str:
        names = ("assertions", "counters", "waveform", "toggles", "gauges", "quick")
        chosen = [name for name in names if getattr(self, name)]
        return "-".join(chosen) or "plain"


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
) -> RtlResult:
    """Stream images [N, H, W, C] uint8 through the RTL of a run.

    stall_in, stall_out: probability per cycle that the source pauses and that the sink stalls, from ``seed``.
    waveform: FST file to write. assertions: check the stream rules in every cycle. quick: see ``ModelOptions``.
    Raises SimulationError when the tool is missing, the model does not build, or it stops moving words (the sentence
    names the full and the empty streams by producer and consumer).
    """
    options = ModelOptions(assertions=assertions, waveform=waveform is not None, quick=quick)
    result, _ = simulate(run, images, options, stall_in=stall_in, stall_out=stall_out, seed=seed, waveform=waveform)
    return result


def count_stalls(run: RunFolder, images: NDArray[np.uint8]) -> tuple[StreamCounts, ...]:
    """Per stream of the accelerator, how often words moved, stalled and starved; errors as ``run_rtlsim``."""
    manifest = read_manifest(run.require("rtl"))
    _, output = simulate(run, images, ModelOptions(assertions=False, counters=True))
    names = manifest.edge_names
    lines = [line.split() for line in output if line.startswith("counts ")]
    return tuple(
        StreamCounts(names[int(i)], int(moved), int(stalled), int(starved)) for _, i, moved, stalled, starved in lines
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
) -> tuple[RtlResult, list[str]]:
    """Build the model if need be and run it; returns the result and the lines it printed.

    pace, patience: as ``run_gauged``; arguments: of the Verilog. Errors as ``run_rtlsim``.
    """
    for name, probability in (("stall_in", stall_in), ("stall_out", stall_out)):
        if not 0 <= probability < 1:
            raise SimulationError(f"{name}={probability} is outside [0, 1)")
    rtl = run.require("rtl")
    manifest = read_manifest(rtl)
    words = image_words(images, manifest.input)
    program = build_model(run, options)
    slack = (1 - stall_in) * (1 - stall_out)
    frame = sum(node.cycles for node in manifest.nodes) + pace + manifest.bound
    timeout = int((patience or _TIMEOUT_FRAMES * frame + _TIMEOUT_CYCLES) / slack)
    with scratch_folder() as scratch, _written_aside(waveform) as trace:
        image_file, result_file, time_file = (scratch / name for name in ("images", "results", "times"))
        words.tofile(image_file)
        command = [
            str(program.resolve()),
            *(str(file) for file in (image_file, result_file, time_file)),
            *(str(n) for n in (len(words), manifest.input.words, manifest.input.bytes)),
            *(str(n) for n in (manifest.output.words, manifest.output.bytes)),
            *(str(n) for n in (stall_in, stall_out, seed, timeout, pace)),
            "-" if trace is None else str(trace.resolve()),
            *_weight_arguments(rtl, manifest),
            *arguments,
        ]
        start = time.monotonic()
        status, output, errors = _run(command, rtl, len(words))
        seconds = time.monotonic() - start
        cycles = next((int(line.split()[1]) for line in output if line.startswith("cycles ")), 0)
        if status == _GAVE_UP:
            raise DeadlockError(
                f"the accelerator of {run.path} is in a deadlock after {cycles} cycles; of its streams, "
                f"{_waiting(manifest, output)}"
            )
        if status != 0:
            raise SimulationError(f"the RTL simulation of {run.path} stopped: {_reason(errors, output)}")
        shape = (len(words), manifest.output.words, manifest.output.bytes)
        logits = logits_of_words(np.fromfile(result_file, dtype=np.uint8).reshape(shape), manifest.output)
        times = np.fromfile(time_file, dtype=np.uint64).astype(np.int64).reshape(-1, 2)
    gaps = np.diff(times[:, 1])
    settled = gaps[1:] if len(gaps) > 1 else gaps
    result = RtlResult(
        logits=logits,
        latency=int(times[0, 1] - times[0, 0] + 1),
        interval=int(np.median(settled)) if len(settled) else None,
        interval_max=int(settled.max()) if len(settled) else None,
        cycles=cycles,
        seconds=seconds,
        cycles_per_second=cycles / seconds,
        intervals=tuple(map(int, gaps)),
    )
    return result, output


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


def build_model(run: RunFolder, options: ModelOptions) -> Path:
    """The program of a run's Verilator model, compiled unless it is there, compiled from the same sources.

    Raises SimulationError naming the log when it does not build.
    """
    rtl = run.require("rtl")
    manifest = read_manifest(rtl)
    folder = run.path / "build" / "rtlsim" / options.variant
    main, memory = RTL_DIR / "rtlsim_main.cpp", RTL_DIR / "weight_memory.hpp"
    arguments = _verilator_arguments(manifest, options)
    gauge = RTL_DIR / "fifo_gauge.sv"
    gauged = [file for file in manifest.files if options.gauges and file == FIFO_FILE]
    sources = [gauge if file in gauged else rtl / file for file in manifest.files]
    kept = KeptProgram(folder, PROGRAM, content_key([*sources, main, memory], arguments))
    if kept.is_there():
        return kept.program
    with scratch_folder() as scratch:
        # What Verilator's makefiles name lies below the scratch folder: they take no path with a space in it.
        if any(character.isspace() for character in str(scratch)):
            raise SimulationError(f"Verilator cannot build below {scratch}; set TMPDIR to a folder without spaces")
        verilator = scratch / "verilator"
        verilator.symlink_to(verilator_program().parents[1])
        for file in (main, memory, gauge, RTL_DIR / LZ4_HEADER):
            shutil.copyfile(file, scratch / file.name)
        model = scratch / "model"
        model.mkdir()
        waivers = write_waivers(rtl, manifest, scratch / "waivers.vlt", UNCOUNTED if options.toggles else ())
        environment = {"VERILATOR_ROOT": str(verilator)}
        command = [*verilator_command(verilator), *arguments, "-CFLAGS", f"-I{scratch}", "--Mdir", str(model)]
        files = [str(scratch / gauge.name) if file in gauged else file for file in manifest.files]
        Progress("verilating the RTL", "models").show(0, 1)
        verilate = [*command, str(waivers), *files, str(scratch / main.name)]
        run_tool(Command(verilate, "verilating the RTL", folder / "verilator.log", rtl, environment))
        for made in folder.glob("verilated*.o"):
            # Verilator's own objects are the same for every accelerator.
            shutil.copyfile(made, model / made.name)
        _compile(model, options, folder / "make.log", environment)
        kept.keep(model / PROGRAM, *model.glob("verilated*.o"))
    return kept.program


def _compile(model: Path, options: ModelOptions, log: Path, environment: dict[str, str]) -> None:
    """Compile what Verilator wrote into a folder."""
    units = len(list(model.glob("*.cpp")))
    progress = Progress("compiling the RTL simulator", "files")
    progress.show(0, units)
    jobs = str(os.cpu_count() or 1)
    # Verilator's own build was made with another compiler: it includes its precompiled header in that one's way.
    make = ["make", "-f", f"{PROGRAM}.mk", "-j", jobs, "CFG_CXXFLAGS_PCH_I=-include"]
    optimise = ["OPT_FAST=-O2 -march=native", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1"]
    if options.quick:
        # One file, so that Verilator's headers are read once.
        optimise = ["OPT_FAST=-O0", "OPT_SLOW=-O0", "OPT_GLOBAL=-O0", "VM_PARALLEL_BUILDS=0"]
    if options.waveform:
        optimise.append("LDLIBS=-lz")  # without -llz4, see LZ4_HEADER
    run_tool(
        Command([*make, *optimise], "compiling the RTL simulator", log, model, environment),
        lambda: progress.show(min(len(list(model.glob("*.o"))), units - 1), units),
    )
    progress.show(units, units)


def write_waivers(rtl: Path, manifest: Manifest, target: Path, untraced: Sequence[str] = ()) -> Path:
    """Write a Verilator configuration that silences lint in FINN's files, and only in those.

    ``untraced``: names of files whose signals are in no trace.
    """
    finn = [file for node in manifest.nodes for file in node.files if core_class(node.op).rtl_from_finn]
    lines = [f'lint_off -file "{file}"' for file in dict.fromkeys(finn)]
    lines += [f'tracing_off -file "*{file}"' for file in untraced]
    target.write_text("`verilator_config\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return target


def _verilator_arguments(manifest: Manifest, options: ModelOptions) -> list[str]:
    arguments = ["--cc", "--exe", "--top-module", manifest.top, "--prefix", PROGRAM, "-O3", "--no-timing"]
    arguments += ["--x-assign", "fast", "--x-initial", "fast", "-Wno-fatal", "--output-split", _OUTPUT_SPLIT]
    arguments += ["--assert", "-DSPIKEFOLD_ASSERTIONS"] if options.assertions else ["--no-assert"]
    if options.counters:
        arguments.append("-DSPIKEFOLD_STREAM_COUNTERS")
    if manifest.weights:
        arguments += ["-CFLAGS", "-DSPIKEFOLD_WEIGHTS"]
    if options.waveform:
        arguments += ["--trace-fst", "--trace-structs"]
    elif options.toggles:
        arguments += ["--trace-saif"]
    return arguments


def _run(arguments: list[str], rtl: Path, count: int) -> tuple[int, list[str], str]:
    progress = Progress("RTL simulation", "images")
    output: list[str] = []
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors,
        subprocess.Popen(
            arguments, cwd=rtl, stdout=subprocess.PIPE, stderr=errors, encoding="utf-8", errors="replace"
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("progress "):
                _, done, cycles = line.split()
                progress.show(min(int(done), count - 1), count, f"{cycles} cycles")
            else:
                output.append(line.rstrip("\n"))
        status = process.wait()
        if status == 0:
            progress.show(count, count)
        errors.seek(0)
        return status, output, errors.read()


def _waiting(manifest: Manifest, output: list[str]) -> str:
    """Which streams hold a word that is not taken, and which have none: a deadlock is between the two."""
    lines = [line.split() for line in output if line.startswith("stream ")]
    states = {manifest.edge_names[int(index)]: (valid == "1", ready == "1") for _, index, valid, ready in lines}
    full = [name for name, (valid, ready) in states.items() if valid and not ready]
    empty = [name for name, (valid, _) in states.items() if not valid]
    return f"full: {', '.join(full) or 'none'}; empty: {', '.join(empty) or 'none'}"


def _reason(errors: str, output: list[str]) -> str:
    """The first error that the model reported (a failed assertion), or the last line it printed."""
    lines = [line.strip() for line in (*output, *errors.splitlines()) if line.strip()]
    reported = next((line for line in lines if "%Error" in line), None)
    return reported or (lines[-1] if lines else "no message")
