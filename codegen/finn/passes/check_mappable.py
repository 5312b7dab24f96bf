"""CheckMappable: name everything that no hardware core implements, before anything is generated."""

from __future__ import annotations

from functools import partial

import onnx
from onnx import NodeProto
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from codegen.core.sum_pool import sum_step_bits
from codegen.dialect import (
    EVENT_DIMENSIONS,
    FRAME_DIMENSIONS,
    MAX_STEP_BITS,
    MAX_TIMESTEPS,
    PIXEL_BITS,
    SUM_SUFFIX,
)
from codegen.errors import MappingError
from codegen.finn.passes.graph import attribute, is_neuron, is_read_out
from codegen.finn.passes.infer_pools import POOLS
from codegen.neurons import NEURONS

IMAGE_TO_FEATURE_MAP = (0, 3, 1, 2)
"""NHWC pixels to the NCHW that ONNX convolutions read."""

EVENTS_TO_FEATURE_MAP = (1, 0, 4, 2, 3)
"""The same of event frames [N, T, H, W, C], with time in front."""

CHANNEL_AXIS = 2
"""Of a current [T, batch, channels, ...]."""

MAP_AXES = (2, 3)
"""Of a feature map [T, channels, height, width]."""

ARITHMETIC = ("Conv", "MatMul")
GLUE = ("Cast", "Identity", "Transpose", "Reshape", "Unsqueeze", "Expand")


class CheckMappable(Transformation):
    """Raise one MappingError that names every node which cannot be mapped, each with its reason.

    Where the network has parts that the exporter writes and no core implements yet, those are named instead.

    The graph must be a chain from one image, or its event frames, to one logits tensor, made of Conv and MatMul with
    constant integer weights, functions of neurons and ReadOut, non-overlapping MaxPool, LpPool with p = 1, a ReduceSum
    over the map before the read-out, and the reshapes that carry time as a leading axis (codegen.export.onnx_writer).
    Shapes must have been inferred for a batch of one. Changes nothing.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        parts = _parts_without_core(model)
        if parts:
            raise MappingError(
                f"the network has parts for which there is no hardware core yet: {'; '.join(parts)} (it runs in ONNX "
                "Runtime only)"
            )
        problems: list[str] = []
        for node in model.graph.node:
            # Shapes behind a node that cannot be mapped follow from it and are no problems of their own.
            reason = _node_problem(model, node) or (None if problems else _shape_problem(model, node))
            if reason:
                problems.append(f"{_describe(node)}: {reason}")
        # The chain only means something once every node does.
        problems = problems or _chain_problems(model)
        if problems:
            raise MappingError(
                f"{len(problems)} node{'s' * (len(problems) > 1)} of the ONNX graph cannot be mapped to hardware: "
                + "; ".join(problems)
            )
        return model, False


def _parts_without_core(model: ModelWrapper) -> list[str]:
    """Parts of a network of ours that only ONNX Runtime computes, in the words of who trained it."""
    graph = model.graph
    additions = [
        node.name.removesuffix(SUM_SUFFIX)
        for node in graph.node
        if node.op_type == "Add" and node.name.endswith(SUM_SUFFIX) and len(_data_inputs(model, node)) > 1
    ]
    return [f"residual addition {', '.join(map(repr, additions))}"] if additions else []


def _describe(node: NodeProto) -> str:
    operator = f"{node.domain}::{node.op_type}" if node.domain else node.op_type
    return f"{operator} {(node.name or node.output[0])!r}"


def _node_problem(model: ModelWrapper, node: NodeProto) -> str | None:
    """Why the node cannot be mapped whatever its shapes, or None."""
    if len(_data_inputs(model, node)) != 1:
        return "it joins several streams, only chains are supported"
    if is_neuron(node) or is_read_out(node):
        return _neuron_problem(model, node)
    if node.domain:
        return "unknown operator"
    if node.op_type == "Conv":
        return _convolution_problem(model, node)
    if node.op_type == "MatMul":
        return _weights_problem(model, node)
    if node.op_type in POOLS:
        return _pool_problem(node)
    if node.op_type == "ReduceSum":
        return _map_sum_problem(model, node)
    return None if node.op_type in GLUE else "unsupported operator"


def _shape_problem(model: ModelWrapper, node: NodeProto) -> str | None:
    """Why the node cannot be mapped with the shapes it has, or None."""
    if is_neuron(node) or is_read_out(node):
        return _neuron_shape_problem(model, node)
    if node.op_type == "Conv":
        return _map_problem(model, node)
    if node.op_type == "ReduceSum":
        shape = model.get_tensor_shape(node.input[0])
        return None if shape is not None and len(shape) == 4 else f"its input {shape} is not a batch of feature maps"
    return _glue_problem(model, node) if node.op_type in GLUE else None


def _data_inputs(model: ModelWrapper, node: NodeProto) -> list[str]:
    return [name for name in node.input if name and model.get_initializer(name) is None]


def _weights_problem(model: ModelWrapper, node: NodeProto) -> str | None:
    weights = model.get_initializer(node.input[1])
    if weights is None:
        return "its weights are not a constant"
    datatype = model.get_tensor_datatype(node.input[1])
    if not (datatype.is_integer() and datatype.signed()):
        return f"its weights are annotated {datatype}, not as signed integers"
    if not datatype.allowed(weights).all():
        return f"its weights are not all {datatype}"
    return None


def _convolution_problem(model: ModelWrapper, node: NodeProto) -> str | None:
    if len(node.input) > 2:
        return "a bias on the convolution is not supported, it belongs to the neuron"
    if attribute(node, "group", 1) != 1:
        return f"grouped convolution (group={attribute(node, 'group')}) is not supported"
    if any(step != 1 for step in attribute(node, "dilations", ())):
        return f"dilation {attribute(node, 'dilations')} is not supported"
    if attribute(node, "auto_pad", "NOTSET") != "NOTSET":
        return f"auto_pad={attribute(node, 'auto_pad')} is not supported, write pads"
    weights = model.get_initializer(node.input[1])
    if weights is None:
        return "its weights are not a constant"
    if weights.ndim != 4:
        return f"a convolution over {weights.ndim - 2} dimensions is not supported, only over two"
    kernel, strides = weights.shape[2:], attribute(node, "strides", (1, 1))
    pads = attribute(node, "pads", (0, 0, 0, 0))
    if kernel[0] != kernel[1]:
        return f"a {kernel[0]}x{kernel[1]} kernel is not supported, only square ones"
    if strides[0] != strides[1]:
        return f"strides {strides} are not supported, only equal ones"
    if len(set(pads)) != 1:
        return f"pads {pads} are not supported, only the same on all four sides"
    return _weights_problem(model, node)


def _map_problem(model: ModelWrapper, node: NodeProto) -> str | None:
    kernel = model.get_initializer(node.input[1]).shape[2:]
    strides, pads = attribute(node, "strides", (1, 1)), attribute(node, "pads", (0, 0, 0, 0))
    shape = model.get_tensor_shape(node.input[0])
    if shape is None or len(shape) != 4:
        return f"its input {shape} is not a batch of feature maps"
    if min(shape[2:]) + 2 * pads[0] < max(kernel[0], strides[0]):
        return f"kernel {kernel[0]} or stride {strides[0]} is larger than its padded {shape[2]}x{shape[3]} map"
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


def _neuron_problem(model: ModelWrapper, node: NodeProto) -> str | None:
    expected = 3 if is_neuron(node) else 2
    if len(node.input) != expected or any(model.get_initializer(name) is None for name in node.input[1:]):
        return f"it needs {expected - 1} constants after the current"
    timesteps = attribute(node, "timesteps")
    if timesteps is None or not 1 <= timesteps <= MAX_TIMESTEPS:
        return f"timesteps={timesteps} is outside 1..{MAX_TIMESTEPS}"
    return NEURONS[node.op_type].attribute_problem(partial(attribute, node)) if is_neuron(node) else None


def _neuron_shape_problem(model: ModelWrapper, node: NodeProto) -> str | None:
    timesteps = attribute(node, "timesteps")
    shape = model.get_tensor_shape(node.input[0])
    if shape is None or tuple(shape[:2]) != (timesteps, 1):
        return f"its input {shape} does not lead with its {timesteps} time steps of one frame"
    channels = shape[CHANNEL_AXIS]
    if any(model.get_initializer(name).size != channels for name in node.input[1:]):
        return f"its constants are not one per channel ({channels})"
    return None


def _glue_problem(model: ModelWrapper, node: NodeProto) -> str | None:
    """Reshapes may only move the time axis or flatten a feature map (batch of one)."""
    before, after = (model.get_tensor_shape(name) for name in (node.input[0], node.output[0]))
    if before is None or after is None:
        return "its shapes cannot be inferred"
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
        return None if after == [1, *before] else f"{before} to {after} does not add the time axis"
    if node.op_type == "Expand":
        return None if after[1:] == before[1:] and before[0] == 1 else f"{before} to {after} does not repeat time steps"
    splits_time = len(after) >= 2 and after[1] == 1 and [after[0], *after[2:]] == before
    joins_time = len(before) >= 2 and before[1] == 1 and [before[0], *before[2:]] == after
    flattens = len(before) == 4 and len(after) == 2 and after[0] == before[0]
    if splits_time or joins_time or flattens:
        return None
    return f"{before} to {after} neither moves the time axis nor flattens a feature map"


def _chain_problems(model: ModelWrapper) -> list[str]:
    """Branches, and layers whose neuron is missing or in the wrong place."""
    graph = model.graph
    inputs = [entry.name for entry in graph.input if model.get_initializer(entry.name) is None]
    if len(inputs) != 1 or len(graph.output) != 1:
        return [f"the graph has inputs {inputs} and {len(graph.output)} outputs, one of each is supported"]
    if len(model.get_tensor_shape(inputs[0]) or ()) not in (1 + FRAME_DIMENSIONS, EVENT_DIMENSIONS):
        return [
            f"input {inputs[0]!r} has shape {model.get_tensor_shape(inputs[0])}, not [batch, height, width, channels] "
            "or [batch, T, height, width, channels]"
        ]
    datatype = model.get_tensor_datatype(inputs[0])
    if datatype.is_integer() and datatype != DataType[f"UINT{PIXEL_BITS}"]:
        return [f"input {inputs[0]!r} is annotated {datatype}, only UINT{PIXEL_BITS} is possible"]
    for node in graph.node:
        consumers = model.find_consumers(node.output[0]) or []
        if len(consumers) > 1:
            names = ", ".join(_describe(consumer) for consumer in consumers)
            return [f"{_describe(node)}: its output branches to {names}, only chains are supported"]
    problems = []
    pending: NodeProto | None = None
    summed: NodeProto | None = None
    layout_given = static_done = False
    step_bits = 1
    for node in graph.node:
        if node.op_type == "Transpose":
            if layout_given or pending or static_done:
                problems.append(f"{_describe(node)}: only the image may be transposed, once")
            layout_given = True
        if node.op_type in ARITHMETIC and not node.domain:
            if pending is not None:
                problems.append(f"{_describe(pending)}: no neuron follows it")
            pending = node
        elif is_neuron(node) or is_read_out(node):
            if pending is None:
                problems.append(f"{_describe(node)}: no Conv or MatMul before it")
            if summed is not None and is_neuron(node):
                problems.append(f"{_describe(summed)}: only a read-out can follow it, not {_describe(node)}")
            pending, summed, static_done, step_bits = None, None, True, 1
        elif node.op_type in (*POOLS, "ReduceSum") and (pending or summed or not static_done):
            what = "pooled" if node.op_type in POOLS else "summed over the map"
            problems.append(f"{_describe(node)}: only spikes can be {what}, it must follow a neuron")
        elif node.op_type == "ReduceSum":
            summed = node
        elif node.op_type == "MaxPool" and step_bits > 1:
            problems.append(f"{_describe(node)}: only spikes can be pooled by their maximum, not their sums")
        elif node.op_type == "LpPool":
            step_bits = sum_step_bits(attribute(node, "kernel_shape")[0], step_bits)
            if step_bits > MAX_STEP_BITS:
                problems.append(
                    f"{_describe(node)}: its sums take {step_bits} bits of each step, {MAX_STEP_BITS} are possible"
                )
    if pending is not None:
        problems.append(f"{_describe(pending)}: no neuron follows it")
    if not layout_given:
        problems.append(f"input {inputs[0]!r}: it is not transposed to channels first")
    last = model.find_producer(graph.output[0].name)
    if last is None or not is_read_out(last):
        problems.append(f"output {graph.output[0].name!r}: it is not a ReadOut")
    return problems
