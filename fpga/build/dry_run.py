"""A plan's dry run: its own steps, in a copy of its folder, with stand-ins for AMD's tools that check their input.

The stand-ins are Tcl (``dryrun/``) and run under ``tclsh``: they build nothing, and end at the first thing that Vivado
or Vitis HLS would not take, or that would give a design which does not work on the board.
"""

from __future__ import annotations

import re
import shlex
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from fpga.build.finn_shell import DRY_RUN_VARIABLE
from fpga.build.plan import BuildPlan
from fpga.build.tools import find_program
from fpga.build.vivado_common import Build, read_build
from fpga.errors import BuildError

DRY_RUN_FOLDER = Path(__file__).parent / "dryrun"
DRY_RELEASE = "2023.1"
"""Of Vivado, unless another is asked for."""
STAND_INS = {"vivado": "vivado.tcl", "vitis_hls": "vitis_hls.tcl"}
_FINDING = re.compile(r"^ERROR: \[dry run\] (.*)$", re.MULTILINE)
_COMMANDS = re.compile(r"^dry run: (\d+) commands of (\S+) checked$", re.MULTILINE)


@dataclass(frozen=True)
class DryRunReport:
    """What a dry run without a finding went through: steps, and Tcl commands checked in each script."""

    release: str
    steps: tuple[str, ...]
    commands: dict[str, int]

    @property
    def sentence(self) -> str:
        """For the command line."""
        return (
            f"dry run for Vivado {self.release}: {len(self.steps)} steps ({', '.join(self.steps)}), "
            f"{sum(self.commands.values())} Tcl commands checked, nothing found"
        )


def dry_run(plan: BuildPlan, release: str = DRY_RELEASE) -> DryRunReport:
    """Write a plan, and run its steps in a copy of its folder with the stand-ins of a release of Vivado.

    Raises BuildError, one sentence: with the first finding; where ``tclsh`` is missing; where the plan is none of
    Vivado's.
    """
    tclsh = find_program("tclsh")
    if tclsh is None:
        raise BuildError("a dry run needs tclsh (Debian's package tcl), which is not on PATH")
    plan.write()
    build = read_build(plan)
    with tempfile.TemporaryDirectory(prefix="dry-run-") as name:
        place = Path(name)
        expected = place / "expected.tcl"
        expected.write_text(_expected(build, release), encoding="utf-8")
        programs = write_stand_ins(place, release, tclsh)
        told = {DRY_RUN_VARIABLE: str(expected)}
        steps = tuple(replace(step, environment={**step.environment, **told}) for step in plan.steps)
        copy = replace(plan, folder=place / "plan", steps=steps)
        try:
            copy.execute(progress=lambda text: None, programs=programs)
        except BuildError as error:
            raise BuildError(_first_finding(_said(expected), error)) from error
        said = _said(expected)
    commands: dict[str, int] = {}
    for count, script in _COMMANDS.findall(said):
        commands[script] = commands.get(script, 0) + int(count)
    return DryRunReport(release, tuple(step.name for step in plan.steps), commands)


def write_stand_ins(place: Path, release: str, tclsh: str) -> Path:
    """Executables named as AMD's that run the Tcl stand-ins; returns their folder, whose path has the release."""
    folder = place / release / "bin"
    folder.mkdir(parents=True)
    for program, script in STAND_INS.items():
        file = folder / program
        call = shlex.join([tclsh, str(DRY_RUN_FOLDER / script)])
        file.write_text(f'#!/bin/sh\nSPIKEFOLD_DRY_RELEASE={release} exec {call} "$@"\n', encoding="utf-8")
        file.chmod(0o755)
    return folder


def _expected(build: Build, release: str) -> str:
    values = {
        "release": release,
        "part": build.part,
        "clock_mhz": build.clock_mhz,
        "port_bits": build.port_bits,
        "input_frame_bytes": build.input_frame_bytes,
        "output_frame_bytes": build.output_frame_bytes,
    }
    return " ".join(f"{key} {{{'' if value is None else value}}}" for key, value in values.items()) + "\n"


def _said(expected: Path) -> str:
    """What the stand-ins said, whoever started them."""
    file = expected.with_name(f"{expected.name}.said")
    return file.read_text(errors="replace") if file.is_file() else ""


def _first_finding(said: str, error: BuildError) -> str:
    """The first finding; what else ended the run otherwise."""
    found = _FINDING.search(said)
    return f"dry run: {found.group(1) if found else error}"
