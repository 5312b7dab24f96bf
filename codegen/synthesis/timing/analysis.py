"""Static timing of a core's netlist: how late signals are, register to register and at the core's ports.

Signals start at the clock-to-output delays of registers and memories, go through cells by their delays and along wires
by the family's wire model, and end at setup times. It is an estimate before placement: docs/timing.md has the method
and its error.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from codegen.errors import SynthesisError
from codegen.synthesis.timing.families import FamilyTiming
from codegen.synthesis.timing.netlist import Cell, Netlist

PS_PER_NS = 1000.0


@dataclass(frozen=True)
class TimedPath:
    """The latest path of its kind: nanoseconds, and what it starts and ends at, by the names in the sources."""

    ns: float
    start: str
    end: str


@dataclass(frozen=True)
class ThroughPath:
    """The latest path from an input port of a core to an output port without a register on it."""

    input: str
    output: str
    ns: float


@dataclass(frozen=True)
class CoreTiming:
    """``inner``: register to register, setup and the family's margin included, None without any.

    ``inputs``: by port, from it to a register, both included too. ``outputs``: by port, from a register to it.
    """

    inner: TimedPath | None
    inputs: dict[str, TimedPath]
    outputs: dict[str, TimedPath]
    through: tuple[ThroughPath, ...]


@dataclass(frozen=True)
class Arc:
    """From bit ``source`` through a wire and a cell, in picoseconds."""

    source: int
    ps: int


@dataclass(frozen=True)
class End:
    """A register's pin at which bit ``source`` ends: wire and setup in picoseconds, and what the register is called."""

    source: int
    ps: int
    register: str


@dataclass(frozen=True)
class Arrival:
    """The latest a bit comes, in picoseconds, and the bit that it started as."""

    ps: int
    start: int


@dataclass(frozen=True)
class Graph:
    """A netlist as arcs by the bit they lead to, bits in topological order, and bits that registers launch."""

    arcs: Mapping[int, list[Arc]]
    order: tuple[int, ...]
    launched: Mapping[int, int]
    ends: tuple[End, ...]


def analyse(netlist: Netlist, family: FamilyTiming) -> CoreTiming:
    """Timing of a core's netlist.

    Raises SynthesisError for a cell whose delays are not known, and for a combinational loop.
    """
    graph = timing_graph(netlist, family)
    drivers = {bit: cell for cell in netlist.cells for bit in cell.outputs.values()}

    def name(bit: int) -> str:
        return _register(drivers[bit], netlist) if bit in drivers else netlist.names.get(bit, "a port")

    def latest(starts: Mapping[int, int]) -> tuple[TimedPath | None, dict[str, TimedPath]]:
        """The latest path to a register, and by output port the latest to it."""
        times = arrivals(graph, starts)
        reached = [end for end in graph.ends if end.source in times]
        end = max(reached, key=lambda end: times[end.source].ps + end.ps, default=None)
        path = None
        if end is not None:
            path = TimedPath(
                _ns(times[end.source].ps + end.ps + family.margin), name(times[end.source].start), end.register
            )
        at_ports = {}
        for port, bits in netlist.outputs.items():
            last = max((times[bit] for bit in bits if bit in times), key=lambda time: time.ps, default=None)
            if last is not None:
                at_ports[port] = TimedPath(_ns(last.ps), name(last.start), port)
        return path, at_ports

    inner, outputs = latest(graph.launched)
    inputs, through = {}, []
    for port, bits in netlist.inputs.items():
        path, at_ports = latest(dict.fromkeys(bits, 0))
        if path is not None:
            inputs[port] = TimedPath(path.ns, port, path.end)
        through += [ThroughPath(port, output, reached.ns) for output, reached in at_ports.items()]
    return CoreTiming(inner, inputs, outputs, tuple(through))


def arrivals(graph: Graph, starts: Mapping[int, int]) -> dict[int, Arrival]:
    """By bit that they reach: the latest arrival of signals that start at these bits at these picoseconds."""
    times = {bit: Arrival(ps, bit) for bit, ps in starts.items()}
    for bit in graph.order:
        for arc in graph.arcs.get(bit, ()):
            before = times.get(arc.source)
            if before is not None and (bit not in times or before.ps + arc.ps > times[bit].ps):
                times[bit] = Arrival(before.ps + arc.ps, before.start)
    return times


def timing_graph(netlist: Netlist, family: FamilyTiming) -> Graph:
    """The arcs of a netlist; raises SynthesisError as ``analyse``.

    The inputs of a look-up table change places as a router would have it: what arrives last, by all signals that start
    at registers and ports, takes the fastest.
    """
    drivers = {bit: cell.type for cell in netlist.cells for bit in cell.outputs.values()}
    loads = Counter(bit for cell in netlist.cells for bit in cell.inputs.values())
    loads.update(bit for bits in netlist.outputs.values() for bit in bits)
    arcs: dict[int, list[Arc]] = defaultdict(list)
    tables: dict[int, tuple[int, ...]] = {}
    launched: dict[int, int] = {}
    ends: list[End] = []
    for cell in netlist.cells:
        delays = family.delays(cell)
        wires = {pin: family.wire(drivers.get(bit), cell.type, pin[0], loads[bit]) for pin, bit in cell.inputs.items()}
        launched |= {bit: delays.launch[pin] for pin, bit in cell.outputs.items() if pin in delays.launch}
        if delays.swappable:
            (output,) = cell.outputs.values()
            arcs[output] = [Arc(bit, wires[pin]) for pin, bit in cell.inputs.items()]
            tables[output] = tuple(sorted(delays.through.values()))
            continue
        passing = set()
        for (source, end), delay in delays.through.items():
            passing.add(source)
            if source in cell.inputs and end in cell.outputs:
                arcs[cell.outputs[end]].append(Arc(cell.inputs[source], wires[source] + delay))
        for pin, bit in cell.inputs.items():
            if pin[0] not in delays.clocks and (pin in delays.setup or pin not in passing):
                ends.append(End(bit, wires[pin] + delays.setup.get(pin, 0), _register(cell, netlist)))
    graph = Graph(arcs, _sorted(arcs), launched, tuple(ends))
    _seat_inputs(graph, tables, launched | {bit: 0 for bits in netlist.inputs.values() for bit in bits})
    return graph


def _seat_inputs(graph: Graph, tables: Mapping[int, tuple[int, ...]], starts: Mapping[int, int]) -> None:
    """Give the inputs of every look-up table their places, and add the delay of the place to the arc."""
    times = dict(starts)
    for bit in graph.order:
        if bit in tables:
            arcs = sorted(graph.arcs[bit], key=lambda arc: -(times.get(arc.source, 0) + arc.ps))
            graph.arcs[bit][:] = [
                Arc(arc.source, arc.ps + place) for arc, place in zip(arcs, tables[bit], strict=False)
            ]
        for arc in graph.arcs.get(bit, ()):
            times[bit] = max(times.get(bit, 0), times.get(arc.source, 0) + arc.ps)


def _sorted(arcs: Mapping[int, list[Arc]]) -> tuple[int, ...]:
    try:
        sources = {bit: [arc.source for arc in into] for bit, into in arcs.items()}
        return tuple(TopologicalSorter(sources).static_order())
    except CycleError as error:
        raise SynthesisError("the netlist has a combinational loop") from error


def _register(cell: Cell, netlist: Netlist) -> str:
    """What a register or memory is called in the sources; Yosys names the cells of memories by them."""
    named = (netlist.names[bit] for bit in cell.outputs.values() if bit in netlist.names)
    return next(named, cell.type if cell.name.startswith("$") else cell.name)


def _ns(ps: int) -> float:
    return round(ps / PS_PER_NS, 3)
