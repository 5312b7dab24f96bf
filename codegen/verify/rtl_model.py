"""The Verilator model of an accelerator: compiled once for its sources, options and flags."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from codegen.cores import core_class
from codegen.cores.fifo import FIFO_FILE
from codegen.errors import SimulationError
from codegen.progress import Progress
from codegen.render.build import Command, KeptProgram, content_key, run_tool
from codegen.render.manifest import Manifest, read_manifest
from codegen.run_folder import RunFolder
from codegen.scratch import scratch_folder
from codegen.verify.verilator import verilator_command, verilator_program
from codegen.verify.verilator_objects import own_objects
from hls_templates import RTL_DIR

_OUTPUT_SPLIT = "6000"
_BASELINE = ("OPT_FAST=-O2 -march=native", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1")
_OPTIMISE = (
    "OPT_FAST=-O2 -march=native -fno-tree-vectorize -fno-pie -flto=auto",
    "OPT_SLOW=-O0",
    "OPT_GLOBAL=-O2 -fno-pie -flto=auto",
    "USER_LDFLAGS=-O2 -no-pie -flto=auto",
)
"""Vectors are packed and unpacked for a few operations at a time in such a model, and so cost more than they gain."""
_QUICK = ("OPT_FAST=-O0", "OPT_SLOW=-O0", "OPT_GLOBAL=-O0", "VM_PARALLEL_BUILDS=0")
"""One file, so that Verilator's headers are read once."""
UNCOUNTED = (
    *("sum_tree.sv", "adder_tree.sv", "popcount.sv", "plane_tree.sv", "plane_sum.sv", "step_sum.sv"),
    *("product_dot.sv", "spike_dot.sv", "pair_dot.sv", "count_dot.sv", "ternary_dot.sv", "table_dot.sv"),
    *("signed_dot.sv", "dsp_sums.sv", "dsp_slice.sv", "constant_times.sv", "constant_rom.sv", "delay_line.sv"),
)
"""Files whose signals are left out of toggle counts: arithmetic inside a core, most of its signals by far. What goes in
and comes out are signals of the core that uses it."""
PROGRAM = "Vaccelerator"
LZ4_HEADER = "lz4/lz4.h"
"""The header of liblz4, which waveforms need, is on few machines; our own takes its place."""


@dataclass(frozen=True)
class ModelOptions:
    """What is compiled into a Verilator model beside the accelerator, and how.

    Stream assertions, counters of each stream's stalls, a waveform, toggle counts of all signals (SAIF, in its place);
    gauges in the place of FIFOs. ``quick``: compiled in a quarter of the time to a model that simulates slowly, for a
    few small images. ``baseline``: compiled without what made it faster, to measure that.
    """

    assertions: bool = True
    counters: bool = False
    waveform: bool = False
    toggles: bool = False
    gauges: bool = False
    quick: bool = False
    baseline: bool = False

    @property
    def variant(self) -> str:
        names = ("assertions", "counters", "waveform", "toggles", "gauges", "quick", "baseline")
        chosen = [name for name in names if getattr(self, name)]
        return "-".join(chosen) or "plain"

    @property
    def optimise(self) -> tuple[str, ...]:
        """Variables of Verilator's makefile."""
        return _QUICK if self.quick else _BASELINE if self.baseline else _OPTIMISE


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
    kept = KeptProgram(folder, PROGRAM, content_key([*sources, main, memory], [*arguments, *options.optimise]))
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
        _compile(model, options, folder / "make.log", environment)
        kept.keep(model / PROGRAM)
    return kept.program


def _compile(model: Path, options: ModelOptions, log: Path, environment: dict[str, str]) -> None:
    """Compile what Verilator wrote into a folder."""
    jobs = str(os.cpu_count() or 1)
    # Verilator's own build was made with another compiler: it includes its precompiled header in that one's way.
    make = ["make", "-f", f"{PROGRAM}.mk", "-j", jobs, "CFG_CXXFLAGS_PCH_I=-include", *options.optimise]
    libraries = ["LDLIBS=-lz"] if options.waveform else []  # without -llz4, see LZ4_HEADER
    units = len(list(model.glob("*.cpp")))
    progress = Progress("compiling the RTL simulator", "files")
    progress.show(0, units)
    with own_objects(model, make):
        run_tool(
            Command([*make, *libraries], "compiling the RTL simulator", log, model, environment),
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
