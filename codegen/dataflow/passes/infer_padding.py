"""InferPadding: the zeros around a convolution's map become FINN's FMPadding."""

from __future__ import annotations

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from codegen.dataflow.passes.graph import dataflow_node, set_tensor
from codegen.onnx_nodes import attribute


class InferPadding(Transformation):
    """Put an FMPadding before each Conv with pads, which then has none. Zero is no spike, so it is exact."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for index, node in enumerate(model.graph.node):
            pads = attribute(node, "pads", ())
            if node.op_type != "Conv" or not any(pads):
                continue
            x = node.input[0]
            _, height, width, channels = model.get_tensor_shape(x)
            datatype = model.get_tensor_datatype(x)
            padded = model.make_new_valueinfo_name()
            set_tensor(model, padded, (1, height + pads[0] + pads[2], width + pads[1] + pads[3], channels))
            model.set_tensor_datatype(padded, datatype)
            padding = dataflow_node(
                "FMPadding",
                [x],
                padded,
                f"{node.name}_padding",
                ImgDim=[height, width],
                Padding=list(pads),
                NumChannels=channels,
                SIMD=1,
                inputDataType=datatype.name,
            )
            node.input[0] = padded
            node.attribute.remove(next(entry for entry in node.attribute if entry.name == "pads"))
            model.graph.node.insert(index, padding)
            return model, True
        return model, False
