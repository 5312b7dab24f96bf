"""The body of a local function of model.onnx under construction, from standard operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from codegen.dialect import DOMAIN, OPSET


class FunctionBody:
    """Nodes in the order in which they are appended; tensors are named by who appends them."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._attributes: list[str] = []

    def node(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Append a node with one output; returns its name."""
        self._nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def constant(self, name: str, value: int) -> str:
        """An int32 scalar."""
        return self.node("Constant", [], name, value=numpy_helper.from_array(np.array(value, np.int32)))

    def attribute(self, name: str) -> str:
        """The int attribute of the calling node as an int32 scalar; the function declares it."""
        constant = helper.make_node("Constant", [], [f"{name}_64"])
        constant.attribute.append(
            onnx.AttributeProto(name="value_int", ref_attr_name=name, type=onnx.AttributeProto.INT)
        )
        self._nodes.append(constant)
        self._attributes.append(name)
        return self.node("Cast", [f"{name}_64"], name, to=TensorProto.INT32)

    def shifted(self, x: str, divisor: str, output: str, suffix: str) -> str:
        """x >> k is (x - Mod(x, 2^k)) / 2^k: Mod takes the sign of the divisor, so it rounds down."""
        self.node("Mod", [x, divisor], f"remainder_{suffix}")
        self.node("Sub", [x, f"remainder_{suffix}"], f"multiple_{suffix}")
        return self.node("Div", [f"multiple_{suffix}", divisor], output)

    def split(self, x: str, parts: int) -> list[str]:
        """``x_0`` and so on, one for each index of the leading axis, which stays with size 1."""
        outputs = [f"{x}_{index}" for index in range(parts)]
        if parts == 1:
            self.node("Identity", [x], outputs[0])
        else:
            self._nodes.append(helper.make_node("Split", [x], outputs, axis=0, num_outputs=parts))
        return outputs

    def function(
        self, name: str, inputs: Sequence[str], outputs: Sequence[str], attributes: Sequence[str]
    ) -> onnx.FunctionProto:
        """The function; its attributes are the given ones and those that the body has asked for."""
        opset = helper.make_opsetid("", OPSET)
        declared = [*attributes, *self._attributes]
        return helper.make_function(DOMAIN, name, inputs, outputs, self._nodes, [opset], attributes=declared)
