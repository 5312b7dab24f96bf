"""FlattenIntoMatMul: a fully connected layer reads the feature map in the order in which it is streamed."""

from __future__ import annotations

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation


class FlattenIntoMatMul(Transformation):
    """Reorder the weights [c*h*w, out] of a MatMul that reads a whole map [1, h, w, c] to (h, w, c).

    A node is done when its weights' rows equal the last axis of its input (a vector), or when this pass has
    reordered it; the pass runs over the graph once.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for node in model.graph.node:
            if node.op_type != "MatMul":
                continue
            shape = model.get_tensor_shape(node.input[0])
            weights_name = node.input[1]
            weights = model.get_initializer(weights_name)
            if len(shape) != 4 or len(model.get_tensor_shape(node.output[0])) == 4:
                continue
            _, height, width, channels = shape
            datatype = model.get_tensor_datatype(weights_name)
            by_channel = weights.reshape(channels, height, width, -1)
            model.set_initializer(
                weights_name, np.ascontiguousarray(by_channel.transpose(1, 2, 0, 3).reshape(weights.shape))
            )
            model.set_tensor_datatype(weights_name, datatype)
        return model, False
