"""InferSpikingMVAU: a matrix product and the neuron behind it become one SpikingMVAU."""

from __future__ import annotations

from functools import partial

import numpy as np
from onnx import NodeProto, TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from codegen.arithmetic.ranges import layer_widths
from codegen.dialect import PIXEL_BITS, PIXEL_MAX
from codegen.finn.passes.graph import attribute, dataflow_node, is_neuron, is_read_out, replace, set_tensor
from codegen.neurons import NEURONS, NO_NEURON, Constants, Neuron


class InferSpikingMVAU(Transformation):
    """Turn MatMul + neuron or ReadOut into SpikingMVAU, with every width recomputed from the constants (unfolded).

    A ReduceSum over the map before a read-out goes into it: the core counts the spikes of the map.
    Pools must have been inferred: behind a sum pooling there are as many bits of each step as its sums need.
    The first one reads pixels: a static input, or event frames with 8 bits of each step.
    Parallelism is SIMD = PE = 1 and TP = T until a folding is applied.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for node in model.graph.node:
            if node.op_type != "MatMul":
                continue
            neuron = model.find_consumer(node.output[0])
            if neuron is not None and (is_neuron(neuron) or is_read_out(neuron)):
                self._fuse(model, node, neuron)
                return model, True
        return model, False

    def _fuse(self, model: ModelWrapper, product: NodeProto, neuron: NodeProto) -> None:
        x, weights_name = product.input
        summed = model.find_producer(x)
        before = [summed] if summed is not None and summed.op_type == "ReduceSum" else []
        map_pixels = 1
        if before:
            x = before[0].input[0]
            map_pixels = int(np.prod(model.get_tensor_shape(x)[1:3]))
        bias_name = neuron.input[1]
        in_shape, out_shape = model.get_tensor_shape(x), model.get_tensor_shape(product.output[0])
        in_datatype, weight_datatype = (model.get_tensor_datatype(name) for name in (x, weights_name))
        weights = model.get_initializer(weights_name)
        bias = _constant(model, bias_name)
        threshold_name = neuron.input[2] if is_neuron(neuron) else f"{neuron.name}_threshold"
        threshold = _constant(model, threshold_name) if is_neuron(neuron) else np.zeros_like(bias)
        timesteps = attribute(neuron, "timesteps")
        dynamics = NEURONS[neuron.op_type].from_attributes(partial(attribute, neuron)) if is_neuron(neuron) else None
        reads_pixels = not _carries_spikes(model, x)
        static_input = reads_pixels and in_datatype.bitwidth() == PIXEL_BITS
        widths = layer_widths(
            Constants(weights.T.astype(np.int64), bias, threshold),
            largest_input=_largest_value(model, x),
            timesteps=timesteps,
            neuron=dynamics,
            map_pixels=map_pixels,
        )
        out_datatype = DataType[f"INT{widths.output_bits}" if dynamics is None else f"UINT{timesteps}"]
        fused = dataflow_node(
            "SpikingMVAU",
            [x, weights_name, bias_name, threshold_name],
            neuron.output[0],
            product.name,
            layer=product.name,
            MW=weights.shape[0],
            MH=weights.shape[1],
            SIMD=1,
            PE=1,
            T=timesteps,
            TP=timesteps,
            inputDataType=in_datatype.name,
            weightDataType=weight_datatype.name,
            outputDataType=out_datatype.name,
            accBits=widths.acc_bits,
            potentialBits=widths.potential_bits,
            biasBits=widths.bias_bits,
            thresholdBits=widths.threshold_bits,
            **_neuron_attributes(dynamics),
            staticInput=int(static_input),
            inputShape=list(in_shape),
            numInputVectors=list(out_shape[:-1]),
            memStyle="block",
            mapPixels=map_pixels,
            stepBits=1 if static_input else in_datatype.bitwidth() // timesteps,
            readsEvents=int(reads_pixels and not static_input),
        )
        replace(model.graph, [*before, product, neuron], [fused])
        for name, values in ((bias_name, bias), (threshold_name, threshold)):
            model.set_initializer(name, values)
        if neuron.output[0] == model.graph.output[0].name:
            output = helper.make_tensor_value_info(neuron.output[0], TensorProto.FLOAT, list(out_shape))
            model.graph.output[0].CopyFrom(output)
        else:
            set_tensor(model, neuron.output[0], tuple(out_shape))
        model.set_tensor_datatype(neuron.output[0], out_datatype)


def _constant(model: ModelWrapper, name: str) -> np.ndarray:
    """One int64 per channel."""
    return np.asarray(model.get_initializer(name)).reshape(-1).astype(np.int64)


def _neuron_attributes(neuron: Neuron | None) -> dict[str, str | int]:
    """The attributes of a node with these neurons; None is the read-out."""
    if neuron is None:
        return {"neuron": NO_NEURON, "leakShift": 0, "resetMode": "hard", "fracBits": 0, "halfStart": 0}
    return {
        "neuron": neuron.kind,
        "leakShift": neuron.leak_shift,
        "resetMode": neuron.reset,
        "fracBits": neuron.frac_bits,
        "halfStart": int(neuron.half_start),
    }


def _largest_value(model: ModelWrapper, tensor: str) -> int:
    """The largest value at a step of what a layer reads: a pixel's, a spike, or a sum of spikes."""
    producer = model.find_producer(tensor)
    if producer is None:
        return PIXEL_MAX
    if is_neuron(producer) or producer.op_type == "SpikingMVAU":
        return 1
    largest = _largest_value(model, producer.input[0])
    return largest * attribute(producer, "KernelSize") ** 2 if producer.op_type == "SumPool" else largest


def _carries_spikes(model: ModelWrapper, tensor: str) -> bool:
    """Whether a neuron stands somewhere before the tensor; else it holds pixels."""
    producer = model.find_producer(tensor)
    while producer is not None:
        if is_neuron(producer) or producer.op_type == "SpikingMVAU":
            return True
        producer = model.find_producer(producer.input[0])
    return False
