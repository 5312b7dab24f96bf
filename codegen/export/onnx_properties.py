"""What is to be known of a network of model.onnx: its shapes, steps, weight bits and class names."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, numpy_helper

from codegen.dialect import DOMAIN, FLOAT_EXACT, FRAME_DIMENSIONS
from codegen.onnx_file import OnnxFile
from codegen.onnx_nodes import attribute, describe, is_neuron

LARGEST_BATCH = 32
BATCH_PIXELS = 1 << 17
"""Pixels of all steps that one call takes: 32 images of 32x32 at T = 4; more would only take memory."""


@dataclass(frozen=True)
class ModelProperties:
    """What model.onnx says about itself: input shape, T, classes, names."""

    input_shape: tuple[int, ...]
    """Of one image, (height, width, channels), or of its event frames, (T, height, width, channels)."""
    timesteps: int
    classes: int
    neuron_layers: tuple[str, ...]
    """Names of the layers with neurons, first to last."""
    class_names: tuple[str, ...]
    """In the order of the logits; empty where the network names none."""
    image: str
    """Name of the graph's input."""
    logits: str
    """Name of the graph's output."""
    weight_bits: tuple[int, ...]
    """Of each Conv and MatMul, in the order of the graph."""

    @property
    def batch(self) -> int:
        """Images that one call of ONNX Runtime takes."""
        height, width, _ = self.input_shape[-3:]
        return min(LARGEST_BATCH, max(1, BATCH_PIXELS // (self.timesteps * height * width)))


def tensor_shape(entry: onnx.ValueInfoProto) -> tuple[int, ...]:
    """Sizes of a tensor of the graph; 0 for one that is open."""
    return tuple(size.dim_value for size in entry.type.tensor_type.shape.dim)


def weight_bits_of(source: OnnxFile, frame: ModelProto) -> tuple[int, ...]:
    """The annotated bits of the weights of each connection, in graph order; raises ModelError for other values."""
    constants = {tensor.name: tensor for tensor in frame.graph.initializer}
    annotations = source.annotations(frame.graph)
    bits = []
    for node in frame.graph.node:
        if node.op_type not in ("Conv", "MatMul"):
            continue
        if len(node.input) > 2:
            raise source.error(
                f"{describe(node)}: a bias on the convolution is not supported, it belongs to the neuron"
            )
        name = node.input[1]
        if name not in constants:
            raise source.error(f"{describe(node)}: its weights are not a constant")
        values, datatype = numpy_helper.to_array(constants[name]), annotations.get(name)
        if datatype is None or not datatype.signed:
            raise source.error(f"{describe(node)}: its weights are not annotated as signed integers, such as INT4")
        limit = min(1 << (datatype.bits - 1), FLOAT_EXACT)
        if not ((values == np.rint(values)) & (values >= -limit) & (values < limit)).all():
            raise source.error(f"{describe(node)}: its weights are not all INT{datatype.bits}")
        if node.op_type == "MatMul" and values.ndim != 2:
            raise source.error(f"{describe(node)}: its weights are no matrix")
        bits.append(datatype.bits)
    return tuple(bits)


def properties_of(source: OnnxFile, frame: ModelProto, weight_bits: tuple[int, ...]) -> ModelProperties:
    """What the graph says, if the metadata say the same."""
    graph = frame.graph
    called = [node for node in graph.node if node.domain == DOMAIN]
    neurons = [node for node in called if is_neuron(node)]
    timesteps: int = attribute(called[0], "timesteps")
    image, (_, classes) = tensor_shape(graph.input[0])[1:], tensor_shape(graph.output[0])
    texts = {entry.key: entry.value for entry in frame.metadata_props}
    for key, value in demanded_metadata(graph, weight_bits).items():
        if key not in texts:
            raise source.error(f"it was not written by `python -m codegen export`, its metadata have no {key}")
        if texts[key] != value:
            raise source.error(f"its metadata say {key} = {texts[key]!r}, its graph {value!r}")
    if len(image) > FRAME_DIMENSIONS and image[0] != timesteps:
        raise source.error(f"its input has {image[0]} event frames, its neurons {timesteps} time steps")
    return ModelProperties(
        input_shape=image,
        timesteps=timesteps,
        classes=classes,
        neuron_layers=tuple(_layer_name(node) for node in neurons),
        class_names=_class_names(source, texts.get("class_names", "[]"), classes),
        image=graph.input[0].name,
        logits=graph.output[0].name,
        weight_bits=weight_bits,
    )


def demanded_metadata(graph: onnx.GraphProto, weight_bits: tuple[int, ...]) -> dict[str, str]:
    """The metadata that a graph calls for."""
    called = [node for node in graph.node if node.domain == DOMAIN]
    fractions = sorted({str(attribute(node, "frac_bits")) for node in called if is_neuron(node)})
    said = {
        "timesteps": str(attribute(called[0], "timesteps")),
        "classes": str(tensor_shape(graph.output[0])[1]),
        "input_shape": ",".join(map(str, tensor_shape(graph.input[0])[-FRAME_DIMENSIONS:])),
        "weight_bits": ",".join(map(str, weight_bits)),
    }
    return {**said, "frac_bits": ",".join(fractions)} if fractions else said


def _class_names(source: OnnxFile, text: str, classes: int) -> tuple[str, ...]:
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or len(names) not in (0, classes) or not all(isinstance(n, str) for n in names):
        raise source.error(f"its metadata say class_names = {text[:60]!r}, which is no JSON list of {classes} names")
    return tuple(names)


def _layer_name(neuron: NodeProto) -> str:
    """The current of layer L is called L, a suffix and _out (codegen.export.onnx_writer)."""
    return neuron.input[0].removesuffix("_out").rpartition("_")[0]
