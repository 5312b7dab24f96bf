"""The period of each core of an accelerator: its own paths, and those that come through the streams from other cores.

A path that crosses a core without a register, as a ready that answers a ready, goes on in the next one. What lies
outside the accelerator sends its signals at the clock's edge.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from codegen.errors import SynthesisError
from codegen.render.manifest import RenderedEdge
from codegen.synthesis.timing.analysis import CoreTiming, TimedPath

_SIGNALS = ("TDATA", "TVALID", "TREADY")
_Port = tuple[str, str]
"""A node and one of its ports."""


@dataclass(frozen=True)
class CorePeriod:
    """The shortest period of a core in its accelerator, in nanoseconds, and where its latest path starts and ends.

    The path ends in this core; a start in another one is ``NODE: register``, and one outside is that of a port.
    """

    ns: float
    start: str
    end: str


def core_periods(cores: Mapping[str, CoreTiming], edges: tuple[RenderedEdge, ...]) -> dict[str, CorePeriod]:
    """By node: its period, for nodes that have any path. ``cores``: timing by node; ``edges``: the streams between.

    Raises SynthesisError for a loop of signals through cores without a register.
    """
    drivers = _connections(edges)
    through: dict[_Port, list[tuple[_Port, float]]] = defaultdict(list)
    for node, timing in cores.items():
        for path in timing.through:
            through[node, path.output].append(((node, path.input), path.ns))
    before = {end: [start] for end, start in drivers.items()}
    before |= {end: [start for start, _ in starts] for end, starts in through.items()}
    try:
        order = tuple(TopologicalSorter(before).static_order())
    except CycleError as error:
        raise SynthesisError("signals go in a loop through cores without a register") from error
    arrivals: dict[_Port, TimedPath] = {}
    for port in order:
        node, name = port
        arriving = [] if node not in cores else _launched(node, name, cores[node])
        if port in drivers and drivers[port] in arrivals:
            arriving.append(arrivals[drivers[port]])
        for start, ns in through.get(port, ()):
            if start in arrivals:
                arriving.append(TimedPath(arrivals[start].ns + ns, arrivals[start].start, name))
        if arriving:
            arrivals[port] = max(arriving, key=lambda path: path.ns)
    periods = {node: _period(node, timing, arrivals) for node, timing in cores.items()}
    return {node: period for node, period in periods.items() if period is not None}


def _connections(edges: tuple[RenderedEdge, ...]) -> dict[_Port, _Port]:
    """By input port of a node: the output port of another node that drives it."""
    drivers = {}
    for edge in edges:
        if edge.producer is None or edge.consumer is None:
            continue
        for signal in _SIGNALS:
            sent = (edge.producer, f"out{edge.output}_V_{signal}")
            taken = (edge.consumer, f"in{edge.input}_V_{signal}")
            drivers[sent if signal == "TREADY" else taken] = taken if signal == "TREADY" else sent
    return drivers


def _launched(node: str, port: str, timing: CoreTiming) -> list[TimedPath]:
    if port not in timing.outputs:
        return []
    path = timing.outputs[port]
    return [TimedPath(path.ns, f"{node}: {path.start}", port)]


def _period(node: str, timing: CoreTiming, arrivals: Mapping[_Port, TimedPath]) -> CorePeriod | None:
    found = [] if timing.inner is None else [CorePeriod(timing.inner.ns, timing.inner.start, timing.inner.end)]
    for port, path in timing.inputs.items():
        arrival = arrivals.get((node, port), TimedPath(0.0, port, port))
        found.append(CorePeriod(round(arrival.ns + path.ns, 3), arrival.start, path.end))
    return max(found, key=lambda period: period.ns, default=None)
