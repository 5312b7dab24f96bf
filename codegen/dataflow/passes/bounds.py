"""The values that tensors of a graph in the making can hold at a step, from the constants before them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper

from codegen.arithmetic.ranges import Interval, acc_range
from codegen.dialect import PIXEL_MAX
from codegen.neurons import SUMS
from codegen.onnx_nodes import attribute, is_neuron


def largest_value(model: ModelWrapper, tensor: str) -> int:
    """The largest value at a step of what a layer reads: a pixel's, a spike, or a sum of spikes."""
    producer = model.find_producer(tensor)
    if producer is None:
        return PIXEL_MAX
    if _holds_neurons(producer):
        return 1
    largest = largest_value(model, producer.input[0])
    return largest * attribute(producer, "KernelSize") ** 2 if producer.op_type == "SumPool" else largest


def carries_spikes(model: ModelWrapper, tensor: str) -> bool:
    """Whether a neuron stands somewhere before the tensor; else it holds pixels."""
    producer = model.find_producer(tensor)
    while producer is not None:
        if _holds_neurons(producer):
            return True
        producer = model.find_producer(producer.input[0])
    return False


def _holds_neurons(node: NodeProto) -> bool:
    """Whether the node is a neuron, or a core that has neurons in it."""
    return is_neuron(node) or node.op_type in ("SpikingMVAU", "NeuronBank")


def is_sum(model: ModelWrapper, tensor: str) -> bool:
    """Whether the tensor holds signed sums, not spikes, counts or pixels."""
    producer = model.find_producer(tensor)
    if producer is None:
        return False
    return producer.op_type == "ResidualAdd" or attribute(producer, "neuron") == SUMS


def is_static(model: ModelWrapper, tensor: str) -> bool:
    """Whether the tensor holds sums that are the same at every step: of a static image."""
    producer = model.find_producer(tensor)
    if producer is None or not is_sum(model, tensor):
        return False
    if producer.op_type == "ResidualAdd":
        return bool(attribute(producer, "firstStatic") and attribute(producer, "secondStatic"))
    return bool(attribute(producer, "staticInput"))


def sum_bounds(model: ModelWrapper, tensor: str, channels: int) -> Interval:
    """Bounds of each channel [channels] of spikes, counts or sums at a step."""
    producer = model.find_producer(tensor)
    if producer is not None and attribute(producer, "neuron") == SUMS:
        weights = model.get_initializer(producer.input[1])
        return acc_range(weights.T.astype(np.int64), largest_value(model, producer.input[0]))
    if producer is not None and producer.op_type == "ResidualAdd":
        return added_bounds(
            [sum_bounds(model, name, channels) for name in producer.input], attribute(producer, "factors")
        )
    zero = np.zeros(channels, np.int64)
    return Interval(zero, zero + largest_value(model, tensor))


def added_bounds(terms: Sequence[Interval], factors: Sequence[int]) -> Interval:
    """Bounds of the sum of two terms, each times its factor."""
    first, second = (term.times(factor) for term, factor in zip(terms, factors, strict=True))
    return first.plus(second)
