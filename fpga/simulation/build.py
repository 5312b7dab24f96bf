"""Verilated boards: the shell and the accelerator of a run's rtl/, compiled with a main program that is the board."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from codegen.errors import SimulationError
from codegen.render.build import Command, KeptProgram, content_key, run_tool
from codegen.render.manifest import read_manifest
from codegen.scratch import scratch_folder
from codegen.verify.rtl_model import write_waivers
from codegen.verify.verilator import verilator_command, verilator_program
from codegen.verify.verilator_objects import own_objects
from fpga.shells import TOPS, stream_bytes, write_shell
from fpga.simulation.axi_board import AxiBoardOptions, SimulatedAxiBoard
from fpga.simulation.uart_board import SimulatedUartBoard

BoardShell = Literal["axi", "uart"]
SIMULATION_DIR = Path(__file__).parent
PREFIX = "Vboard"
_MAINS: dict[BoardShell, tuple[str, ...]] = {
    "axi": ("axi_board_main.cpp", "axi_dma.hpp", "weight_reads.hpp"),
    "uart": ("uart_board_main.cpp",),
}
_OUTPUT_SPLIT = "6000"
SILENCE_LOG2 = 7
"""Binary logarithm of the bit times after which a simulated board drops a packet; a board waits 64 times as long."""


@dataclass(frozen=True)
class BoardProgram:
    """The compiled program of a board; it reads memory files by their bare names, so it runs in ``rtl``."""

    program: Path
    rtl: Path
    shell: BoardShell


def build_board(rtl: Path, shell: BoardShell, build: Path, *, quick: bool = False) -> BoardProgram:
    """The program of a simulated board for the accelerator in a run's ``rtl``, kept below ``build``.

    Compiled unless it is there, compiled from the same sources. quick: compiled in a quarter of the time to a program
    that simulates slowly. Raises SimulationError, BuildError or RenderError.
    """
    manifest = read_manifest(rtl)
    folder = build / f"board-{shell}"
    with scratch_folder() as scratch:
        # What Verilator's makefiles name lies below the scratch folder: they take no path with a space in it.
        if any(character.isspace() for character in str(scratch)):
            raise SimulationError(f"Verilator cannot build below {scratch}; set TMPDIR to a folder without spaces")
        shell_files = write_shell(rtl, shell, scratch / "shell")
        mains = [SIMULATION_DIR / name for name in _MAINS[shell]]
        arguments = _verilator_arguments(shell, weights=bool(manifest.weights))
        make = _make_arguments(quick)
        sources = [*(rtl / file for file in manifest.files), *shell_files, *mains]
        kept = KeptProgram(folder, PREFIX, content_key(sources, [*arguments, *make]))
        if kept.is_there():
            return BoardProgram(kept.program, rtl, shell)
        verilator = scratch / "verilator"
        verilator.symlink_to(verilator_program().parents[1])
        for file in mains:
            shutil.copyfile(file, scratch / file.name)
        model = scratch / "model"
        model.mkdir()
        waivers = write_waivers(rtl, manifest, scratch / "waivers.vlt")
        environment = {"VERILATOR_ROOT": str(verilator)}
        command = [*verilator_command(verilator), *arguments, "-CFLAGS", f"-I{scratch}", "--Mdir", str(model)]
        files = [*manifest.files, *(str(file) for file in shell_files), str(scratch / mains[0].name)]
        run_tool(
            Command(
                [*command, str(waivers), *files], "verilating the board", folder / "verilator.log", rtl, environment
            )
        )
        with own_objects(model, make):
            run_tool(Command(make, "compiling the board", folder / "make.log", model, environment))
        kept.keep(model / PREFIX)
    return BoardProgram(kept.program, rtl, shell)


def axi_options(rtl: Path, *, length_bits: int = 26, stall: float = 0.0, seed: int = 0) -> AxiBoardOptions:
    """A board whose DMA has the stream widths of the accelerator in ``rtl``; the rest is of AxiBoardOptions."""
    manifest = read_manifest(rtl)
    return AxiBoardOptions(
        send_bytes=stream_bytes(manifest.input),
        receive_bytes=stream_bytes(manifest.output),
        length_bits=length_bits,
        stall=stall,
        seed=seed,
    )


def simulated_board(
    rtl: Path, shell: BoardShell, build: Path, *, quick: bool = False
) -> SimulatedAxiBoard | SimulatedUartBoard:
    """A running board for ``Accelerator.open(package, board=...)``; built as by ``build_board``, and to be closed."""
    made = build_board(rtl, shell, build, quick=quick)
    if shell == "uart":
        return SimulatedUartBoard(str(made.program), str(rtl))
    return SimulatedAxiBoard(str(made.program), str(rtl), axi_options(rtl))


def _verilator_arguments(shell: BoardShell, weights: bool) -> list[str]:
    top = TOPS[shell]
    arguments = ["--cc", "--exe", "--top-module", top, "--prefix", PREFIX, "-O3", "--no-timing", "--no-assert"]
    if shell == "uart":
        arguments.append(f"-GSILENCE_LOG2={SILENCE_LOG2}")
    if weights:
        arguments += ["-CFLAGS", "-DSPIKEFOLD_WEIGHTS"]
    return [*arguments, "--x-assign", "fast", "--x-initial", "fast", "-Wno-fatal", "--output-split", _OUTPUT_SPLIT]


def _make_arguments(quick: bool) -> list[str]:
    # Verilator's own build was made with another compiler: it includes its precompiled header in that one's way.
    make = ["make", "-f", f"{PREFIX}.mk", "-j", str(os.cpu_count() or 1), "CFG_CXXFLAGS_PCH_I=-include"]
    if quick:  # one file, so that Verilator's headers are read once
        return [*make, "OPT_FAST=-O1", "OPT_SLOW=-O0", "OPT_GLOBAL=-O0", "VM_PARALLEL_BUILDS=0"]
    return [*make, "OPT_FAST=-O2 -march=native", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1"]
