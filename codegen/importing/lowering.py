"""Operators of a foreign network become a ``FloatNetwork``: what lies between neurons is composed into connections.

Walks the operators in order of their edges. Behind the input and behind each neuron starts a source; convolutions,
matrices, scaling and pooling between sources become the connections of the next layer (``sums``, ``linear_maps``).
"""

from __future__ import annotations

import re
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import nir
import numpy as np

from codegen.errors import ImportingError
from codegen.importing import sums
from codegen.importing.float_network import FloatLayer, FloatNetwork
from codegen.importing.layers import read_out, spiking_layer
from codegen.importing.linear_maps import RefusedError
from codegen.importing.operators import (
    Convolution,
    Flatten,
    Input,
    Linear,
    Neuron,
    Operator,
    OperatorGraph,
    Output,
    Pool,
    Scale,
    WholeMap,
)
from codegen.importing.options import NirOptions
from codegen.importing.sums import Sum
from sca_train.specs import IMAGE, READ_OUT

MOST_CLASSES = 4096


def lower(graph: nir.NIRGraph, options: NirOptions, origin: str | Path = "the NIR graph") -> FloatNetwork:
    """The network of a NIR graph; ``origin`` is what sentences call it.

    Raises ImportingError, one sentence, for what no layer of integers can follow: unsupported nodes (all at once),
    recurrence, shapes that do not chain, and what the graph leaves open where ``options`` do not say it.
    """
    from codegen.importing.nir_nodes import operators_of

    return lowered(operators_of(graph, options, str(origin)), options)


def lowered(graph: OperatorGraph, options: NirOptions) -> FloatNetwork:
    """The network of a graph of operators; ``dt``, ``reset`` and ``compare`` of the options are no longer asked."""
    return _Lowering(graph, options).network()


class _Lowering:
    def __init__(self, graph: OperatorGraph, options: NirOptions) -> None:
        self._graph = graph
        self._options = options
        self._before: dict[str, list[str]] = {name: [] for name in graph.nodes}
        self._behind: dict[str, list[str]] = {name: [] for name in graph.nodes}
        for source, target in graph.edges:
            self._before[target].append(source)
            self._behind[source].append(target)
        self._layers: dict[str, FloatLayer] = {}
        self._names: set[str] = {IMAGE, READ_OUT}
        self._notes = list(graph.notes)
        self._pooled: dict[str, Pool] = {}

    def network(self) -> FloatNetwork:
        order = self._order()
        start = self._only(Input)
        end = self._only(Output)
        used = self._reaching(end, self._before) & self._reaching(start, self._behind)
        if end not in used:
            raise ImportingError(f"{self._graph.origin}: no path leads from {start} to {end}")
        unused = [name for name in order if name not in used]
        if unused:
            self._notes.append(f"Nodes that lead nowhere, or that nothing leads to, were left out: {_listed(unused)}.")
        values: dict[str, Sum] = {}
        for name in order:
            if name in used:
                values[name] = self._value(name, [values[source] for source in self._before[name] if source in used])
        layers = (*self._layers.values(), self._read_out(end, values[end]))
        shape = self._input_grid(start)
        return FloatNetwork(
            input_shape=(shape[1], shape[2], shape[0]),
            input_scale=self._options.input_scale,
            static_input=self._options.input == "static",
            timesteps=self._options.timesteps,
            classes=len(layers[-1].gain),
            layers=layers,
            class_names=self._class_names(len(layers[-1].gain)),
            notes=tuple(dict.fromkeys(self._notes)),
        )

    def _order(self) -> list[str]:
        try:
            return list(TopologicalSorter(self._before).static_order())
        except CycleError as error:
            cycle = list(dict.fromkeys(error.args[1]))
            raise ImportingError(
                f"{self._graph.origin}: {_listed(cycle)} {'feeds itself' if len(cycle) == 1 else 'form a loop'}, "
                "and recurrent networks are not supported"
            ) from None

    def _only(self, kind: type[Input] | type[Output]) -> str:
        found = [name for name, operator in self._graph.nodes.items() if isinstance(operator, kind)]
        if len(found) != 1:
            raise ImportingError(
                f"{self._graph.origin}: {len(found) or 'no'} {kind.__name__} nodes ({_listed(found) or 'none'}), "
                "and a network must have exactly one"
            )
        return found[0]

    def _reaching(self, start: str, edges: dict[str, list[str]]) -> set[str]:
        found, waiting = {start}, [start]
        while waiting:
            for name in edges[waiting.pop()]:
                if name not in found:
                    found.add(name)
                    waiting.append(name)
        return found

    def _value(self, name: str, inputs: list[Sum]) -> Sum:
        operator = self._graph.nodes[name]
        try:
            if isinstance(operator, Input):
                return sums.of_source(IMAGE, self._input_grid(name), operator.shape)
            return self._computed(name, operator, sums.total(inputs))
        except RefusedError as refused:
            raise ImportingError(f"{self._graph.origin}: {name} {refused}") from None

    def _computed(self, name: str, operator: Operator, value: Sum) -> Sum:
        match operator:
            case Convolution():
                return sums.convolution(value, operator)
            case Linear():
                return sums.linear(value, operator)
            case Scale():
                return sums.scale(value, operator)
            case Flatten():
                return sums.flatten(value, operator)
            case Neuron():
                return self._neuron(name, operator, value)
            case Pool() | WholeMap():
                return self._pool(name, operator, value)
        return value

    def _pool(self, name: str, operator: Pool | WholeMap, value: Sum) -> Sum:
        if len(value.shape) != 3:
            raise RefusedError(
                f"pools the shape {sums.shown(value.shape)}, and must be given channels, rows and columns"
            )
        pool = _as_pool(operator, value)
        if pool.kernel == pool.stride == (1, 1) and not any(pool.padding):
            return value
        sources = self._before[name]
        source = sources[0] if len(sources) == 1 else ""
        if source in self._pooled:
            if pool.kind != "sum":
                return value
            window = float(pool.kernel[0] * pool.kernel[1])
            return sums.scale(value, Scale(np.array(window), np.array(0.0)))
        if pool.kind == "max":
            raise RefusedError(
                "is a max pooling that no layer of spikes has: it must follow neurons directly, be all that reads "
                "them, and have square windows that neither overlap nor are padded"
            )
        return sums.pool(value, pool)

    def _neuron(self, name: str, operator: Neuron, value: Sum) -> Sum:
        layer_name = self._layer_name(name)
        pool = self._pool_behind(name, value)
        layer, grid, notes = spiking_layer(layer_name, operator, value)
        self._notes.extend(f"{name} {note}" for note in notes)
        shape = value.shape
        if pool is not None:
            size = pool.kernel[0]
            layer = replace(layer, pool=size, pool_kind="max" if pool.kind == "max" else "avg")
            grid = (grid[0], grid[1] // size, grid[2] // size)
            shape = grid
            self._pooled[name] = pool
        self._layers[layer_name] = layer
        return sums.of_source(layer_name, grid, shape)

    def _pool_behind(self, name: str, value: Sum) -> Pool | None:
        """The pooling that all readers of these neurons share and that a layer can have; None where there is none."""
        readers = [self._graph.nodes[reader] for reader in self._behind[name]]
        if value.shape != value.grid or not readers:
            return None
        pools = [_as_pool(reader, value) for reader in readers if isinstance(reader, Pool | WholeMap)]
        alike = {replace(pool, kind="max" if pool.kind == "max" else "avg") for pool in pools}
        added = any(len(self._before[reader]) > 1 for reader in self._behind[name])
        if len(pools) < len(readers) or len(alike) > 1 or added:
            return None
        size = pools[0].kernel[0]
        fits = 1 < size <= min(value.grid[1:]) and pools[0].kernel == pools[0].stride == (size, size)
        if not fits or any(pools[0].padding):
            return None
        whole = pools[0].kernel == value.grid[1:]
        if whole and pools[0].kind != "max" and not any(self._spikes_again(reader) for reader in self._behind[name]):
            return None  # the read-out's global sum
        return pools[0]

    def _spikes_again(self, name: str) -> bool:
        reached = self._reaching(name, self._behind)
        return any(isinstance(self._graph.nodes[other], Neuron) for other in reached)

    def _read_out(self, end: str, value: Sum) -> FloatLayer:
        count = int(np.prod(value.shape))
        if count > MOST_CLASSES:
            raise ImportingError(
                f"{self._graph.origin}: {count} values reach {end}, and at most {MOST_CLASSES} logits are possible"
            )
        operator = self._graph.nodes[end]
        if isinstance(operator, Output) and operator.elements not in (None, count):
            raise ImportingError(
                f"{self._graph.origin}: {end} says that it takes {operator.elements} values, and {count} reach it"
            )
        if not self._layers:
            raise ImportingError(f"{self._graph.origin}: there are no spiking neurons between the input and {end}")
        try:
            return read_out(value)
        except RefusedError as refused:
            raise ImportingError(f"{self._graph.origin}: {end} {refused}") from None

    def _input_grid(self, name: str) -> tuple[int, int, int]:
        operator = self._graph.nodes[name]
        assert isinstance(operator, Input)
        shape = operator.shape
        given = self._options.input_shape
        elements = int(np.prod(shape))
        if given is not None and int(np.prod(given)) != elements:
            raise ImportingError(
                f"{self._graph.origin}: input_shape {sums.shown(given)} has {int(np.prod(given))} values, and {name} "
                f"takes {sums.shown(shape)}, {elements}"
            )
        if len(shape) == 3:
            grid = (shape[0], shape[1], shape[2])
            if given is not None and (given[2], given[0], given[1]) != grid:
                raise ImportingError(
                    f"{self._graph.origin}: input_shape {sums.shown(given)} is not that of {name}, which takes "
                    f"{shape[0]} channels of {shape[1]}x{shape[2]}"
                )
            return grid
        if given is not None:
            return (given[2], given[0], given[1])
        if len(shape) == 2:
            along = any(isinstance(self._graph.nodes[reader], Convolution | Neuron) for reader in self._behind[name])
            return (shape[0], 1, shape[1]) if along else (1, shape[0], shape[1])
        return (1, 1, elements)

    def _layer_name(self, name: str) -> str:
        plain = re.sub(r"[^A-Za-z0-9_]", "_", name) or "neurons"
        plain = plain if plain[0].isalpha() else f"n{plain}"
        found, number = plain, 2
        while found in self._names:
            found, number = f"{plain}_{number}", number + 1
        self._names.add(found)
        return found

    def _class_names(self, classes: int) -> tuple[str, ...]:
        names = self._options.classes
        if names and len(names) != classes:
            raise ImportingError(
                f"{self._graph.origin}: {len(names)} class names were given, and the network has {classes} logits"
            )
        return names


def _as_pool(operator: Pool | WholeMap, value: Sum) -> Pool:
    if isinstance(operator, Pool):
        return operator
    size = value.grid[1:]
    return Pool("avg", size, size, (0, 0, 0, 0))


def _listed(names: list[str]) -> str:
    return ", ".join(names)
