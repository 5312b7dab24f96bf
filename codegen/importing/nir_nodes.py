"""The nodes of a NIR graph as operators: subgraphs laid flat, every parameter checked, time made discrete."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import nir
import numpy as np

from codegen.errors import ImportingError
from codegen.importing import convolutions
from codegen.importing.float_network import Floats
from codegen.importing.linear_maps import RefusedError
from codegen.importing.nir_time import TimeStep, time_step
from codegen.importing.operators import Flatten, Input, Linear, Neuron, Operator, OperatorGraph, Output, Pool, Scale
from codegen.importing.options import NirOptions

SUPPORTED = (
    "Input, Output, Conv1d, Conv2d, Affine, Linear, Scale, SumPool2d, AvgPool2d, Flatten, IF, LIF, Threshold and "
    "NIRGraph without loops"
)
_WHY = {
    nir.CubaLIF: "CubaLIF, neurons with synaptic currents that decay",
    nir.CubaLI: "CubaLI, integrators with synaptic currents that decay",
    nir.LI: "LI, leaky integrators that never spike",
    nir.I: "I, integrators that never spike",
    nir.Delay: "Delay",
}


def operators_of(graph: nir.NIRGraph, options: NirOptions, origin: str) -> OperatorGraph:
    """The operators of a graph; ImportingError names all unsupported nodes at once."""
    nodes = _nodes(graph)
    unsupported = [f"{name} ({_WHY[type(node)]})" for name, node in nodes.items() if type(node) in _WHY]
    if unsupported:
        raise ImportingError(f"{origin}: not supported: {', '.join(unsupported)}; supported are {SUPPORTED}")
    edges = _edges(graph, origin)
    step = time_step(nodes, _metadata(graph), options, origin)
    operators: dict[str, Operator] = {}
    for name, node in nodes.items():
        try:
            operators[name] = _operator(node, step)
        except RefusedError as refused:
            raise ImportingError(f"{origin}: {name} {refused}") from None
    notes = [*step.notes]
    _read_flat_vectors(operators, edges, notes)
    _read_maxima(operators, edges)
    return OperatorGraph(origin, operators, tuple(edges), tuple(notes))


def _metadata(node: nir.NIRNode) -> dict[str, Any]:
    return node.metadata if isinstance(node.metadata, dict) else {}


def _nodes(graph: nir.NIRGraph, path: str = "") -> dict[str, nir.NIRNode]:
    """All nodes by path; the inputs and outputs of subgraphs are passages of no effect."""
    nodes: dict[str, nir.NIRNode] = {}
    for name, node in graph.nodes.items():
        full = path + name
        if isinstance(node, nir.NIRGraph):
            nodes.update(_nodes(node, f"{full}."))
        else:
            nodes[full] = _Passage() if path and isinstance(node, nir.Input | nir.Output) else node
    return nodes


def _edges(graph: nir.NIRGraph, origin: str, path: str = "") -> list[tuple[str, str]]:
    """All edges between paths; those to and from a subgraph lead to its input and from its output."""
    edges: list[tuple[str, str]] = []
    starts: dict[str, str] = {}
    ends: dict[str, str] = {}
    for name, node in graph.nodes.items():
        starts[name] = ends[name] = path + name
        if isinstance(node, nir.NIRGraph):
            edges.extend(_edges(node, origin, f"{path}{name}."))
            starts[name] = _end(node, nir.Input, path + name, origin)
            ends[name] = _end(node, nir.Output, path + name, origin)
    for source, target in graph.edges:
        for name in (source, target):
            if name not in starts:
                within = f" of {path[:-1]}" if path else ""
                raise ImportingError(
                    f"{origin}: an edge{within} leads from {source} to {target}, but no node is {name}"
                )
        edges.append((ends[source], starts[target]))
    return list(dict.fromkeys(edges))


def _end(graph: nir.NIRGraph, kind: type[nir.NIRNode], path: str, origin: str) -> str:
    found = [name for name, node in graph.nodes.items() if isinstance(node, kind)]
    if len(found) != 1:
        raise ImportingError(f"{origin}: the graph {path} has {len(found)} {kind.__name__} nodes, and must have one")
    return f"{path}.{found[0]}"


class _Passage(nir.NIRNode):
    """What the input or output of a subgraph becomes."""

    def __init__(self) -> None:
        self.metadata: dict[str, Any] = {}


def _operator(node: nir.NIRNode, step: TimeStep) -> Operator:
    match node:
        case _Passage():
            return Scale(np.array(1.0), np.array(0.0))
        case nir.Input():
            return Input(_shape(node.input_type["input"]))
        case nir.Output():
            shape = node.output_type["output"]
            return Output(None if shape is None else int(np.prod(np.asarray(shape), dtype=object)))
        case nir.Conv1d():
            return convolutions.of_one_dimension(node)
        case nir.Conv2d():
            return convolutions.of_two_dimensions(node)
        case nir.Affine() | nir.Linear():
            return _linear(node)
        case nir.Scale():
            return Scale(_floats(node.scale, "scale"), np.array(0.0))
        case nir.SumPool2d() | nir.AvgPool2d():
            kernel, stride = (convolutions.pair(value, what) for value, what in _windows(node))
            rows, columns = convolutions.pair(node.padding, "padding", least=0)
            kind = "sum" if isinstance(node, nir.SumPool2d) else "avg"
            return Pool(cast(Any, kind), kernel, stride, (rows, columns, rows, columns))
        case nir.Flatten():
            return Flatten(convolutions.whole(node.start_dim, "start_dim"), convolutions.whole(node.end_dim, "end_dim"))
        case nir.Threshold():
            none = np.array(0.0)
            threshold = _floats(node.threshold, "threshold")
            return Neuron(none, np.array(1.0), none, threshold, none, "hard", step.compare)
        case nir.IF() | nir.LIF():
            return step.neuron(node)
    raise RefusedError(f"is of the type {type(node).__name__}, which is not supported; supported are {SUPPORTED}")


def _windows(node: nir.SumPool2d | nir.AvgPool2d) -> tuple[tuple[Any, str], tuple[Any, str]]:
    return (node.kernel_size, "kernel_size"), (node.stride, "stride")


def _shape(given: Any) -> tuple[int, ...]:
    if given is None:
        raise RefusedError("has no shape, and an input must say its own")
    sizes = [convolutions.whole(size, "shape", least=1) for size in np.atleast_1d(np.asarray(given))]
    while len(sizes) > 3 and sizes[0] == 1:
        sizes = sizes[1:]
    if not 1 <= len(sizes) <= 3:
        raise RefusedError(
            f"has the shape {'x'.join(map(str, sizes))}, and an input has channels, rows and columns, or fewer"
        )
    if int(np.prod(sizes, dtype=object)) > MOST_INPUTS:
        raise RefusedError(f"has the shape {'x'.join(map(str, sizes))}, and an input has at most {MOST_INPUTS} values")
    return tuple(sizes)


MOST_INPUTS = 2**24


def _linear(node: nir.Affine | nir.Linear) -> Linear:
    weights = _floats(node.weight, "weight")
    while weights.ndim > 2 and weights.shape[0] == 1:
        weights = weights[0]
    if weights.ndim != 2:
        raise RefusedError(f"has weights of {weights.ndim} dimensions, and a matrix has two")
    bias = _floats(node.bias, "bias") if isinstance(node, nir.Affine) else np.zeros(weights.shape[0])
    if bias.size not in (1, weights.shape[0]):
        raise RefusedError(f"has {bias.size} biases for {weights.shape[0]} outputs")
    return Linear(weights, np.broadcast_to(bias.reshape(-1), weights.shape[:1]).copy())


def _read_maxima(operators: dict[str, Operator], edges: list[tuple[str, str]]) -> None:
    """NIR has no max pooling; that of spikes is their sum above a threshold that one spike is enough for."""
    for name, pool in operators.items():
        before = [operators[source] for source, target in edges if target == name]
        behind = [target for source, target in edges if source == name]
        if not isinstance(pool, Pool) or not all(isinstance(source, Neuron) for source in before) or len(before) != 1:
            continue
        readers = [operators[target] for target in behind]
        one_spike = 1.0 if pool.kind == "sum" else 1.0 / (pool.kernel[0] * pool.kernel[1])
        alone = all(sum(target == reader for _, target in edges) == 1 for reader in behind)
        if readers and alone and all(_fires_at(reader, one_spike) for reader in readers):
            operators[name] = replace(pool, kind="max")
            operators.update(dict.fromkeys(behind, Scale(np.array(1.0), np.array(0.0))))


def _fires_at(operator: Operator, value: float) -> bool:
    """Whether an operator is a threshold that ``value`` reaches and 0 does not."""
    if not isinstance(operator, Neuron) or operator.decay.any() or (operator.gain != 1).any() or operator.shift.any():
        return False
    reached = operator.threshold < value if operator.compare == "gt" else operator.threshold <= value
    return bool(reached.all() and (operator.threshold > 0).all())


def _floats(values: Any, what: str) -> Floats:
    return convolutions.floats(values, what)


def _read_flat_vectors(operators: dict[str, Operator], edges: list[tuple[str, str]], notes: list[str]) -> None:
    """Flatten nodes count dimensions without the batch; some exporters counted it in and left the channels apart.

    Where such a node (start 1) leads to nothing but matrices, which read vectors, it is taken to flatten everything.
    """
    for name, operator in operators.items():
        behind = [operators[target] for source, target in edges if source == name]
        matrices = bool(behind) and all(isinstance(reader, Linear) for reader in behind)
        if isinstance(operator, Flatten) and operator.start == 1 and matrices:
            operators[name] = Flatten(0, -1)
            notes.append(f"{name} begins at dimension 1 and is read by a matrix: taken to count the batch as one.")
