"""InferSpikingMVAU: a matrix product becomes a SpikingMVAU, with the neuron behind it where that is its only reader."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from codegen.arithmetic.ranges import LayerWidths, layer_widths, sum_widths
from codegen.dataflow.passes.bounds import carries_spikes, largest_value
from codegen.dataflow.passes.graph import dataflow_node, replace, set_tensor, timesteps_of
from codegen.dialect import PIXEL_BITS
from codegen.neurons import NEURONS, NO_NEURON, SUMS, Constants, Neuron
from codegen.onnx_nodes import attribute, is_neuron, is_read_out


class InferSpikingMVAU(Transformation):
    """Turn MatMul + neuron or ReadOut into SpikingMVAU, with every width recomputed from the constants (unfolded).

    A MatMul whose sums go elsewhere, to an addition or to several readers, becomes one that gives its sums.
    A ReduceSum over the map before a read-out goes into it: the core counts the spikes of the map.
    Pools must have been inferred: behind a sum pooling there are as many bits of each step as its sums need.
    The first one reads pixels: a static input, or event frames with 8 bits of each step.
    Parallelism is SIMD = PE = 1 and TP = T until a folding is applied.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for node in model.graph.node:
            if node.op_type != "MatMul":
                continue
            readers = model.find_consumers(node.output[0])
            if len(readers) == 1 and (is_neuron(readers[0]) or is_read_out(readers[0])):
                self._fuse(model, node, readers[0])
            else:
                self._sums(model, node)
            return model, True
        return model, False

    def _sums(self, model: ModelWrapper, product: NodeProto) -> None:
        """The product alone, whose sums others read."""
        x, weights_name = product.input
        weights = model.get_initializer(weights_name)
        timesteps, out_shape = timesteps_of(model), model.get_tensor_shape(product.output[0])
        widths = sum_widths(weights.T.astype(np.int64), largest_value(model, x))
        out_datatype = DataType[f"INT{widths.output_bits}"]
        node = dataflow_node(
            "SpikingMVAU",
            [x, weights_name],
            product.output[0],
            product.name,
            **_product_attributes(model, product, x, timesteps, widths),
            outputDataType=out_datatype.name,
            **{**neuron_attributes(None), "neuron": SUMS},
        )
        replace(model.graph, [product], [node])
        steps = 1 if attribute(node, "staticInput") else timesteps
        set_tensor(model, product.output[0], (*out_shape[:-1], out_shape[-1] * steps))
        model.set_tensor_datatype(product.output[0], out_datatype)

    def _fuse(self, model: ModelWrapper, product: NodeProto, neuron: NodeProto) -> None:
        x, weights_name = product.input
        summed = model.find_producer(x)
        before = [summed] if summed is not None and summed.op_type == "ReduceSum" else []
        map_pixels = 1
        if before:
            x = before[0].input[0]
            map_pixels = int(np.prod(model.get_tensor_shape(x)[1:3]))
        bias_name = neuron.input[1]
        out_shape = model.get_tensor_shape(product.output[0])
        weights = model.get_initializer(weights_name)
        bias = constant_values(model, bias_name)
        threshold_name = neuron.input[2] if is_neuron(neuron) else f"{neuron.name}_threshold"
        threshold = constant_values(model, threshold_name) if is_neuron(neuron) else np.zeros_like(bias)
        timesteps = attribute(neuron, "timesteps")
        dynamics = NEURONS[neuron.op_type].from_attributes(partial(attribute, neuron)) if is_neuron(neuron) else None
        widths = layer_widths(
            Constants(weights.T.astype(np.int64), bias, threshold),
            largest_input=largest_value(model, x),
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
            **_product_attributes(model, product, x, timesteps, widths),
            outputDataType=out_datatype.name,
            **neuron_attributes(dynamics),
            mapPixels=map_pixels,
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


def constant_values(model: ModelWrapper, name: str) -> np.ndarray:
    """One int64 per channel."""
    return np.asarray(model.get_initializer(name)).reshape(-1).astype(np.int64)


def neuron_attributes(neuron: Neuron | None) -> dict[str, str | int]:
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


def _product_attributes(
    model: ModelWrapper, product: NodeProto, x: str, timesteps: int, widths: LayerWidths
) -> dict[str, Any]:
    """The attributes of the unfolded product of ``x``, whatever its sums go into."""
    weights_name = product.input[1]
    mw, mh = model.get_initializer(weights_name).shape
    return {
        "layer": product.name,
        "MW": mw,
        "MH": mh,
        "SIMD": 1,
        "PE": 1,
        "T": timesteps,
        "TP": timesteps,
        "weightDataType": model.get_tensor_datatype(weights_name).name,
        "accBits": widths.acc_bits,
        "potentialBits": widths.potential_bits,
        "biasBits": widths.bias_bits,
        "thresholdBits": widths.threshold_bits,
        **_input_attributes(model, x, timesteps),
        "numInputVectors": list(model.get_tensor_shape(product.output[0])[:-1]),
        "memStyle": "block",
        "kernelTaps": _kernel_taps(model, x),
    }


def _kernel_taps(model: ModelWrapper, x: str) -> int:
    """Kernel positions of a vector of the tensor, 1 where no sliding window gives it."""
    window = model.find_producer(x)
    if window is None or window.op_type != "ConvolutionInputGenerator":
        return 1
    return int(np.prod(attribute(window, "ConvKernelDim")))


def _input_attributes(model: ModelWrapper, x: str, timesteps: int) -> dict[str, Any]:
    """The attributes of a node that reads the tensor: pixels, event frames, spikes or counts."""
    datatype = model.get_tensor_datatype(x)
    reads_pixels = not carries_spikes(model, x)
    static_input = reads_pixels and datatype.bitwidth() == PIXEL_BITS
    return {
        "inputDataType": datatype.name,
        "inputShape": list(model.get_tensor_shape(x)),
        "staticInput": int(static_input),
        "stepBits": 1 if static_input else datatype.bitwidth() // timesteps,
        "readsEvents": int(reads_pixels and not static_input),
    }
