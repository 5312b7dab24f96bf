"""Vivado's text reports: utilisation by hierarchy, timing summary and power."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fpga.errors import BuildError

_TOOL = re.compile(r"^\|\s*Tool Version\s*:\s*Vivado v\.?(\d+\.\d+(?:\.\d+)*)", re.MULTILINE)
_POWER = re.compile(r"^\|\s*Total On-Chip Power \(W\)\s*\|\s*(\d+(?:\.\d+)?)\s*(?:\([^|]*\)\s*)?\|", re.MULTILINE)
_SLACKS = ("WNS(ns)", "WHS(ns)", "WPWS(ns)")
_RULE = re.compile(r"^[\s-]+$")
_BRAM18 = 0.5
"""Of a block of 36 Kb."""


@dataclass(frozen=True)
class Cell:
    """One instance of the implemented design; ``depth`` is 0 for the top. ``bram`` counts blocks of 36 Kb."""

    depth: int
    instance: str
    module: str
    lut: int
    ff: int
    bram: float
    dsp: int


@dataclass(frozen=True)
class Timing:
    """The worst slacks in ns: setup, hold and pulse width; None where the design has no such check."""

    setup: float | None
    hold: float | None
    pulse_width: float | None

    @property
    def met(self) -> bool:
        """Whether no slack is negative."""
        return all(slack is None or slack >= 0 for slack in (self.setup, self.hold, self.pulse_width))


def read_version(report: str) -> str:
    """The version of Vivado that wrote a report, such as ``2023.1``; BuildError where none is named."""
    found = _TOOL.search(report)
    if found is None:
        raise BuildError("a report of Vivado names no tool version, so was not written by Vivado")
    return found.group(1)


def read_utilization(report: str) -> tuple[Cell, ...]:
    """The instances in a report by `report_utilization -hierarchical`, top first; BuildError where there is none."""
    cells = []
    columns: dict[str, int] = {}
    for line in report.splitlines():
        if not line.startswith("|"):
            continue
        fields = line.strip().strip("|").split("|")
        if not columns:
            names = [field.strip() for field in fields]
            if "Instance" in names and "Total LUTs" in names:
                columns = {name: index for index, name in enumerate(names)}
            continue
        if len(fields) == len(columns):
            cells.append(_cell(fields, columns))
    if not cells:
        raise BuildError("the utilisation report of Vivado has no table of instances")
    return tuple(cells)


def _cell(fields: list[str], columns: dict[str, int]) -> Cell:
    def number(*names: str) -> int:
        for name in names:
            if name in columns:
                return int(fields[columns[name]])
        raise BuildError(f"the utilisation report of Vivado has no column {names[0]}")

    name = fields[columns["Instance"]].rstrip()
    try:
        return Cell(
            # One space stands beside the bar; each level has two more.
            depth=(len(name) - len(name.lstrip()) - 1) // 2,
            instance=name.strip(),
            module=fields[columns["Module"]].strip(),
            lut=number("Total LUTs"),
            ff=number("FFs"),
            bram=number("RAMB36") + _BRAM18 * number("RAMB18"),
            dsp=number("DSP Blocks", "DSP48 Blocks"),
        )
    except ValueError as error:
        raise BuildError(f"the utilisation report of Vivado has a row that is no count ({error})") from None


def read_timing(report: str) -> Timing:
    """The design timing summary of a report by `report_timing_summary`; BuildError where there is none."""
    lines = iter(report.splitlines())
    for line in lines:
        if all(name in line for name in _SLACKS):
            names = [f"{name}(ns)" for name in re.findall(r"(\w+)\(ns\)", line)]
            values = next((text for text in lines if text.strip() and not _RULE.match(text)), "").split()
            titles = re.split(r"\s{2,}", line.strip())
            if len(values) == len(titles) and set(_SLACKS) <= set(names):
                setup, hold, pulse_width = (_slack(values[titles.index(name)]) for name in _SLACKS)
                return Timing(setup, hold, pulse_width)
    raise BuildError("the timing report of Vivado has no design timing summary")


def _slack(text: str) -> float | None:
    if text.upper() in ("NA", "INF"):
        return None
    try:
        return float(text)
    except ValueError:
        raise BuildError(f"the timing report of Vivado has {text!r} as a slack") from None


def read_power(report: str) -> float:
    """Total on-chip power in watts of a report by `report_power`; BuildError where there is none."""
    found = _POWER.search(report)
    if found is None:
        raise BuildError("the power report of Vivado has no total on-chip power")
    return float(found.group(1))
