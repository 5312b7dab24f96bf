"""InsertForks: a tensor that several nodes read is a stream that a StreamFork copies."""

from __future__ import annotations

from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from codegen.dataflow.passes.bounds import is_static, is_sum
from codegen.dataflow.passes.graph import dataflow_node, set_tensor


class InsertForks(Transformation):
    """Put a StreamFork behind each output with several readers (PE = 1 until a folding is applied)."""

    def __init__(self, timesteps: int) -> None:
        super().__init__()
        self._timesteps = timesteps

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for node in model.graph.node:
            readers = model.find_consumers(node.output[0]) or []
            if len(readers) > 1 and node.op_type != "StreamFork":
                self._fork(model, node, readers)
                return model, True
        return model, False

    def _fork(self, model: ModelWrapper, node: NodeProto, readers: list[NodeProto]) -> None:
        x = node.output[0]
        shape, datatype = model.get_tensor_shape(x), model.get_tensor_datatype(x)
        elements = self._timesteps if is_sum(model, x) and not is_static(model, x) else 1
        ports = [(reader, port) for reader in readers for port, name in enumerate(reader.input) if name == x]
        copies = []
        for reader, port in ports:
            copy = model.make_new_valueinfo_name()
            set_tensor(model, copy, tuple(shape))
            model.set_tensor_datatype(copy, datatype)
            reader.input[port] = copy
            copies.append(copy)
        fork = dataflow_node(
            "StreamFork",
            [x],
            copies[0],
            f"{node.name}_fork",
            NumChannels=shape[-1] // elements,
            PE=1,
            NumOutputStreams=len(copies),
            elementsPerChannel=elements,
            inputDataType=datatype.name,
            numInputVectors=list(shape[:-1]),
        )
        fork.output.extend(copies[1:])
        model.graph.node.insert(list(model.graph.node).index(node) + 1, fork)
