"""InferPools: the maximum over a window of spikes is their OR, and LpPool with p = 1 their sum."""

from __future__ import annotations

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from codegen.dataflow.passes.graph import dataflow_node, replace, timesteps_of
from codegen.onnx_nodes import attribute

POOLS = {"MaxPool": "SpikePool", "LpPool": "SumPool"}


class InferPools(Transformation):
    """Turn each non-overlapping MaxPool on spikes into a SpikePool, and each LpPool, also on counts, into a SumPool.

    PE = 1 until a folding is applied.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for node in model.graph.node:
            core = POOLS.get(node.op_type)
            if core is None:
                continue
            _, height, width, channels = model.get_tensor_shape(node.input[0])
            datatype, timesteps = model.get_tensor_datatype(node.input[0]), timesteps_of(model)
            pool = dataflow_node(
                core,
                [node.input[0]],
                node.output[0],
                node.name,
                layer=node.name,
                ImgDim=[height, width],
                NumChannels=channels,
                KernelSize=attribute(node, "kernel_shape")[0],
                PE=1,
                T=timesteps,
                inputDataType=datatype.name,
                **({"stepBits": datatype.bitwidth() // timesteps} if core == "SumPool" else {}),
            )
            replace(model.graph, [node], [pool])
            return model, True
        return model, False
