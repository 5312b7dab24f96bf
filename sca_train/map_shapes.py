"""Channels, rows and columns of what each layer of a network sends on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sca_train.specs import IMAGE, ConnectionSpec, LayerSpec


@dataclass(frozen=True)
class MapShape:
    """Channels, height and width of what a layer sends on; a layer of single neurons has a 1x1 map."""

    channels: int
    height: int
    width: int

    @property
    def pixels(self) -> int:
        return self.height * self.width


def convolved(connection: ConnectionSpec, shape: MapShape) -> tuple[int, int]:
    """Height and width of the sums that a connection makes of a source's map."""
    if connection.kind == "linear":
        return 1, 1
    if connection.kind == "identity":
        return shape.height, shape.width
    return connection.convolved(shape.height, shape.width)


def layer_shapes(
    specs: Sequence[LayerSpec], input_shape: tuple[int, int, int]
) -> tuple[dict[str, MapShape], dict[str, MapShape]]:
    """Maps of IMAGE and each layer before and after its pooling; ValueError where summands differ in shape."""
    height, width, channels = input_shape
    before = {IMAGE: MapShape(channels, height, width)}
    after = dict(before)
    for spec in specs:
        sizes = {convolved(connection, after[connection.source]) for connection in spec.inputs}
        if spec.residual:
            sizes.add((before[spec.residual].height, before[spec.residual].width))
        widths = [after[entry.source].channels for entry in spec.inputs if entry.kind == "identity"]
        widths += [before[spec.residual].channels] if spec.residual else []
        if len(sizes) != 1 or any(channels != spec.channels for channels in widths):
            raise ValueError(f"layer {spec.name} adds sums of different shapes")
        ((height, width),) = sizes
        before[spec.name] = MapShape(spec.channels, height, width)
        after[spec.name] = MapShape(spec.channels, height // spec.pool, width // spec.pool)
    return before, after
