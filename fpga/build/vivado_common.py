"""What both shells' plans share: tools, settings as Tcl, and what a plan says of itself to its readers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from fpga.build.plan import BuildPlan
from fpga.errors import BuildError
from sca_train.records import RecordError, read_record

NAME = "spikefold"
BIT_FILE = f"{NAME}.bit"
HANDOFF_FILE = f"{NAME}.hwh"
REPORTS = ("reports/utilization.rpt", "reports/timing.rpt", "reports/power.rpt")
BUILD_FILE = "build.json"
TCL_FOLDER = Path(__file__).parent / "tcl"
JOBS = 4
"""Processes that a run of Vivado may have."""


@dataclass(frozen=True)
class Build:
    """build.json of a plan: what is built, for the dry run and for reading the reports.

    ``*_bits``: width of the streams of the DMA; ``*_frame_bytes``: what a frame is there. All None in FINN's shell,
    whose DMAs are FINN's. ``cores``: the accelerator's nodes. ``sources_sha256`` as in ``BitstreamResult``.
    """

    board: str
    part: str
    shell: Literal["dma", "finn"]
    impl: Literal["rtl", "hls"]
    clock_mhz: int
    port_bits: int
    input_bits: int | None
    output_bits: int | None
    input_frame_bytes: int | None
    output_frame_bytes: int | None
    cores: tuple[str, ...]
    sources_sha256: str

    @property
    def text(self) -> str:
        """Content of build.json."""
        return json.dumps(asdict(self), indent=1) + "\n"


def read_build(plan: BuildPlan) -> Build:
    """The build.json of a plan; BuildError where it has none, so is none of Vivado's."""
    content = plan.files.get(BUILD_FILE)
    if content is None:
        raise BuildError(f"the plan in {plan.folder} is no build by Vivado")
    try:
        return read_record(Build, plan.path(BUILD_FILE))
    except RecordError as error:
        raise BuildError(f"{error}; write the plan again") from None


def vivado_command(script: str) -> tuple[str, ...]:
    """Vivado in batch mode; its own log and journal would only repeat the step's."""
    return ("vivado", "-mode", "batch", "-nolog", "-nojournal", "-notrace", "-source", script)


def tcl_scripts() -> dict[str, Path]:
    """The scripts of ``tcl/``, by their path in a plan."""
    return {f"tcl/{file.name}": file for file in sorted(TCL_FOLDER.glob("*.tcl"))}


def settings_text(settings: Mapping[str, int | str | Sequence[str]]) -> str:
    """The array ``settings`` as Tcl; a sequence is a list."""
    lines = [
        f"    {name} {_word(value if isinstance(value, int | str) else _list(value))}"
        for name, value in settings.items()
    ]
    return "\n".join(("# The settings of this build.", "", "array set settings {", *lines, "}", ""))


def _list(values: Sequence[str]) -> str:
    return " ".join(_word(value) for value in values)


def _word(value: int | str) -> str:
    """A word of a Tcl list in braces; names and numbers, nothing that braces would not hold."""
    text = str(value)
    if set(text) & set("\\\n") or text.count("{") != text.count("}"):
        raise BuildError(f"{text!r} cannot be written as a Tcl word")
    return "{" + text + "}"
