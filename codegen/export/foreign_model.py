"""A model.onnx that somebody else wrote: local functions and metadata that it leaves out are added."""

from __future__ import annotations

import onnx
from onnx import FunctionProto, NodeProto

from codegen.dialect import DOMAIN, MAX_TIMESTEPS, READ_OUT
from codegen.export.onnx_functions import read_out_function
from codegen.export.onnx_reader import HALF_START, OnnxModel, check_operators, checked_model
from codegen.neurons import NEURONS
from codegen.onnx_file import OnnxFile
from codegen.onnx_nodes import attribute, describe


def completed_model(source: OnnxFile) -> OnnxModel:
    """Read a file that somebody else wrote, which may leave out the local functions and the metadata.

    What its nodes say of both is added before it is checked as every model.onnx; raises ModelError as ``read_model``.
    """
    model = source.read()
    check_operators(source, model)
    given = {(function.domain, function.name) for function in model.functions}
    for node in model.graph.node:
        if node.domain == DOMAIN and (DOMAIN, node.op_type) not in given:
            model.functions.append(_own_function(source, node))
            given.add((DOMAIN, node.op_type))
    if not any(entry.domain == DOMAIN for entry in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid(DOMAIN, 1))
    return checked_model(source, model, complete=True)


def _own_function(source: OnnxFile, node: NodeProto) -> FunctionProto:
    """The local function that a node calls, as the writer makes it."""
    if node.op_type == READ_OUT:
        return read_out_function()
    timesteps = attribute(node, "timesteps")
    if not isinstance(timesteps, int) or not 1 <= timesteps <= MAX_TIMESTEPS:
        raise source.error(f"{describe(node)}: timesteps={timesteps} is not in 1..{MAX_TIMESTEPS}")
    half_start = any(entry.name == HALF_START for entry in node.attribute)
    return NEURONS[node.op_type].function(timesteps, half_start)
