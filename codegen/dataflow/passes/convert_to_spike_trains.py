"""ConvertToSpikeTrains: time leaves the axes and moves into the elements, a spike train is a UINT{T}."""

from __future__ import annotations

from onnx import NodeProto, TensorProto, helper
from qonnx.core.datatype import BaseDataType, DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from codegen.cores.sum_pool import sum_step_bits
from codegen.dataflow.passes.check_mappable import GLUE
from codegen.dataflow.passes.graph import data_inputs, set_tensor, timesteps_of
from codegen.dataflow.passes.infer_pools import POOLS
from codegen.dialect import EVENT_DIMENSIONS, PIXEL_BITS
from codegen.onnx_nodes import attribute, is_neuron, is_read_out
from sca_train.specs import windows


class ConvertToSpikeTrains(Transformation):
    """Remove the nodes that carry the time axis; tensors become NHWC spike trains of one frame, UINT{T}.

    Behind sum pooling they have B bits of each step, UINT{T * B}, and event frames have 8.
    Expects what CheckMappable let pass. Afterwards Conv, MatMul, ReduceSum, neurons, ReadOut, MaxPool, LpPool, Add and
    Mul are left, reading and writing [1, H, W, C] maps or [1, C] vectors; Conv, ReduceSum and pools then mean their
    NHWC form, until the passes that follow have replaced them. A MatMul that reads a map still has its weights in
    (c, h, w) order.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        graph = model.graph
        image = graph.input[0].name
        shape = tuple(model.get_tensor_shape(image))
        timesteps = timesteps_of(model)
        events = len(shape) == EVENT_DIMENSIONS
        if events:
            shape = (shape[0], *shape[2:])
        datatype = DataType[f"UINT{PIXEL_BITS * (timesteps if events else 1)}"]
        _declare_input(model, image, shape, datatype)
        # Of each tensor of model.onnx: the tensor that is left of it, with its shape and datatype.
        left = {image: (image, shape, datatype)}
        glue = [node for node in graph.node if node.op_type in GLUE]
        for node in list(graph.node):
            read = data_inputs(model, node)
            x, shape, datatype = left[read[0]]
            if node.op_type in GLUE:
                left[node.output[0]] = x, shape, datatype
                continue
            shape = _output_shape(model, node, shape)
            if is_neuron(node):
                datatype = DataType[f"UINT{timesteps}"]
            elif node.op_type == "LpPool":
                kernel, step_bits = attribute(node, "kernel_shape")[0], datatype.bitwidth() // timesteps
                datatype = DataType[f"UINT{timesteps * sum_step_bits(kernel, step_bits)}"]
            for port, name in enumerate(node.input):
                if name in read:
                    node.input[port] = left[name][0]
            x = node.output[0]
            left[x] = x, shape, datatype
            _forget(model, x)
            if not is_read_out(node):
                set_tensor(model, x, shape)
                if is_neuron(node) or node.op_type in POOLS:
                    model.set_tensor_datatype(x, datatype)
        for node in glue:
            for name in node.output:
                _forget(model, name)
            graph.node.remove(node)
        x, shape, _ = left[graph.output[0].name]
        graph.output[0].CopyFrom(helper.make_tensor_value_info(x, TensorProto.FLOAT, list(shape)))
        return model, False


def _declare_input(model: ModelWrapper, name: str, shape: tuple[int, ...], datatype: BaseDataType) -> None:
    """FINN carries pixels in float32 tensors, as it does all integers."""
    entry = next(entry for entry in model.graph.input if entry.name == name)
    entry.CopyFrom(helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)))
    model.set_tensor_datatype(name, datatype)


def _forget(model: ModelWrapper, name: str) -> None:
    """Drop shape and datatype of a tensor that no longer means what they say."""
    stale = [entry for entry in model.graph.value_info if entry.name == name]
    for entry in stale:
        model.graph.value_info.remove(entry)
    for annotation in [entry for entry in model.graph.quantization_annotation if entry.tensor_name == name]:
        model.graph.quantization_annotation.remove(annotation)


def _output_shape(model: ModelWrapper, node: NodeProto, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of one frame after the node, NHWC."""
    if node.op_type == "Conv":
        out_channels, _, *kernel = model.get_initializer(node.input[1]).shape
        stride, pads = attribute(node, "strides", (1, 1))[0], attribute(node, "pads", (0, 0, 0, 0))
        height, width = windows((shape[1], shape[2]), kernel, stride, tuple(pads))
        return (1, height, width, out_channels)
    if node.op_type == "MatMul":
        return (1, model.get_initializer(node.input[1]).shape[1])
    if node.op_type in POOLS:
        window = attribute(node, "kernel_shape")[0]
        return (1, shape[1] // window, shape[2] // window, shape[3])
    if node.op_type == "ReduceSum":
        return (1, shape[3])
    return shape
