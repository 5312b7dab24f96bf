"""InferSpikePool: the maximum over a window of spikes is their OR."""

from __future__ import annotations

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from codegen.finn.passes.graph import attribute, dataflow_node, replace


class InferSpikePool(Transformation):
    """Turn each non-overlapping MaxPool on spike trains into a SpikePool (PE = 1 until a folding is applied)."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for node in model.graph.node:
            if node.op_type != "MaxPool":
                continue
            _, height, width, channels = model.get_tensor_shape(node.input[0])
            datatype = model.get_tensor_datatype(node.input[0])
            pool = dataflow_node(
                "SpikePool",
                [node.input[0]],
                node.output[0],
                node.name,
                layer=node.name,
                ImgDim=[height, width],
                NumChannels=channels,
                KernelSize=attribute(node, "kernel_shape")[0],
                PE=1,
                T=datatype.bitwidth(),
                inputDataType=datatype.name,
            )
            replace(model.graph, [node], [pool])
            return model, True
        return model, False
