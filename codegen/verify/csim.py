"""C simulation: the rendered HLS C++ as one program that runs a whole test set on all cores."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codegen.errors import SimulationError
from codegen.progress import Progress
from codegen.render.build import Command, KeptProgram, content_key, run_tool, run_tools
from codegen.render.manifest import HLS_STREAMS, read_hls_streams
from codegen.render.render_hls import CSIM_FOLDER, INCLUDE_FOLDER, NODE_FOLDER
from codegen.render.weight_image import WEIGHT_IMAGE
from codegen.run_folder import RunFolder
from codegen.scratch import scratch_folder
from codegen.verify.processes import process_count, run_together
from codegen.verify.stream_words import image_words, logits_of_words

_COMPILER = "g++"
_STANDARD = "-std=c++14"
_OPTIMISATION = ("-O3", "-march=native")
_WARNINGS = ("-Wall", "-Wextra", "-Wno-unknown-pragmas")


@dataclass(frozen=True)
class CsimResult:
    """What a C simulation gave: logits int32 [N, classes], wall time of the run without compilation, and per node the
    trips of its II=1 loops for one image (its cycles without the pipeline depth)."""

    logits: NDArray[np.int32]
    seconds: float
    trips: dict[str, int]


def run_csim(run: RunFolder, images: NDArray[np.uint8], quick: bool = False, jobs: int | None = None) -> CsimResult:
    """Run images [N, H, W, C] uint8 through the HLS C++ of a run.

    ``quick``: compiled in a quarter of the time to a program that is slow, for a few small images.
    ``jobs``: most processes that share the images; without it as many as there are cores.
    Raises SimulationError when there is no compiler, the program does not compile, or it does not finish.
    """
    run.require("hls")
    streams = read_hls_streams(run.require(f"hls/{HLS_STREAMS}"))
    words = image_words(images, streams.input)
    workers = process_count(jobs, len(words))
    program = build_csim(run, streams.max_width, quick)
    with scratch_folder() as scratch:
        image_file, result_file, trip_file = (scratch / name for name in ("images", "results", "trips"))
        words.tofile(image_file)
        files = [str(file) for file in (image_file, result_file, trip_file)]
        weights = run.path / "hls" / WEIGHT_IMAGE
        image = [str(weights.resolve())] if weights.exists() else []
        start = time.monotonic()
        _run([str(program.resolve()), *files, str(len(words)), str(workers), *image], run, len(words))
        seconds = time.monotonic() - start
        shape = (len(words), streams.output.words, streams.output.bytes)
        logits = logits_of_words(np.fromfile(result_file, dtype=np.uint8).reshape(shape), streams.output)
        trips = {
            name: int(count)
            for name, count in (line.split() for line in trip_file.read_text(encoding="utf-8").splitlines())
        }
    return CsimResult(logits=logits, seconds=seconds, trips=trips)


def build_csim(run: RunFolder, max_width: int, quick: bool = False) -> Path:
    """The program of a run's C simulation, compiled unless it is there, compiled from the same sources.

    ``max_width``: AP_INT_MAX_W. ``quick``: as in ``run_csim``; all nodes in one unit, so that the vendor's headers are
    read once.

    Raises SimulationError naming the log when it does not compile.
    """
    hls = run.require("hls")
    folder = run.path / "build" / ("csim-quick" if quick else "csim")
    units = [hls / "accelerator.cpp", hls / "csim_main.cpp"]
    flags = [_STANDARD, *_WARNINGS, f"-I{INCLUDE_FOLDER}", f"-I{NODE_FOLDER}"]
    flags += ["-isystem", str(vendor_headers()), f"-DAP_INT_MAX_W={max_width}", "-DSPIKEFOLD_CSIM"]
    if not quick:
        units += sorted((hls / CSIM_FOLDER).glob("*.cpp"))
        flags += [*_OPTIMISATION, "-DSPIKEFOLD_SEPARATE_NODES"]
    sources = [file for file in hls.rglob("*") if file.suffix in (".cpp", ".hpp")]
    kept = KeptProgram(folder, "csim", content_key(sources, [_COMPILER, *flags]))
    if kept.is_there():
        return kept.program
    with scratch_folder() as scratch:
        objects = [scratch / f"{unit.stem}.o" for unit in units]
        commands = [
            Command(
                [_COMPILER, *flags, "-c", str(unit.relative_to(hls)), "-o", str(target)],
                f"compiling {unit.name} for C simulation",
                folder / f"{unit.stem}.log",
                hls,
            )
            for unit, target in zip(units, objects, strict=True)
        ]
        progress = Progress("compiling the C simulation", "files")
        run_tools(commands, os.cpu_count() or 1, progress)
        program = scratch / "csim"
        link = [_COMPILER, *map(str, objects), "-o", str(program)]
        run_tool(Command(link, "linking the C simulation", folder / "link.log", hls))
        kept.keep(program)
    return kept.program


def vendor_headers() -> Path:
    """Folder of the vendor's open ap_int.h and hls_stream.h, which hls4ml carries.

    Raises SimulationError when hls4ml is not installed or has them no more.
    """
    package = importlib.util.find_spec("hls4ml")
    if package is not None and package.submodule_search_locations:
        folder = Path(package.submodule_search_locations[0]) / "templates" / "vivado" / "ap_types"
        if (folder / "ap_int.h").is_file():
            return folder
    raise SimulationError("C simulation needs the ap_int.h that hls4ml carries; install it with `pip install hls4ml`")


def _run(arguments: list[str], run: RunFolder, count: int) -> None:
    progress = Progress("C simulation", "images")

    def show(said: Sequence[tuple[int, ...]]) -> None:
        progress.show(min(said[0][0], count - 1), count)

    (ended,) = run_together([arguments], None, show)
    if ended.status != 0:
        complaints = ended.errors.splitlines()
        reason = complaints[-1] if complaints else f"exit status {ended.status}"
        raise SimulationError(f"the C simulation of {run.path} stopped: {reason}")
    progress.show(count, count)
