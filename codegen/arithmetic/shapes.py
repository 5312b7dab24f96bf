"""Shapes of an integer network's tensors, and what is wrong with a network whose parts do not fit together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codegen.errors import ExportError
from codegen.network import IntegerConnection, IntegerLayer, IntegerNetwork
from sca_train.description import ConnectionDescription, LayerDescription, NetworkDescription
from sca_train.specs import IMAGE, windows

Shape = tuple[int, ...]
"""(channels,) or (channels, height, width) of one frame at one step."""
MAP_DIMENSIONS = 3


@dataclass(frozen=True)
class LayerShapes:
    """Of the sum and the spikes of one layer, and of its spikes behind the pooling."""

    sum: Shape
    output: Shape


def check_order(layers: Sequence[LayerDescription] | Sequence[IntegerLayer]) -> None:
    """Raise ExportError unless layers have names of their own and read only what comes before them."""
    known = {IMAGE}
    for layer in layers:
        if layer.name in known:
            raise ExportError(f"two layers are called {layer.name!r}; give each a name of its own")
        if not layer.inputs:
            raise ExportError(f"layer {layer.name!r}: it has no connections")
        for connection in layer.inputs:
            if connection.source not in known:
                raise ExportError(
                    f"layer {layer.name!r}: its connection {connection.name!r} reads {connection.source!r}, which is "
                    "no earlier layer"
                )
        if layer.residual and layer.residual not in known - {IMAGE}:
            raise ExportError(
                f"layer {layer.name!r}: it adds to the sum of {layer.residual!r}, which is no earlier layer"
            )
        known.add(layer.name)


def network_shapes(network: IntegerNetwork) -> dict[str, LayerShapes]:
    """Shapes of every layer by name.

    Raises ExportError where a connection does not fit its source, or the terms of a sum do not fit each other.
    """
    check_order(network.layers)
    return _layer_shapes(network.layers, network.input_shape)


def summed_pixels(description: NetworkDescription) -> int:
    """Pixels of the map that the read-out of a network sums, 1 where it reads elements one by one.

    Raises ExportError where a layer other than the last sums its map, and as ``network_shapes`` does.
    """
    *before, last = description.layers
    for layer in before:
        if layer.global_sum:
            raise ExportError(f"layer {layer.name!r}: it sums its map, which only the read-out can")
    if not last.global_sum:
        return 1
    source = last.inputs[0].source
    height, width, _ = description.input_shape
    if source == IMAGE:
        return height * width
    return _pixels(_layer_shapes(before, description.input_shape)[source].output)


def _pixels(shape: Shape) -> int:
    return shape[1] * shape[2] if len(shape) == MAP_DIMENSIONS else 1


def _layer_shapes(
    layers: Sequence[LayerDescription] | Sequence[IntegerLayer], input_shape: tuple[int, int, int]
) -> dict[str, LayerShapes]:
    height, width, channels = input_shape
    outputs: dict[str, Shape] = {IMAGE: (channels, height, width)}
    shapes: dict[str, LayerShapes] = {}
    for layer in layers:
        terms = [(c.name, _connection_shape(layer, c, outputs[c.source])) for c in layer.inputs]
        if layer.residual:
            terms.append((layer.residual, shapes[layer.residual].sum))
        _, shape = terms[0]
        for name, other in terms[1:]:
            if other != shape:
                raise ExportError(
                    f"layer {layer.name!r}: {terms[0][0]!r} gives {_text(shape)} and {name!r} gives {_text(other)}, "
                    "which cannot be added"
                )
        if isinstance(layer, IntegerLayer) and shape[0] != layer.channels:
            raise ExportError(f"layer {layer.name!r}: its sum has {shape[0]} channels, its batch norm {layer.channels}")
        shapes[layer.name] = LayerShapes(shape, _pooled(layer, shape))
        outputs[layer.name] = shapes[layer.name].output
    return shapes


def _connection_shape(
    layer: IntegerLayer | LayerDescription, connection: IntegerConnection | ConnectionDescription, shape: Shape
) -> Shape:
    if connection.weights is None:
        if connection.stride != 1:
            raise ExportError(
                f"layer {layer.name!r}: its identity {connection.name!r} has stride {connection.stride}; only 1 is "
                "possible"
            )
        return shape
    if isinstance(layer, IntegerLayer) and layer.map_pixels > 1:
        if connection.kind != "linear" or _pixels(shape) != layer.map_pixels:
            raise ExportError(
                f"layer {layer.name!r}: it sums maps of {layer.map_pixels} pixels and is fully connected to them, but "
                f"{connection.source!r} gives {_text(shape)}"
            )
        shape = shape[:1]
    if connection.kind == "linear":
        inputs = 1
        for size in shape:
            inputs *= size
        if connection.weights.shape[1] != inputs:
            raise ExportError(
                f"layer {layer.name!r}: its weights {connection.name!r} take {connection.weights.shape[1]} inputs, but "
                f"{connection.source!r} gives {inputs}"
            )
        return (int(connection.weights.shape[0]),)
    return _conv_shape(layer, connection, shape)


def _conv_shape(
    layer: IntegerLayer | LayerDescription, connection: IntegerConnection | ConnectionDescription, shape: Shape
) -> Shape:
    assert connection.weights is not None
    if len(shape) != MAP_DIMENSIONS:
        raise ExportError(f"layer {layer.name!r}: a convolution needs a feature map, but its input is a vector")
    out_channels, in_channels, kernel_h, kernel_w = connection.weights.shape
    if in_channels != shape[0]:
        raise ExportError(
            f"layer {layer.name!r}: its kernels {connection.name!r} take {in_channels} channels, but "
            f"{connection.source!r} gives {shape[0]}"
        )
    height, width = windows((shape[1], shape[2]), (kernel_h, kernel_w), connection.stride, connection.sides)
    if height < layer.pool or width < layer.pool:
        raise ExportError(
            f"layer {layer.name!r}: a {kernel_h}x{kernel_w} kernel and a pooling window of {layer.pool} do not fit "
            f"its {shape[1]}x{shape[2]} input"
        )
    return int(out_channels), height, width


def _pooled(layer: IntegerLayer | LayerDescription, shape: Shape) -> Shape:
    if layer.pool == 1:
        return shape
    if len(shape) != MAP_DIMENSIONS or min(shape[1:]) < layer.pool:
        raise ExportError(f"layer {layer.name!r}: a pooling window of {layer.pool} does not fit {_text(shape)}")
    return (shape[0], *(size // layer.pool for size in shape[1:]))


def _text(shape: Shape) -> str:
    return "x".join(map(str, shape)) + (" values" if len(shape) == 1 else " (channels, height, width)")
