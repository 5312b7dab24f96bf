"""InferNeuronBank: neurons on sums that no matrix product has alone become a NeuronBank."""

from __future__ import annotations

from functools import partial

import numpy as np
from onnx import NodeProto
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from codegen.arithmetic.ranges import widths_of_sum
from codegen.dataflow.passes.bounds import is_static, sum_bounds
from codegen.dataflow.passes.graph import dataflow_node, replace
from codegen.dataflow.passes.infer_spiking_mvau import constant_values, neuron_attributes
from codegen.neurons import NEURONS
from codegen.onnx_nodes import attribute, is_neuron


class InferNeuronBank(Transformation):
    """Turn each neuron that is left, with the signs before it, into a NeuronBank (PE = TP = 1 until it is folded)."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for node in model.graph.node:
            if is_neuron(node):
                self._lower(model, node)
                return model, True
        return model, False

    def _lower(self, model: ModelWrapper, node: NodeProto) -> None:
        before = model.find_producer(node.input[0])
        signed = before is not None and before.op_type == "Mul"
        x = before.input[0] if signed else node.input[0]
        bias_name, threshold_name = node.input[1:]
        bias, threshold = (constant_values(model, name) for name in (bias_name, threshold_name))
        constants = {bias_name: bias, threshold_name: threshold}
        sign = np.ones_like(bias)
        if signed:
            sign = constant_values(model, before.input[1])
            constants[before.input[1]] = sign
        timesteps, shape = attribute(node, "timesteps"), model.get_tensor_shape(node.output[0])
        neuron = NEURONS[node.op_type].from_attributes(partial(attribute, node))
        widths = widths_of_sum(sum_bounds(model, x, shape[-1]).times(sign), timesteps, neuron, bias, threshold)
        bank = dataflow_node(
            "NeuronBank",
            [x, *constants],
            node.output[0],
            node.name,
            layer=node.name,
            NumChannels=shape[-1],
            PE=1,
            T=timesteps,
            TP=1,
            inputDataType=model.get_tensor_datatype(x).name,
            staticSums=int(is_static(model, x)),
            signs=int(signed),
            potentialBits=widths.potential_bits,
            biasBits=widths.bias_bits,
            thresholdBits=widths.threshold_bits,
            **neuron_attributes(neuron),
            numInputVectors=list(shape[:-1]),
        )
        replace(model.graph, [*([before] if signed else []), node], [bank])
        for name, values in constants.items():
            model.set_initializer(name, values)
        for name, bits in ((bias_name, widths.bias_bits), (threshold_name, widths.threshold_bits)):
            model.set_tensor_datatype(name, DataType[f"INT{bits}"])
