"""The local functions of model.onnx: those of the neurons in a network, and the read-out."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from codegen.dialect import DOMAIN, OPSET, READ_OUT
from codegen.neurons import NEURONS, Neuron


def local_functions(neurons: Collection[Neuron], timesteps: int, half_start: bool) -> list[onnx.FunctionProto]:
    """One for each kind among ``neurons``, and ReadOut; codegen.export.onnx_writer says what they compute.

    ``half_start``: the neurons have the attribute of that name; else all of them start at 0.
    """
    kinds = {neuron.kind for neuron in neurons}
    functions = [neuron.function(timesteps, half_start) for kind, neuron in NEURONS.items() if kind in kinds]
    return [*functions, read_out_function()]


def read_out_function() -> onnx.FunctionProto:
    """ReadOut: current [T, ...] float32, bias int32 -> the sum over T of both, int32."""
    nodes = [
        helper.make_node("Cast", ["current"], ["acc"], to=TensorProto.INT32),
        helper.make_node("Add", ["acc", "bias"], ["drive"]),
        helper.make_node("Constant", [], ["axes"], value=numpy_helper.from_array(np.array([0], np.int64))),
        helper.make_node("ReduceSum", ["drive", "axes"], ["logits"], keepdims=0),
    ]
    return helper.make_function(
        DOMAIN,
        READ_OUT,
        ["current", "bias"],
        ["logits"],
        nodes,
        [helper.make_opsetid("", OPSET)],
        attributes=["timesteps"],
    )
