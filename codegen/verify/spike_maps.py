"""What the products of a model.onnx read while it runs: which elements of their inputs spike at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper

from codegen.dialect import EVENT_DIMENSIONS
from codegen.export.onnx_properties import ModelProperties
from codegen.export.onnx_reader import read_model
from codegen.onnx_nodes import attribute, is_neuron
from codegen.verify.images import check_images
from codegen.verify.onnx_runtime import open_session, run_batch

Active = NDArray[np.bool_]
"""[images, channels, height, width]: whether an element is more than 0 in any time step."""

_MOVES = ("Reshape", "Transpose", "MaxPool", "LpPool", "Cast")
"""Operators between a product and the neurons or event frames whose elements it reads."""


@dataclass(frozen=True)
class Window:
    """The elements of a map that one vector of a product holds: ``kernel`` taps (rows, columns), all channels of each.

    ``pads``: zeros above, left, below, right. A product that reads a whole map has one window, of the map's size.
    ``rotates``: whether an event-driven core counts its taps, which is where a sliding window gives it its vectors.
    """

    kernel: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    rotates: bool = True


@dataclass(frozen=True)
class SpikingInput:
    """A product that reads spikes, sums of them, or event frames: the name of its layer, as in graph.onnx.

    ``size``: channels, height and width of the map that it reads, 1 x 1 of a vector.
    """

    layer: str
    tensor: str
    size: tuple[int, int, int]
    window: Window


@dataclass(frozen=True)
class SpikeMaps:
    """A loaded model.onnx whose products' inputs can be read; ``inputs`` in the order of the graph."""

    path: Path
    inputs: tuple[SpikingInput, ...]
    properties: ModelProperties
    proto: ModelProto

    def batches(self, images: NDArray[np.uint8]) -> Iterator[tuple[Active, ...]]:
        """What each of ``inputs`` reads of images uint8 [N, H, W, C] or event frames [N, T, H, W, C], batch by batch.

        Raises SimulationError for images of another shape, ModelError where ONNX Runtime refuses the model.
        """
        check_images(images, self.properties.input_shape)
        session, tensors = open_session(self.path, self.proto), [entry.tensor for entry in self.inputs]
        for start in range(0, len(images), self.properties.batch):
            batch = images[start : start + self.properties.batch]
            maps = run_batch(session, tensors, self.properties.image, batch) if tensors else []
            yield tuple(
                (values != 0).reshape(self.properties.timesteps, len(batch), *entry.size).any(axis=0)
                for entry, values in zip(self.inputs, maps, strict=True)
            )


def load_spike_maps(path: Path) -> SpikeMaps:
    """The products of a model.onnx that read spikes; one behind the sum of a map reads its counts and is none of them.

    Raises ModelError for what ``codegen.export.onnx_reader`` refuses.
    """
    checked = read_model(path)
    graph, model = checked.frame.graph, checked.proto
    shapes = {
        value.name: tuple(size.dim_value for size in value.type.tensor_type.shape.dim)
        for value in (*graph.value_info, *graph.input, *graph.output)
    }
    weights = {constant.name: tuple(constant.dims) for constant in graph.initializer}
    producers = {node.output[0]: node for node in graph.node}
    events = len(checked.properties.input_shape) == EVENT_DIMENSIONS - 1
    inputs = [
        _spiking_input(node, producers, shapes, weights[node.input[1]])
        for node in graph.node
        if node.op_type in ("Conv", "MatMul") and _reads_spikes(node.input[0], producers, events)
    ]
    known = {value.name for value in model.graph.output}
    for tensor in dict.fromkeys(entry.tensor for entry in inputs):
        if tensor not in known:
            model.graph.output.append(helper.make_tensor_value_info(tensor, TensorProto.FLOAT, None))
    return SpikeMaps(path, tuple(inputs), checked.properties, model)


def _reads_spikes(tensor: str, producers: dict[str, NodeProto], events: bool) -> bool:
    """Whether a tensor has spikes, their sums over windows, or event frames, and not pixels or counts of a map."""
    node = producers.get(tensor)
    if node is None:
        return events
    return is_neuron(node) or (node.op_type in _MOVES and _reads_spikes(node.input[0], producers, events))


def _spiking_input(
    node: NodeProto,
    producers: dict[str, NodeProto],
    shapes: dict[str, tuple[int, ...]],
    weights: tuple[int, ...],
) -> SpikingInput:
    tensor = node.input[0]
    if node.op_type == "Conv":
        rows, columns = weights[2:]
        _, channels, height, width = shapes[tensor]
        strides, pads = attribute(node, "strides", (1, 1)), attribute(node, "pads", (0, 0, 0, 0))
        window = Window((rows, columns), strides, pads)
        return SpikingInput(node.name, tensor, (channels, height, width), window)
    before = producers.get(tensor)
    if before is not None and before.op_type == "Reshape" and len(shapes[before.input[0]]) == len("NCHW"):
        # Flattened: the accelerator streams the map pixel by pixel.
        tensor = before.input[0]
        _, channels, height, width = shapes[tensor]
        return SpikingInput(node.name, tensor, (channels, height, width), Window((height, width), rotates=False))
    return SpikingInput(node.name, tensor, (weights[0], 1, 1), Window((1, 1)))
