"""Delays of cells: from pin to pin, from the clock to a pin, and what a pin needs before the clock. In picoseconds.

For 7 series they are those of Yosys' own models (the specify blocks of its ``xilinx/cells_sim.v``, by which its mapper
abc9 goes, of speed grade -1).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from codegen.synthesis.timing.netlist import Pin


@dataclass(frozen=True)
class CellDelays:
    """Of one type of cell, in picoseconds.

    ``through``: from an input to an output; ``launch``: from the clock to an output; ``setup``: how long before the
    clock an input must be there. An input with neither counts as one of setup 0, unless it is a clock. ``swappable``: a
    look-up table, whose inputs change places as it suits: the latest takes the fastest.
    """

    through: dict[tuple[Pin, Pin], int] = field(default_factory=dict)
    launch: dict[Pin, int] = field(default_factory=dict)
    setup: dict[Pin, int] = field(default_factory=dict)
    clocks: frozenset[str] = frozenset()
    swappable: bool = False


def yosys_delays(modules: dict[str, Any]) -> dict[str, CellDelays]:
    """By type: the delays in the specify blocks of a cell library that Yosys read, of ``read_modules``.

    Of several that hold under conditions, the largest. Types without any are left out.
    """
    found = ((name.removeprefix("\\"), _specified(module)) for name, module in modules.items())
    return {name: delays for name, delays in found if delays.through or delays.launch}


def _specified(module: dict[str, Any]) -> CellDelays:
    place: dict[int, Pin] = {
        bit: (name, index)
        for name, port in module["ports"].items()
        for index, bit in enumerate(port["bits"])
        if isinstance(bit, int)
    }
    through: dict[tuple[Pin, Pin], int] = {}
    launch: dict[Pin, int] = {}
    setup: dict[Pin, int] = {}
    clocks: set[str] = set()
    for cell in module["cells"].values():
        parameters, wires = cell["parameters"], cell["connections"]
        stated = parameters.get("T_RISE_MAX") or parameters.get("T_LIMIT_MAX") or ""
        if "x" in stated:  # what depends on parameters, as of DSP slices (dsp.py)
            continue
        if cell["type"] == "$specify2":
            delay = int(stated, 2)
            for pair in _pairs(wires["SRC"], wires["DST"], parameters["FULL"] == "1"):
                _raise(through, (place[pair[0]], place[pair[1]]), delay)
        elif cell["type"] == "$specify3":
            delay = int(stated, 2)
            clocks.add(place[wires["SRC"][0]][0])
            for bit in wires["DST"]:
                _raise(launch, place[bit], delay)
        elif cell["type"] == "$specrule" and parameters["TYPE"] == "$setup":
            clocks.add(place[wires["DST"][0]][0])
            for bit in wires["SRC"]:
                _raise(setup, place[bit], int(stated, 2))
    return CellDelays(through, launch, setup, frozenset(clocks))


def _pairs(sources: list[int], ends: list[int], full: bool) -> Iterator[tuple[int, int]]:
    if full:
        return ((source, end) for source in sources for end in ends)
    return zip(sources, ends, strict=True)


def _raise(delays: dict[Any, int], key: Any, delay: int) -> None:
    delays[key] = max(delays.get(key, 0), delay)


def look_up_table(pins: tuple[str, ...], delays: tuple[int, ...], output: str) -> CellDelays:
    """A look-up table with these delays from its inputs, which may change places."""
    arcs = {((pin, 0), (output, 0)): delay for pin, delay in zip(pins, delays, strict=True)}
    return CellDelays(through=arcs, swappable=True)
