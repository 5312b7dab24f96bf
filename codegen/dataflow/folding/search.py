"""Exact search over foldings: dynamic programming over the layers, with sets of costs of which none beats another.

Costs add up: each layer has its own, and what lies between layers (width converters, FIFOs before joins) depends on the
words that they write and read and on how far joined streams run ahead of each other. So all that the layers still to
come need to know of those before is the *state*: words and lags of the streams that they will read. Of two partial
foldings with the same state, one that costs as much or more in every limited resource and in the objective is completed
by the same layers to a whole that is no better: it can be left out. What remains at the end holds an optimum.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from codegen.cores.width_converter import converter_resources
from codegen.dataflow.folding.joins import layer_lags
from codegen.dataflow.folding.layers import Layer, Source
from codegen.dataflow.folding.options import Choices, Costs, Ports, cost_vector, undominated
from codegen.dataflow.folding.plan import LayerPlan, fifo_of_depth
from codegen.fit import NO_RESOURCES, Resources, total

IMAGE = Source("", 0)
"""What a layer reads that reads the image."""

State = tuple[tuple[int, Fraction], ...]
"""Bits of a word and lag of each open stream; lags are from that of the one that runs ahead of all others."""


@dataclass(frozen=True)
class _Labels:
    """Partial foldings of one state: costs [n, columns], and of what each is the extension."""

    costs: Costs
    state: NDArray[np.int64]
    """Number of the state before."""
    row: NDArray[np.int64]
    """Row of that state's labels."""
    choice: NDArray[np.int64]
    """Number of the layer's choices, and of the option in them."""
    option: NDArray[np.int64]


@dataclass(frozen=True)
class Search:
    """The layers in topological order, with the options of each."""

    layers: tuple[Layer, ...]
    choices: tuple[tuple[Choices, ...], ...]
    between: dict[tuple[int, State, Ports], tuple[State, tuple[int, ...]]] = field(default_factory=dict, repr=False)
    """What was found out about a layer's ports behind a state: the state then, and the cost of what lies between."""

    def best(self, target: int, objective: Sequence[int], limits: Mapping[int, int]) -> tuple[LayerPlan, ...] | None:
        """The folding of least cost with at most ``target`` cycles in each node, or None where none is within limits.

        objective: weights of the columns of a cost. limits: most of a column, by its number.
        """
        columns = np.array([objective, *(np.eye(len(objective), dtype=np.int64)[column] for column in limits)]).T
        most = np.array([np.iinfo(np.int64).max, *limits.values()])
        offers = [self._offers(index, target, columns) for index in range(len(self.layers))]
        if not all(offers):
            return None
        least = [np.min([costs.min(axis=0) for _, _, costs in offer], axis=0) for offer in offers]
        start: State = ((0, Fraction(0)),) if self._open[0] else ()
        zero = np.zeros(1, np.int64)
        nothing: Costs = np.zeros((1, columns.shape[1]), np.int64)
        stages = [{start: _Labels(nothing, zero, zero, zero, zero)}]
        for index, offer in enumerate(offers):
            room = most - np.sum(least[index + 1 :], axis=0, dtype=np.int64)
            stages.append(self._extended(index, stages[-1], offer, columns, room))
            if not stages[-1]:
                return None
        return self._traced(stages)

    def _offers(self, index: int, target: int, columns: Costs) -> list[tuple[int, NDArray[np.int64], Costs]]:
        """Choices of a layer that meet the target: their number, options and costs in the columns."""
        offers = []
        for number, choices in enumerate(self.choices[index]):
            fast = np.flatnonzero(choices.cycles <= target)
            if len(fast):
                costs = choices.costs[fast] @ columns
                kept = undominated(costs)
                offers.append((number, fast[kept], costs[kept]))
        return offers

    def _extended(
        self,
        index: int,
        states: Mapping[State, _Labels],
        offers: list[tuple[int, NDArray[np.int64], Costs]],
        columns: Costs,
        room: NDArray[np.int64],
    ) -> dict[State, _Labels]:
        """Labels behind one more layer."""
        parts: dict[State, list[_Labels]] = {}
        for place, (state, labels) in enumerate(states.items()):
            for number, options, costs in offers:
                ports = self.choices[index][number].ports
                after, cost = self._between(index, state, ports)
                between: Costs = np.array(cost, np.int64) @ columns
                sums: Costs = labels.costs[:, None, :] + (costs + between)[None, :, :]
                rows, picked = np.nonzero((sums <= room).all(axis=2))
                if len(rows):
                    found = _Labels(
                        costs=sums[rows, picked],
                        state=np.full(len(rows), place, np.int64),
                        row=rows,
                        choice=np.full(len(rows), number, np.int64),
                        option=options[picked],
                    )
                    parts.setdefault(after, []).append(found)
        return {state: _merged(found) for state, found in parts.items()}

    def _between(self, index: int, state: State, ports: Ports) -> tuple[State, tuple[int, ...]]:
        key = (index, state, ports)
        if key not in self.between:
            self.between[key] = self._connected(index, state, ports)
        return self.between[key]

    def _connected(self, index: int, state: State, ports: Ports) -> tuple[State, tuple[int, ...]]:
        """The state behind a layer with these ports, and the cost of the converters and FIFOs that it needs."""
        layer = self.layers[index]
        known = dict(zip(self._open[index], state, strict=True))
        before = {source.core: lag for source, (_, lag) in known.items()}
        image = before.get(IMAGE.core, Fraction(0))
        # Lags are from one that the image has here, as those of a whole plan are.
        lags, depths = layer_lags(layer, ports.timing, {name: lag - image for name, lag in before.items()})
        parts = [_converter(known, layer.source, ports.read)]
        for follower, bits in zip(layer.followers, ports.joins, strict=True):
            parts += [_converter(known, source, bits[port]) for port, source in follower.joins]
            fifos = depths.get(follower.core.name, [])
            parts += [fifo_of_depth(width, depth) for width, depth in zip(bits, fifos, strict=False)]
        written = dict(zip((layer.core.name, *(f.core.name for f in layer.followers)), ports.outputs, strict=True))
        after = [
            (written[source.core][source.output], lags[source.core])
            if source.core in written
            else (known[source][0], known[source][1] - image)
            for source in self._open[index + 1]
        ]
        first = min((lag for _, lag in after), default=Fraction(0))
        return tuple((bits, lag - first) for bits, lag in after), cost_vector(total(parts))

    @cached_property
    def _open(self) -> tuple[tuple[Source, ...], ...]:
        """Before the first layer and behind each: streams that are written and still to be read, in a fixed order."""
        written = {IMAGE.core}
        opened = []
        for index in range(len(self.layers) + 1):
            if index:
                layer = self.layers[index - 1]
                written |= {layer.core.name, *(follower.core.name for follower in layer.followers)}
            read = {source for layer in self.layers[index:] for source in _read(layer)}
            streams = (source for source in read if source.core in written)
            opened.append(tuple(sorted(streams, key=lambda source: (source.core, source.output))))
        return tuple(opened)

    def _traced(self, stages: list[dict[State, _Labels]]) -> tuple[LayerPlan, ...]:
        """The plan of the least label of the last stage."""
        tables = [list(stage.values()) for stage in stages]
        place, row = min(
            ((place, 0) for place in range(len(tables[-1]))), key=lambda at: tuple(tables[-1][at[0]].costs[at[1]])
        )
        plan = []
        for index in reversed(range(len(self.layers))):
            labels = tables[index + 1][place]
            plan.append(self.choices[index][labels.choice[row]].options[labels.option[row]])
            place, row = int(labels.state[row]), int(labels.row[row])
        return tuple(reversed(plan))


def _read(layer: Layer) -> Iterator[Source]:
    """What a layer reads, its own streams among it."""
    yield layer.source or IMAGE
    for follower in layer.followers:
        yield from (source for _, source in follower.joins)
        if len(follower.joins) + 1 < len(follower.core.inputs):
            yield IMAGE


def _merged(parts: list[_Labels]) -> _Labels:
    """The labels of several parts, without those that another one is as good as or better."""
    costs = np.concatenate([part.costs for part in parts])
    kept = undominated(costs)
    state, row, choice, option = (
        np.concatenate([getattr(part, name) for part in parts])[kept] for name in ("state", "row", "choice", "option")
    )
    return _Labels(costs[kept], state, row, choice, option)


def _converter(known: Mapping[Source, tuple[int, Fraction]], source: Source | None, bits: int) -> Resources:
    """What stands between a stream of a layer before and words of so many bits; nothing within a layer."""
    if source is None or source not in known:
        return NO_RESOURCES
    return converter_resources(known[source][0], bits)
