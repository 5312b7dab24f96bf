"""Depths of FIFOs, measured: the least with which a simulation of the RTL keeps the rate that its slowest node allows.

One Verilator model in which every FIFO is a gauge of any depth (``hls_templates/rtl/fifo_gauge.sv``) serves all runs.
In the first one no FIFO is ever full, and the source offers an image's words evenly over the cycles of the slowest
node: what the FIFOs hold then is enough. In those that follow, FIFOs are halved or left out while the rate stays, all
at once where that is possible. The last one proves the depths under random back-pressure.

The rate of event-driven cores depends on the images, so these are some of the test set then, and the rate is the mean
one. FIFOs without a limit would even out whole images, so the planned depths are the ones to reduce where they are
nearly as fast.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from qonnx.core.modelwrapper import ModelWrapper

from codegen.cores.core import FIFO_DEPTHS, Stream
from codegen.cores.fifo import fifo_resources
from codegen.dataflow.dataflow import fold
from codegen.dataflow.environment import quiet
from codegen.dataflow.folding.event import is_event_driven
from codegen.dataflow.folding.file import NodeFolding
from codegen.dataflow.folding.plan import NO_FIFO
from codegen.dataflow.folding.solver import cost
from codegen.errors import DeadlockError, SimulationError
from codegen.progress import Progress
from codegen.render.graph import DataflowGraph, from_model
from codegen.render.render import render_sources
from codegen.run_folder import RunFolder
from codegen.scratch import scratch_folder
from codegen.verify.density import spread_images
from codegen.verify.images import input_steps
from codegen.verify.rtlsim import RtlResult, run_gauged

MAX_SLOWDOWN = 1.01
"""Cycles between frames with measured depths, over those with FIFOs that are never full, or of the slowest node."""

_EVENT_SLOWDOWN = 1.1
"""Mean cycles between images with event-driven cores, over those with FIFOs that are never full: what evening out whole
images would save is not worth FIFOs of that size."""

_FRAMES = 5
"""Images of a run: those that fill a deep network, and some at its steady rate."""
_EVENT_FRAMES = 10
"""The same of event-driven cores, whose rate is not steady."""
_SEARCH_RUNS = 40
"""Runs that look for smaller FIFOs; each takes a second or two for a residual network of 20 layers."""
_UNLIMITED = 1 << 30
_SMALL = 10
"""Words up to which a FIFO is left out whole or not at all."""
_MEMORY_WORDS = 33
_MEMORY_MARGIN = 2
"""Words more in FIFOs beyond _MEMORY_WORDS: FINN's take two cycles longer from their input to their output."""
_STALL = 0.3
"""Probability per cycle that the source pauses, and that the sink stalls, in the run that checks the depths."""

Port = tuple[str, int]
"""A core's name and the index of its input."""
Depths = Mapping[Port, int]
LoadImages = Callable[[], NDArray[np.uint8]]


@dataclass(frozen=True)
class MeasuredDepths:
    """Depths in words (NO_FIFO: none) before the inputs of each core, by its name, and the interval they give."""

    depths: dict[str, list[int]]
    interval: int
    runs: int


def measure_depths(
    model: ModelWrapper, folding: NodeFolding, part: str, load: LoadImages | None = None
) -> dict[str, list[int]]:
    """The depths of ``search_depths``."""
    return search_depths(model, folding, part, load).depths


def search_depths(
    model: ModelWrapper, folding: NodeFolding, part: str, load: LoadImages | None = None
) -> MeasuredDepths:
    """The depths of all FIFOs that a folding may set, for the lanes of an unfolded graph of FINN's node names.

    ``load``: gives test images, if event-driven cores need some; random ones without. Raises SimulationError where the
    network does not run at all or a run gives other results, or as ``run_rtlsim``.
    """
    with scratch_folder() as scratch:
        return _GaugedModel.build(model, folding, part, scratch, load).search()


@dataclass
class _GaugedModel:
    """A rendered graph with a gauge before each input that a folding may give a FIFO, and runs of it."""

    run: RunFolder
    gauges: Mapping[Port, str]
    """Their names."""
    streams: Mapping[Port, Stream]
    images: NDArray[np.uint8]
    bound: int
    """Cycles a frame of the slowest node."""
    planned: Depths = field(default_factory=dict)
    """What the folding says; 0 where it has no FIFO."""
    event: bool = False
    """Whether cores are event-driven."""
    runs: int = 0
    patience: int | None = None
    limit: float = 0
    """Most cycles between frames that a run of the search may take."""
    expected: NDArray[np.int32] | None = None
    progress: Progress = field(default_factory=lambda: Progress("measuring FIFO depths", "runs"))

    @classmethod
    def build(
        cls, model: ModelWrapper, folding: NodeFolding, part: str, folder: Path, load: LoadImages | None = None
    ) -> _GaugedModel:
        gauged = {name: dict(attributes) for name, attributes in folding.items()}
        for name, port in _ports(from_model(model)):
            # Deep enough that FINN inserts a FIFO; the gauge's depth is that of a run.
            gauged.setdefault(name, {})[FIFO_DEPTHS] = [NO_FIFO + 1] * (port + 1)
        folded = _folded(model, gauged, part)
        folded.save(str(folder / "graph.onnx"))
        run = RunFolder(folder)
        render_sources(run)
        graph = from_model(folded)
        gauges = {port: graph.edges[edge].producer for port, edge in _ports(graph).items()}
        names = {port: gauge.name for port, gauge in gauges.items() if gauge}
        streams = {port: gauge.core.inputs[0] for port, gauge in gauges.items() if gauge}
        event = any(is_event_driven(node.core) for node in graph.nodes)
        images = spread_images(load(), _EVENT_FRAMES) if event and load else _random_images(graph.input)
        planned = {(name, port): _planned(folding, name, port) for name, port in gauges}
        return cls(run, names, streams, images, graph.bound, planned, event)

    def search(self) -> MeasuredDepths:
        """The smallest depths that are found in _SEARCH_RUNS runs."""
        endless = dict.fromkeys(self.gauges, _UNLIMITED)
        bound = self._interval(self._run(endless)[0]) if self.event else self.bound
        unlimited, held = self._run(endless, pace=math.ceil(bound))
        self.expected = unlimited.logits
        self.patience = 2 * unlimited.latency + self.bound
        slowdown = _EVENT_SLOWDOWN if self.event else MAX_SLOWDOWN
        self.limit = slowdown * max(bound, self._interval(unlimited))
        depths: Depths = {port: words if words > NO_FIFO else 0 for port, words in held.items()}
        if self.event and self._keeps(self.planned):
            depths = self.planned
            self.limit = MAX_SLOWDOWN * self._interval(self._run(depths)[0])
        elif not self._keeps(depths):
            # With room for every word that ever waited, and for one more, the schedule is that of the first run.
            depths = {port: max(words, NO_FIFO) + 1 for port, words in held.items()}
        for smaller in (_without_small, _halved, _halved, _halved):
            dearest = sorted(depths, key=lambda port: -self._cost(port, depths[port]))
            depths = self._reduce(depths, dearest, smaller)
        depths = {port: depth + _MEMORY_MARGIN * (depth > _MEMORY_WORDS) for port, depth in depths.items()}
        result, _ = self._run(depths)
        self._run(depths, stall=_STALL)
        self.progress.show(self.runs, self.runs)
        return MeasuredDepths(_by_name(depths), round(self._interval(result)), self.runs)

    def _reduce(self, depths: Depths, ports: Sequence[Port], smaller: Callable[[int], int]) -> Depths:
        """The depths with ``smaller`` ones for as many of the ports as keep the rate: for all at once, or for parts."""
        ports = [port for port in ports if smaller(depths[port]) < depths[port]]
        if not ports or self.runs >= _SEARCH_RUNS:
            return depths
        reduced = {**depths, **{port: smaller(depths[port]) for port in ports}}
        if self._keeps(reduced):
            return reduced
        if len(ports) == 1:
            return depths
        middle = len(ports) // 2
        return self._reduce(self._reduce(depths, ports[:middle], smaller), ports[middle:], smaller)

    def _keeps(self, depths: Depths) -> bool:
        """Whether the network runs with those depths, at no less than the rate of its slowest node, or nearly."""
        try:
            result, _ = self._run(depths)
        except DeadlockError:
            return False
        interval = self._interval(result) if self.event else result.interval_max
        assert interval is not None
        return interval <= self.limit

    def _interval(self, result: RtlResult) -> float:
        """Cycles from image to image; of event-driven cores their mean, from the third image on."""
        assert result.interval is not None
        return float(np.mean(result.intervals)) if self.event else result.interval

    def _run(self, depths: Depths, pace: int = 0, stall: float = 0.0) -> tuple[RtlResult, dict[Port, int]]:
        """A run with those depths, and the most words that each FIFO held."""
        self.progress.show(self.runs, _SEARCH_RUNS + 2)
        self.runs += 1
        words = {name: depths[port] for port, name in self.gauges.items()}
        result, held = run_gauged(self.run, self.images, words, pace=pace, stall=stall, patience=self.patience)
        if self.expected is not None and not np.array_equal(result.logits, self.expected):
            raise SimulationError("the accelerator gives other results with other FIFO depths")
        return result, {port: held[name] for port, name in self.gauges.items()}

    def _cost(self, port: Port, depth: int) -> float:
        return cost(fifo_resources(self.streams[port].bits, depth)) if depth > NO_FIFO else 0.0


def _planned(folding: NodeFolding, name: str, port: int) -> int:
    """The depth that a folding has before an input; 0 where it has no FIFO there."""
    depths = folding.get(name, {}).get(FIFO_DEPTHS, ())
    return depths[port] if port < len(depths) and depths[port] > NO_FIFO else 0


def _without_small(depth: int) -> int:
    """No FIFO in place of a small one."""
    return 0 if depth <= _SMALL else depth


def _halved(depth: int) -> int:
    return depth // 2 if depth > _SMALL else depth


def _ports(graph: DataflowGraph) -> dict[Port, int]:
    """The inputs that a folding may give a FIFO, and their edges."""
    return {
        (node.name, port): edge
        for node in graph.nodes
        if any(fold.attribute == FIFO_DEPTHS for fold in node.core.folds)
        for port, edge in enumerate(graph.inputs_of(node))
    }


def _by_name(depths: Depths) -> dict[str, list[int]]:
    """The depths as a folding has them; the ports of a core are in order."""
    found: dict[str, list[int]] = {}
    for (name, _), depth in sorted(depths.items()):
        found.setdefault(name, []).append(max(depth, NO_FIFO))
    return found


def _random_images(stream: Stream) -> NDArray[np.uint8]:
    """Images of the input's number of elements; cycles of dense cores do not depend on what is in them."""
    elements, steps = stream.lanes * stream.words, input_steps(stream.element_bits)
    shape = (_FRAMES, steps, elements) if steps > 1 else (_FRAMES, elements)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def _folded(model: ModelWrapper, folding: NodeFolding, part: str) -> ModelWrapper:
    with quiet():
        return fold(ModelWrapper(model.model, make_deepcopy=True), folding, part)
