"""The dataflow graph as the renderers see it: a chain of nodes with their streams, read from graph.onnx."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from codegen.core import core_of, find_core
from codegen.core.core import Core, Stream
from codegen.errors import RenderError


@dataclass(frozen=True)
class Node:
    """One dataflow node: its operator in graph.onnx, the core that it is and FINN's expected cycles per frame."""

    op: str
    core: Core
    cycles: int

    @property
    def name(self) -> str:
        return self.core.name

    @property
    def input(self) -> Stream:
        return self.core.inputs[0]

    @property
    def output(self) -> Stream:
        return self.core.outputs[0]


@dataclass(frozen=True)
class DataflowGraph:
    """A feed-forward chain of nodes, in stream order."""

    nodes: tuple[Node, ...]

    @property
    def input(self) -> Stream:
        return self.nodes[0].input

    @property
    def output(self) -> Stream:
        return self.nodes[-1].output

    @property
    def bound(self) -> int:
        """Cycles per frame of the slowest node, by FINN's expected cycles."""
        return max(node.cycles for node in self.nodes)


def read_graph(path: Path) -> DataflowGraph:
    """Read graph.onnx.

    Raises RenderError when the graph is not a chain, or holds a node that nothing renders.
    """
    import codegen.finn  # noqa: F401  registers the custom ops

    return from_model(ModelWrapper(str(path)))


def from_model(model: ModelWrapper) -> DataflowGraph:
    """The chain of dataflow nodes of a model whose custom ops are registered.

    Raises RenderError as ``read_graph`` does.
    """
    unknown = [f"{node.name} ({node.op_type})" for node in model.graph.node if find_core(node.op_type) is None]
    if unknown:
        raise RenderError(f"nothing renders the nodes {', '.join(unknown)} of the dataflow graph")
    if not model.graph.node:
        raise RenderError("the dataflow graph has no nodes")
    nodes = tuple(_node(model, node) for node in _in_stream_order(model))
    for before, after in pairwise(nodes):
        if (before.output.bits, before.output.words) != (after.input.bits, after.input.words):
            raise RenderError(
                f"{before.name} gives {before.output.words} words of {before.output.bits} bits a frame but "
                f"{after.name} takes {after.input.words} of {after.input.bits}; a width converter is missing"
            )
    return DataflowGraph(nodes)


def _in_stream_order(model: ModelWrapper) -> list[Any]:
    consumers = {node.input[0]: node for node in model.graph.node}
    tensor = model.graph.input[0].name
    ordered = []
    while tensor in consumers:
        node = consumers.pop(tensor)
        ordered.append(node)
        tensor = node.output[0]
    if len(ordered) != len(model.graph.node) or tensor != model.graph.output[0].name:
        raise RenderError("the dataflow graph is not one chain from its input to its output")
    return ordered


def _node(model: ModelWrapper, proto: Any) -> Node:
    op = getCustomOp(proto)
    return Node(op=proto.op_type, core=core_of(op, model), cycles=int(op.get_exp_cycles()))
