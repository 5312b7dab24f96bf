"""The dataflow graph as the renderers see it: nodes and the streams between their ports, read from graph.onnx."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from codegen.cores import core_of
from codegen.cores.core import Core, Stream, port_name
from codegen.errors import CodegenError, RenderError, first_line
from codegen.weight_bus import bus_cycles, frame_beats

MOST_WORDS = 2**26
"""Of a frame on one stream: more than any map that fits a board, few enough to walk through its windows."""


@dataclass(frozen=True)
class Node:
    """One dataflow node: its operator in graph.onnx, the core that it is and FINN's expected cycles per frame."""

    op: str
    core: Core
    cycles: int

    @property
    def name(self) -> str:
        return self.core.name


@dataclass(frozen=True)
class Edge:
    """A stream from a port of one node to a port of another; without a node the port is the accelerator's own."""

    producer: Node | None
    output: int
    consumer: Node | None
    input: int
    stream: Stream


@dataclass(frozen=True)
class DataflowGraph:
    """A feed-forward graph of one input and one output: nodes in topological order, and one edge for each stream.

    The input's edge is first, then those of each node's outputs: in a chain they are in stream order.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    @property
    def input(self) -> Stream:
        return self.edges[0].stream

    @property
    def output(self) -> Stream:
        return self.edges[self.output_edge].stream

    @property
    def output_edge(self) -> int:
        """Index of the accelerator's output."""
        return next(index for index, edge in enumerate(self.edges) if edge.consumer is None)

    @property
    def bound(self) -> int:
        """Cycles per frame of the slowest node, by FINN's expected cycles, or of the weights that come from outside."""
        beats = 0
        for node in self.nodes:
            if (stream := node.core.weight_stream) is not None:
                beats += frame_beats(stream.bits, stream.words)
        return max(bus_cycles(beats), *(node.cycles for node in self.nodes))

    def inputs_of(self, node: Node) -> tuple[int, ...]:
        """Indices of the edges that a node reads, by port."""
        read = {edge.input: index for index, edge in enumerate(self.edges) if edge.consumer is node}
        return tuple(read[port] for port in range(len(read)))

    def outputs_of(self, node: Node) -> tuple[int, ...]:
        """Indices of the edges that a node writes, by port."""
        written = {edge.output: index for index, edge in enumerate(self.edges) if edge.producer is node}
        return tuple(written[port] for port in range(len(written)))


def read_graph(path: Path) -> DataflowGraph:
    """Read graph.onnx.

    Raises ModelError for a file that ``codegen.dataflow.graph_file`` refuses, RenderError when nodes and streams are no
    feed-forward graph of one input and one output in which every stream has one reader, or when nothing renders a node.
    """
    from codegen.dataflow.graph_file import load_graph  # FINN takes seconds to import

    return from_model(load_graph(path))


def from_model(model: ModelWrapper) -> DataflowGraph:
    """The dataflow nodes of a model whose custom ops are registered, and the streams between them.

    Raises RenderError as ``read_graph`` does.
    """
    if not model.graph.node:
        raise RenderError("the dataflow graph has no nodes")
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [entry.name for entry in model.graph.input if entry.name not in constants]
    outputs = [entry.name for entry in model.graph.output]
    if (len(inputs), len(outputs)) != (1, 1):
        raise RenderError(
            f"the dataflow graph has the inputs {', '.join(inputs)} and the outputs {', '.join(outputs)}; an "
            "accelerator has one of each"
        )
    ordered = _topological([_ports(model, proto) for proto in model.graph.node], inputs[0])
    return DataflowGraph(tuple(entry.node for entry in ordered), _edges(ordered, inputs[0], outputs[0]))


@dataclass(frozen=True)
class _Ports:
    """A node with the tensors that its streams carry."""

    node: Node
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def _ports(model: ModelWrapper, proto: Any) -> _Ports:
    where = f"{proto.name} ({proto.op_type})"
    try:
        op = getCustomOp(proto)
        core = core_of(op)
        streams = len(core.inputs)
        found = len(proto.input), len(proto.output)
        expected = streams + len(core.constant_inputs), len(core.outputs)
        if found != expected:
            raise RenderError(
                f"{where} has {found[0]} inputs and {found[1]} outputs in the dataflow graph, its core has "
                f"{expected[0]} and {expected[1]}"
            )
        words = [stream.words for stream in (*core.inputs, *core.outputs)]
        if not all(1 <= count <= MOST_WORDS for count in words):
            raise RenderError(f"{where}: its streams have {words} words a frame, 1 to {MOST_WORDS} are possible")
        _check_constants(model, where, core, proto.input[streams:])
        node = Node(op=proto.op_type, core=core_of(op, model), cycles=int(op.get_exp_cycles()))
    except CodegenError:
        raise
    except Exception as error:  # operators meet impossible attributes with assertions, divisions and Exception itself
        raise RenderError(f"{where}: its attributes describe no core ({first_line(error)})") from error
    return _Ports(node, tuple(proto.input[:streams]), tuple(proto.output))


def _check_constants(model: ModelWrapper, where: str, core: Core, tensors: Sequence[str]) -> None:
    """Constants have the shapes that the core reads; one that is missing is named by ``core_of``."""
    for constant, name in zip(core.constant_inputs, tensors, strict=True):
        values = model.get_initializer(name)
        if values is not None and values.shape != constant.shape:
            raise RenderError(
                f"{where}: its {constant.name} has the shape {list(values.shape)}, its core {list(constant.shape)}"
            )


def _topological(ports: list[_Ports], graph_input: str) -> list[_Ports]:
    """Each node behind those that it reads, else in the order of the graph."""
    written = {tensor: entry for entry in ports for tensor in entry.outputs}
    for entry in ports:
        for port, tensor in enumerate(entry.inputs):
            if tensor not in written and tensor != graph_input:
                raise RenderError(f"{_port(entry.node, 'input', port)} reads {tensor!r}, which nothing writes")
    known, ordered, waiting = {graph_input}, list[_Ports](), list(ports)
    while waiting:
        ready = next((entry for entry in waiting if known.issuperset(entry.inputs)), None)
        if ready is None:
            raise RenderError(f"the dataflow graph runs in a circle: {_circle(waiting, written)}")
        waiting.remove(ready)
        ordered.append(ready)
        known.update(ready.outputs)
    return ordered


def _circle(waiting: list[_Ports], written: dict[str, _Ports]) -> str:
    """Names of the nodes of one circle, in stream order, the first one again at the end."""
    path = [waiting[0]]
    while True:
        entry = next(written[tensor] for tensor in path[-1].inputs if written.get(tensor) in waiting)
        path.append(entry)
        if entry in path[:-1]:
            circle = path[path.index(entry) :]
            return " -> ".join(member.node.name for member in reversed(circle))


def _edges(ordered: list[_Ports], graph_input: str, graph_output: str) -> tuple[Edge, ...]:
    readers: dict[str, list[tuple[Node | None, int]]] = {graph_output: [(None, 0)]}
    for entry in ordered:
        for port, tensor in enumerate(entry.inputs):
            readers.setdefault(tensor, []).append((entry.node, port))
    producers: list[tuple[Node | None, int, str]] = [(None, 0, graph_input)]
    producers += [(entry.node, port, tensor) for entry in ordered for port, tensor in enumerate(entry.outputs)]
    return tuple(_edge(node, port, readers.get(tensor, [])) for node, port, tensor in producers)


def _edge(producer: Node | None, output: int, readers: list[tuple[Node | None, int]]) -> Edge:
    """The stream of one output; raises RenderError where its ends do not fit, or are not one and one."""
    source = _port(producer, "output", output) if producer else "the accelerator's input"
    names = [_port(node, "input", port) if node else "the accelerator's output" for node, port in readers]
    if len(readers) != 1:
        read = f"is read by {' and by '.join(names)}; a StreamFork copies it" if readers else "is read by nothing"
        raise RenderError(f"{source} {read}")
    ((consumer, port),) = readers
    written = producer.core.outputs[output] if producer else None
    read_stream = consumer.core.inputs[port] if consumer else None
    stream = written or read_stream
    if stream is None:
        raise RenderError("the dataflow graph's input is its output")
    if written is None or read_stream is None:
        return Edge(producer, output, consumer, port, stream)
    if (written.bits, written.words) != (read_stream.bits, read_stream.words):
        raise RenderError(
            f"{source} gives {written.words} words of {written.bits} bits a frame but {names[0]} takes "
            f"{read_stream.words} of {read_stream.bits}; a width converter is missing"
        )
    if written.datatype != read_stream.datatype:
        raise RenderError(f"{source} gives {written.datatype} but {names[0]} takes {read_stream.datatype}")
    return Edge(producer, output, consumer, port, stream)


def _port(node: Node, kind: Literal["input", "output"], port: int) -> str:
    """A node's name, with the port where it has several."""
    several = len(node.core.inputs if kind == "input" else node.core.outputs) > 1
    return port_name(node.name, kind, port, several)
