"""The local functions of model.onnx: neurons and read-out, unrolled over T with standard operators of opset 18."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from codegen.dialect import DOMAIN, OPSET, READ_OUT


def local_functions(neurons: Collection[str], timesteps: int, half_start: bool) -> list[onnx.FunctionProto]:
    """IF and LIF where ``neurons`` names them, and ReadOut; codegen.export.onnx_writer says what they compute.

    ``half_start``: the neurons have the attribute of that name; else all of them start at 0.
    """
    functions = [_neuron_function(kind, timesteps, half_start) for kind in ("IF", "LIF") if kind in neurons]
    return [*functions, _read_out_function()]


def _neuron_function(kind: str, timesteps: int, half_start: bool) -> onnx.FunctionProto:
    """IF or LIF over T steps: current [T, ...] float32 or int32 -> spikes float32, integer arithmetic in int32."""
    nodes: list[onnx.NodeProto] = []

    def node(op: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def attribute(name: str) -> str:
        """The int attribute of the calling node as an int32 scalar."""
        constant = helper.make_node("Constant", [], [f"{name}_64"])
        constant.attribute.append(
            onnx.AttributeProto(name="value_int", ref_attr_name=name, type=onnx.AttributeProto.INT)
        )
        nodes.append(constant)
        return node("Cast", [f"{name}_64"], name, to=TensorProto.INT32)

    def shifted(x: str, divisor: str, output: str, suffix: str) -> str:
        """x >> k is (x - Mod(x, 2^k)) / 2^k: Mod takes the sign of the divisor, so it rounds down."""
        node("Mod", [x, divisor], f"remainder_{suffix}")
        node("Sub", [x, f"remainder_{suffix}"], f"multiple_{suffix}")
        return node("Div", [f"multiple_{suffix}", divisor], output)

    node("Constant", [], "zero", value=numpy_helper.from_array(np.array(0, np.int32)))
    node("Constant", [], "two", value=numpy_helper.from_array(np.array(2, np.int32)))
    node("Pow", ["two", attribute("frac_bits")], "one")
    attribute("soft_reset")
    if kind == "LIF":
        node("Pow", ["two", attribute("leak_shift")], "tau")
    node("Cast", ["current"], "acc", to=TensorProto.INT32)
    node("Mul", ["acc", "one"], "scaled")
    node("Add", ["scaled", "bias"], "drive")
    drives = [f"drive_{t}" for t in range(timesteps)]
    if timesteps == 1:
        node("Identity", ["drive"], drives[0])
    else:
        nodes.append(helper.make_node("Split", ["drive"], drives, axis=0, num_outputs=timesteps))
    carried = ""
    if half_start:
        carried = node("Mul", [shifted("threshold", "two", "half", "half"), attribute("half_start")], "initial")
    for t in range(timesteps):
        if not carried:
            potential = drives[0]
        else:
            if kind == "LIF":
                carried = node("Sub", [carried, shifted(carried, "tau", f"leak_{t}", str(t))], f"leaked_{t}")
            potential = node("Add", [carried, drives[t]], f"potential_{t}")
        node("Sub", [potential, "threshold"], f"excess_{t}")
        node("GreaterOrEqual", [f"excess_{t}", "zero"], f"spike_{t}")
        # Soft reset leaves V - threshold, hard reset leaves 0.
        node("Mul", [f"excess_{t}", "soft_reset"], f"reset_{t}")
        carried = node("Where", [f"spike_{t}", f"reset_{t}", potential], f"carried_{t}")
    node("Concat", [f"spike_{t}" for t in range(timesteps)], "train", axis=0)
    node("Cast", ["train"], "spikes", to=TensorProto.FLOAT)
    attributes = ["timesteps", "frac_bits", "soft_reset"]
    attributes += (["leak_shift"] if kind == "LIF" else []) + (["half_start"] if half_start else [])
    return helper.make_function(
        DOMAIN,
        kind,
        ["current", "bias", "threshold"],
        ["spikes"],
        nodes,
        [helper.make_opsetid("", OPSET)],
        attributes=attributes,
    )


def _read_out_function() -> onnx.FunctionProto:
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
