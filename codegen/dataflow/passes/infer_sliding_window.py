"""InferSlidingWindow: a convolution becomes FINN's sliding window and a matrix product per output pixel."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from codegen.dataflow.passes.graph import dataflow_node, replace, set_tensor
from codegen.onnx_nodes import attribute


class InferSlidingWindow(Transformation):
    """Turn each unpadded Conv into a ConvolutionInputGenerator and a MatMul; a 1x1 Conv of stride 1 into a MatMul.

    The MatMul reads [1, H, W, kh*kw*C] in the order (kh, kw, c) that FINN's generator emits, so the weights
    [out, C, kh, kw] become [kh*kw*C, out].
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for node in model.graph.node:
            if node.op_type == "Conv" and not any(attribute(node, "pads", ())):
                self._lower(model, node)
                return model, True
        return model, False

    def _lower(self, model: ModelWrapper, node: NodeProto) -> None:
        x, weights_name = node.input
        weights = model.get_initializer(weights_name)
        datatype, weight_datatype = (model.get_tensor_datatype(name) for name in (x, weights_name))
        _, channels, rows, columns = weights.shape
        stride = attribute(node, "strides", (1, 1))[0]
        _, height, width, _ = model.get_tensor_shape(x)
        _, out_height, out_width, out_channels = model.get_tensor_shape(node.output[0])
        # A single window has no next one, and the step to it shall not lead further beyond the map than it has to.
        strides = [
            stride if windows > 1 else size - taps + 1
            for size, taps, windows in ((height, rows, out_height), (width, columns, out_width))
        ]
        nodes = []
        if rows > 1 or columns > 1 or stride > 1:
            windowed = model.make_new_valueinfo_name()
            set_tensor(model, windowed, (1, out_height, out_width, rows * columns * channels))
            model.set_tensor_datatype(windowed, datatype)
            nodes.append(
                dataflow_node(
                    "ConvolutionInputGenerator",
                    [x],
                    windowed,
                    f"{node.name}_window",
                    ConvKernelDim=[rows, columns],
                    IFMChannels=channels,
                    IFMDim=[height, width],
                    OFMDim=[out_height, out_width],
                    SIMD=1,
                    Stride=strides,
                    Dilation=[1, 1],
                    inputDataType=datatype.name,
                    outputDataType=datatype.name,
                    depthwise=0,
                )
            )
            x = windowed
        matrix = np.ascontiguousarray(weights.transpose(2, 3, 1, 0).reshape(-1, out_channels))
        model.set_initializer(weights_name, matrix)
        model.set_tensor_datatype(weights_name, weight_datatype)
        nodes.append(helper.make_node("MatMul", [x, weights_name], list(node.output), name=node.name))
        replace(model.graph, [node], nodes)
