"""Small views on an ONNX graph that the passes share."""

from __future__ import annotations

from typing import Any

import onnx
from onnx import GraphProto, NodeProto, TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper

from codegen.dialect import DATAFLOW_DOMAIN
from codegen.onnx_nodes import attribute, is_neuron, is_read_out


def data_inputs(model: ModelWrapper, node: NodeProto) -> list[str]:
    """The inputs of a node that are no constants."""
    return [name for name in node.input if name and model.get_initializer(name) is None]


def timesteps_of(model: ModelWrapper) -> int:
    """T of the network, before its neurons and its read-out have been replaced."""
    return next(attribute(node, "timesteps") for node in model.graph.node if is_neuron(node) or is_read_out(node))


def set_tensor(model: ModelWrapper, name: str, shape: tuple[int, ...]) -> None:
    """Declare a tensor's shape; FINN carries every integer in a float32 tensor."""
    model.set_tensor_shape(name, list(shape), TensorProto.FLOAT)


def replace(graph: GraphProto, old: list[NodeProto], new: list[NodeProto]) -> None:
    """Put new nodes where the first of the old ones stands, and remove the old ones."""
    index = list(graph.node).index(old[0])
    for node in old:
        graph.node.remove(node)
    for offset, node in enumerate(new):
        graph.node.insert(index + offset, node)


def dataflow_node(op_type: str, inputs: list[str], output: str, name: str, **attributes: Any) -> onnx.NodeProto:
    """A generic FINN dataflow node, its backend still open."""
    return helper.make_node(
        op_type,
        inputs,
        [output],
        name=name,
        domain=DATAFLOW_DOMAIN,
        backend="fpgadataflow",
        **attributes,
    )
