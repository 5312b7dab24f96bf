"""CheckMappable: name everything that no hardware core implements, before anything is generated."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from codegen.dataflow.passes.graph import data_inputs
from codegen.dataflow.passes.infer_pools import POOLS
from codegen.dataflow.passes.stream_kinds import graph_problems
from codegen.dialect import EVENT_DIMENSIONS
from codegen.errors import MappingError
from codegen.onnx_nodes import attribute, describe, reshape_kind

IMAGE_TO_FEATURE_MAP = (0, 3, 1, 2)
"""NHWC pixels to the NCHW that ONNX convolutions read."""

EVENTS_TO_FEATURE_MAP = (1, 0, 4, 2, 3)
"""The same of event frames [N, T, H, W, C], with time in front."""

CHANNEL_AXIS = 2
"""Of a current [T, batch, channels, ...]."""

MAP_AXES = (2, 3)
"""Of a feature map [T, channels, height, width]."""

GLUE = ("Cast", "Identity", "Transpose", "Reshape", "Unsqueeze", "Expand")


class CheckMappable(Transformation):
    """Raise one MappingError that names every node which cannot be mapped, each with its reason.

    The graph must lead from one image, or its event frames, to one logits tensor, made of Conv and MatMul, functions of
    neurons and ReadOut, additions of sums and spikes times powers of two with a
    sign per channel behind them, non-overlapping MaxPool, LpPool with p = 1, a ReduceSum over the map before the
    read-out, and the reshapes that carry time as a leading axis (codegen.export.onnx_writer). What holds
    for every model.onnx, ``codegen.export.onnx_reader`` has checked, and has inferred the shapes for a batch of one.
    Changes nothing.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        problems: list[str] = []
        for node in model.graph.node:
            # Shapes behind a node that cannot be mapped follow from it and are no problems of their own.
            reason = _node_problem(model, node) or (None if problems else _shape_problem(model, node))
            if reason:
                problems.append(f"{describe(node)}: {reason}")
        # The graph only means something once every node does.
        problems = problems or graph_problems(model)
        if problems:
            raise MappingError(
                f"{len(problems)} node{'s' * (len(problems) > 1)} of the ONNX graph cannot be mapped to hardware: "
                + "; ".join(problems)
            )
        return model, False


def _node_problem(model: ModelWrapper, node: NodeProto) -> str | None:
    """Why the node cannot be mapped whatever its shapes, or None."""
    expected = 2 if node.op_type == "Add" and not node.domain else 1
    if len(data_inputs(model, node)) != expected:
        return f"it reads {len(data_inputs(model, node))} streams, {expected} can be"
    if node.op_type == "Conv":
        return _convolution_problem(model, node)
    if node.op_type in POOLS:
        return _pool_problem(node)
    if node.op_type == "ReduceSum":
        return _map_sum_problem(model, node)
    if node.op_type == "Mul":
        return _factor_problem(model, node)
    return None


def _shape_problem(model: ModelWrapper, node: NodeProto) -> str | None:
    """Why the node cannot be mapped with the shapes it has, or None."""
    if node.op_type == "Conv":
        return _map_problem(model, node)
    if node.op_type == "MatMul":
        shape = model.get_tensor_shape(node.input[0])
        return None if len(shape) < 4 else f"its input {shape} is not a batch of vectors"
    if node.op_type == "ReduceSum":
        shape = model.get_tensor_shape(node.input[0])
        return None if len(shape) == 4 else f"its input {shape} is not a batch of feature maps"
    if node.op_type == "Add":
        shapes = [model.get_tensor_shape(name) for name in node.input]
        return None if shapes[0] == shapes[1] else f"it adds {shapes[0]} and {shapes[1]}, which differ"
    if node.op_type == "Mul":
        return _sign_shape_problem(model, node)
    return _glue_problem(model, node) if node.op_type in GLUE else None


def _convolution_problem(model: ModelWrapper, node: NodeProto) -> str | None:
    if attribute(node, "group", 1) != 1:
        return f"grouped convolution (group={attribute(node, 'group')}) is not supported"
    if any(step != 1 for step in attribute(node, "dilations", ())):
        return f"dilation {attribute(node, 'dilations')} is not supported"
    if attribute(node, "auto_pad", "NOTSET") != "NOTSET":
        return f"auto_pad={attribute(node, 'auto_pad')} is not supported, write pads"
    weights = model.get_initializer(node.input[1])
    if weights.ndim != 4:
        return f"a convolution over {weights.ndim - 2} dimensions is not supported, only over two"
    strides = attribute(node, "strides", (1, 1))
    if strides[0] != strides[1]:
        return f"strides {strides} are not supported, only equal ones"
    return None


def _map_problem(model: ModelWrapper, node: NodeProto) -> str | None:
    rows, columns = model.get_initializer(node.input[1]).shape[2:]
    pads = attribute(node, "pads", (0, 0, 0, 0))
    shape = model.get_tensor_shape(node.input[0])
    if len(shape) != 4:
        return f"its input {shape} is not a batch of feature maps"
    padded = shape[2] + pads[0] + pads[2], shape[3] + pads[1] + pads[3]
    if padded[0] < rows or padded[1] < columns:
        return f"kernel {rows}x{columns} is larger than its padded {shape[2]}x{shape[3]} map"
    return None


def _pool_problem(node: NodeProto) -> str | None:
    if node.op_type == "LpPool" and attribute(node, "p", 2) != 1:
        return f"a norm of p={attribute(node, 'p', 2)} is not supported, only sums (p=1)"
    kernel = attribute(node, "kernel_shape")
    strides = attribute(node, "strides", (1,) * len(kernel))
    if len(kernel) != 2 or kernel[0] != kernel[1]:
        return f"a pooling window {kernel} is not supported, only square ones"
    if tuple(strides) != tuple(kernel):
        return f"overlapping pooling (window {kernel}, strides {strides}) is not supported"
    if any(attribute(node, "pads", ())) or attribute(node, "auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return "padding in the pooling is not supported"
    if attribute(node, "ceil_mode", 0) or any(step != 1 for step in attribute(node, "dilations", ())):
        return "ceil_mode and dilations in the pooling are not supported"
    return None


def _map_sum_problem(model: ModelWrapper, node: NodeProto) -> str | None:
    axes = model.get_initializer(node.input[1]) if len(node.input) > 1 else None
    if axes is None or tuple(sorted(axes.tolist())) != MAP_AXES or attribute(node, "keepdims", 1):
        return f"only sums over the axes {MAP_AXES} of a map, without keepdims, are supported"
    return None


def _factor_problem(model: ModelWrapper, node: NodeProto) -> str | None:
    """Either one power of two, or -1, 0 or 1 for each channel."""
    values = model.get_initializer(node.input[1])
    if values is None:
        return "it multiplies by something that is no constant behind its input"
    if values.ndim == 0:
        factor = int(values)
        return None if factor > 0 and factor & (factor - 1) == 0 else f"its factor {values} is no power of two"
    return None if np.isin(values, (-1, 0, 1)).all() else "its signs are not all -1, 0 or 1"


def _sign_shape_problem(model: ModelWrapper, node: NodeProto) -> str | None:
    values, shape = model.get_initializer(node.input[1]), model.get_tensor_shape(node.input[0])
    if values.ndim == 0:
        return None
    if values.shape != (shape[CHANNEL_AXIS], *[1] * (len(shape) - CHANNEL_AXIS - 1)):
        return f"its signs {list(values.shape)} are not one per channel of {shape}"
    return None


def _glue_problem(model: ModelWrapper, node: NodeProto) -> str | None:
    """Reshapes may only move the time axis or flatten a feature map (batch of one)."""
    before, after = (model.get_tensor_shape(name) for name in (node.input[0], node.output[0]))
    if node.op_type == "Cast":
        exact = (onnx.TensorProto.FLOAT, onnx.TensorProto.INT32)
        return None if attribute(node, "to") in exact else "it casts to a type that does not hold the integers"
    if node.op_type == "Identity":
        return None
    if node.op_type == "Transpose":
        expected = EVENTS_TO_FEATURE_MAP if len(before) == EVENT_DIMENSIONS else IMAGE_TO_FEATURE_MAP
        allowed = attribute(node, "perm") == expected
        return None if allowed else f"perm={attribute(node, 'perm')} is not supported, only {expected}"
    if node.op_type == "Unsqueeze":
        leads = after == [1, *before] and model.get_initializer(node.input[1]) == 0
        return None if leads else f"{before} to {after} does not add the time axis"
    if node.op_type == "Expand":
        return None if after[1:] == before[1:] and before[0] == 1 else f"{before} to {after} does not repeat time steps"
    if reshape_kind(before, after):
        return None
    return f"{before} to {after} neither moves the time axis nor flattens a feature map"
