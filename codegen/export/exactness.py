"""Whether float32 and int32 hold every value that a model.onnx can compute: bounds of all tensors, node by node."""

from __future__ import annotations

from functools import partial
from math import prod

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, numpy_helper

from codegen.arithmetic.ranges import Interval, acc_range, signed_bits, widths_of_sum
from codegen.dialect import FLOAT_EXACT, INT_BITS, PIXEL_MAX
from codegen.errors import ExportError
from codegen.neurons import NEURONS
from codegen.onnx_nodes import attribute, describe, is_neuron, is_read_out

_CHANNEL_AXIS = 2
"""Of [T, N, channels, ...]."""


def check_exact(graph: GraphProto) -> None:
    """Raise ExportError at the first node whose float32 or int32 does not hold every value that it can be given.

    ``graph``: of a batch of one frame, with types and shapes of all tensors, its constants initializers and its weights
    integers. Products are summed in any order, so the sum of their magnitudes has to fit.
    """
    walk = _Walk(graph)
    for node in graph.node:
        walk.visit(node)


def frame_of(model: ModelProto) -> ModelProto:
    """A model of an open batch for a batch of one, with types and shapes of all tensors.

    Raises onnx.shape_inference.InferenceError where they do not fit together.
    """
    frame = ModelProto()
    frame.CopyFrom(model)
    del frame.graph.value_info[:]
    for entry in (*frame.graph.input, *frame.graph.output):
        entry.type.tensor_type.shape.dim[0].dim_value = 1
    return onnx.shape_inference.infer_shapes(frame, check_type=True, strict_mode=True, data_prop=True)


class _Walk:
    """Bounds of the tensors so far: of each channel where a tensor has an axis of channels, else of all of it."""

    def __init__(self, graph: GraphProto) -> None:
        self._constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        known = [*graph.value_info, *graph.output, *graph.input]
        self._types = {entry.name: entry.type.tensor_type.elem_type for entry in known}
        self._shapes = {
            entry.name: tuple(size.dim_value for size in entry.type.tensor_type.shape.dim) for entry in known
        }
        self._bounds = {entry.name: _range(0, PIXEL_MAX) for entry in graph.input}

    def visit(self, node: NodeProto) -> None:
        """Find the bounds of a node's output; raises ExportError where they are too wide."""
        result = self._result(node)
        name, largest = node.output[0], max(-int(result.low.min()), int(result.high.max()))
        if self._types[name] == TensorProto.FLOAT and largest >= FLOAT_EXACT:
            raise ExportError(_beyond_float(node, largest))
        if self._types[name] == TensorProto.INT32 and signed_bits(result.low, result.high) > INT_BITS:
            raise ExportError(
                f"{describe(node)}: a sum of {largest} is possible, but additions have {INT_BITS} bits; bring the "
                "scales of what it adds closer together"
            )
        self._bounds[name] = result

    def _result(self, node: NodeProto) -> Interval:
        if is_neuron(node) or is_read_out(node):
            return self._checked_neurons(node)
        if node.op_type in ("Conv", "MatMul"):
            return self._product(node)
        if node.op_type in ("Add", "Mul"):
            rank = len(self._shapes[node.output[0]])
            return _combined(node.op_type, *(self._of(name, rank) for name in node.input))
        first = self._of(node.input[0])
        if node.op_type == "LpPool":
            return first.times(prod(attribute(node, "kernel_shape")))
        before, after = self._shapes[node.input[0]], self._shapes[node.output[0]]
        if node.op_type == "ReduceSum":
            return _hull(first).times(prod(before) // prod(after))
        # Time in front of the channels leaves each of them its own bounds.
        keeps_channels = node.op_type != "Transpose" and (before == after or after[2:] == before[1:])
        return first if keeps_channels or node.op_type in ("Expand", "MaxPool") else _hull(first)

    def _of(self, tensor: str, rank: int = 0) -> Interval:
        """Bounds of a tensor; of a constant those of each channel, if it has one value for each.

        ``rank``: of the tensor [T, N, channels, ...] that it is combined with.
        """
        if tensor in self._bounds:
            return self._bounds[tensor]
        values = self._constants[tensor].astype(np.int64)
        if values.ndim == rank - _CHANNEL_AXIS and len(values) == values.size:
            return Interval(values.reshape(-1), values.reshape(-1))
        return _range(int(values.min()), int(values.max()))

    def _product(self, node: NodeProto) -> Interval:
        weights, inputs = self._constants[node.input[1]], _hull(self._of(node.input[0]))
        matrix = weights.reshape(len(weights), -1) if node.op_type == "Conv" else weights.T
        largest = max(-int(inputs.low[0]), int(inputs.high[0]))
        reach = np.abs(matrix).sum(axis=1, dtype=np.float64) * largest
        if reach.max() >= FLOAT_EXACT:
            raise ExportError(_beyond_float(node, int(reach.max())))
        if inputs.low[0] < 0:
            return Interval(-reach.astype(np.int64), reach.astype(np.int64))
        return acc_range(matrix.astype(np.int64), largest)

    def _checked_neurons(self, node: NodeProto) -> Interval:
        """Bounds of what neurons or the read-out give; raises ExportError where int32 does not hold their values."""
        constants = [self._constants[name].reshape(-1).astype(np.int64) for name in node.input[1:]]
        timesteps, total = attribute(node, "timesteps"), self._of(node.input[0])
        if is_read_out(node):
            (bias,) = constants
            widths = widths_of_sum(total, timesteps, None, bias, np.zeros_like(bias))
            if widths.output_bits > INT_BITS:
                raise ExportError(
                    f"{describe(node)}: its logits need {widths.output_bits} bits, int32 has {INT_BITS}; use fewer "
                    f"time steps (now {timesteps})"
                )
            return _range(-(1 << (widths.output_bits - 1)), (1 << (widths.output_bits - 1)) - 1)
        bias, threshold = constants
        neuron = NEURONS[node.op_type].from_attributes(partial(attribute, node))
        needed = signed_bits(total.low << neuron.frac_bits, total.high << neuron.frac_bits)
        if needed <= INT_BITS:  # else the bounds of the potential might leave 64 bits
            widths = widths_of_sum(total, timesteps, neuron, bias, threshold)
            # The body of the function computes potential - threshold, one bit wider than both.
            needed = max(widths.potential_bits, widths.threshold_bits) + 1
        if needed > INT_BITS:
            raise ExportError(
                f"{describe(node)}: its neuron needs {needed} bits, int32 has {INT_BITS}; use fewer fractional bits "
                f"(now {neuron.frac_bits}) or time steps (now {timesteps})"
            )
        return _range(0, 1)


def _beyond_float(node: NodeProto, reach: int) -> str:
    return (
        f"{describe(node)}: a sum of {reach} is possible, but float32 is exact only below {FLOAT_EXACT}; use fewer "
        "weight bits or fewer inputs"
    )


def _range(low: int, high: int) -> Interval:
    return Interval(np.array([low], np.int64), np.array([high], np.int64))


def _hull(interval: Interval) -> Interval:
    return Interval(interval.low.min(keepdims=True), interval.high.max(keepdims=True))


def _combined(op_type: str, first: Interval, second: Interval) -> Interval:
    """Bounds of sums or products of two tensors."""
    if 1 not in (len(first.low), len(second.low)) and len(first.low) != len(second.low):
        first, second = _hull(first), _hull(second)
    if op_type == "Add":
        return first.plus(second)
    ends = [one * other for one in (first.low, first.high) for other in (second.low, second.high)]
    return Interval(np.minimum.reduce(ends), np.maximum.reduce(ends))
