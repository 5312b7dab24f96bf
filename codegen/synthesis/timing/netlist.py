"""A flat netlist of cells, as Yosys' ``write_json`` leaves it: which cells there are, and which bit drives a pin."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codegen.errors import SynthesisError

Pin = tuple[str, int]
"""A bit of a cell's port: the port's name and the bit's place in it."""


@dataclass(frozen=True)
class Cell:
    """One cell: its type, its parameters as Yosys writes them, and by output and input pin the bit that lies there.

    Pins that are constant or lead nowhere are left out.
    """

    name: str
    type: str
    parameters: dict[str, str]
    inputs: dict[Pin, int]
    outputs: dict[Pin, int]


@dataclass(frozen=True)
class Netlist:
    """One module: its cells, and the bits of its ports by the ports' names."""

    cells: tuple[Cell, ...]
    inputs: dict[str, tuple[int, ...]]
    outputs: dict[str, tuple[int, ...]]
    names: dict[int, str]
    """What a bit is called in the sources; bits that only Yosys has named are left out."""


def read_modules(file: Path) -> dict[str, Any]:
    """The modules of a file of ``write_json``; raises SynthesisError where it is no such file."""
    try:
        modules: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["modules"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SynthesisError(f"Yosys left no netlist in {file.name}: {error!r}") from error
    return modules


def netlist_of(module: dict[str, Any]) -> Netlist:
    """A module of ``read_modules`` as a netlist."""
    ports = {"input": {}, "output": {}}  # type: dict[str, dict[str, tuple[int, ...]]]
    for name, port in module["ports"].items():
        ports[port["direction"]][name] = tuple(bit for bit in port["bits"] if isinstance(bit, int))
    cells = (_cell(name, cell) for name, cell in module["cells"].items() if cell["type"] != "$scopeinfo")
    return Netlist(tuple(cells), ports["input"], ports["output"], _names(module["netnames"]))


def _cell(name: str, cell: dict[str, Any]) -> Cell:
    pins = {
        direction: dict(_pins(cell["connections"], cell["port_directions"], direction))
        for direction in ("input", "output")
    }
    return Cell(name, cell["type"], cell.get("parameters", {}), pins["input"], pins["output"])


def _pins(connections: dict[str, list[Any]], directions: dict[str, str], direction: str) -> Iterator[tuple[Pin, int]]:
    for port, bits in connections.items():
        if directions[port] == direction:
            for index, bit in enumerate(bits):
                if isinstance(bit, int):
                    yield (port, index), bit


def _names(netnames: dict[str, Any]) -> dict[int, str]:
    """By bit: the shortest of its names, which is that of the register or port and not of what it is handed to."""
    found: dict[int, str] = {}
    for name, net in netnames.items():
        if net["hide_name"]:
            continue
        for index, bit in enumerate(net["bits"]):
            if isinstance(bit, int):
                full = f"{name}[{index}]" if len(net["bits"]) > 1 else name
                if bit not in found or (len(full), full) < (len(found[bit]), found[bit]):
                    found[bit] = full
    return found
