"""The dataflow graph as the renderers see it: a chain of nodes with their streams, read from graph.onnx."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from codegen.errors import RenderError
from codegen.words import padded_bits, word_bytes

FINN_PLUMBING = (
    "FMPadding_rtl",
    "ConvolutionInputGenerator_rtl",
    "StreamingDataWidthConverter_rtl",
    "StreamingFIFO_rtl",
)
OWN_CORES = ("SpikingMVAU_rtl", "SpikingMVAU_hls", "SpikePool_rtl", "SpikePool_hls")


@dataclass(frozen=True)
class Stream:
    """One end of a node: ``words`` words a frame, each of ``lanes`` elements of ``element_bits``."""

    lanes: int
    element_bits: int
    signed: bool
    words: int

    @property
    def bits(self) -> int:
        return self.lanes * self.element_bits

    @property
    def bytes(self) -> int:
        return word_bytes(self.bits)

    @property
    def padded_bits(self) -> int:
        """Width of TDATA."""
        return padded_bits(self.bits)


@dataclass(frozen=True)
class Node:
    """One dataflow node: its FINN custom op, its two streams and its expected cycles per frame."""

    name: str
    op: str
    custom_op: Any
    input: Stream
    output: Stream
    cycles: int


@dataclass(frozen=True)
class DataflowGraph:
    """A feed-forward chain of nodes, in stream order."""

    model: ModelWrapper
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
    unknown = [f"{node.name} ({node.op_type})" for node in model.graph.node if not _is_known(node.op_type)]
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
    return DataflowGraph(model=model, nodes=nodes)


def _is_known(op_type: str) -> bool:
    return op_type in FINN_PLUMBING or op_type in OWN_CORES


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
    folded_in, folded_out = op.get_folded_input_shape(), op.get_folded_output_shape()
    in_type, out_type = op.get_input_datatype(), op.get_output_datatype()
    return Node(
        name=proto.name,
        op=proto.op_type,
        custom_op=op,
        input=Stream(int(folded_in[-1]), in_type.bitwidth(), in_type.signed(), int(prod(folded_in[:-1]))),
        output=Stream(int(folded_out[-1]), out_type.bitwidth(), out_type.signed(), int(prod(folded_out[:-1]))),
        cycles=int(op.get_exp_cycles()),
    )
