"""What a network consists of, before any weight exists: spiking layers and the connections into them.

Every network here is a list of spiking layers in an order in which each layer comes after what it reads. A layer adds
up the currents of its connections, normalises the sum, and spikes. That covers chains (one connection each), residual
networks with the neuron behind the addition (a second connection, an identity or a 1x1 convolution) and with the neuron
before it (``residual``: the sum continues from layer to layer without ever being a spike train).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeVar

IMAGE = "image"
"""The source of the first layer: a static image, or event frames that change from step to step."""
READ_OUT = "readout"
"""The name of the read-out among the layers, in measurements and descriptions."""


Pair = tuple[int, int]
"""Of rows and of columns."""
Sides = tuple[int, int, int, int]
"""Rows above, columns left, rows below, columns right: the order of ONNX."""


def four_sides(padding: int | Sides) -> Sides:
    """Zeros around a map; a single number is that of all sides."""
    return (padding,) * 4 if isinstance(padding, int) else padding


def windows(
    size: tuple[int, int], kernel: Sequence[int], stride: int | tuple[int, int], sides: Sides
) -> tuple[int, int]:
    """Rows and columns of windows of a kernel over a map of rows and columns; 0 or less where none fits."""
    above, left, below, right = sides
    down, across = (stride, stride) if isinstance(stride, int) else stride
    return (size[0] + above + below - kernel[0]) // down + 1, (size[1] + left + right - kernel[1]) // across + 1


@dataclass(frozen=True)
class NeuronSpec:
    """Neurons of one layer that are not those of the configuration, with its threshold (``sca_train.description``)."""

    kind: Literal["IF", "LIF", "LateIF"]
    reset: Literal["hard", "soft", "delayed"]
    tau: float = 2.0
    v_init: float = 0.0
    compare: Literal["ge", "gt"] = "ge"
    """What says that a potential has reached the threshold; training, in floats, always takes "ge"."""


@dataclass(frozen=True)
class ConnectionSpec:
    """Weights (or an identity) from one source's spikes to the currents of one layer."""

    name: str
    source: str
    """Name of an earlier layer, whose pooled spikes are read, or IMAGE."""
    kind: Literal["conv", "linear", "identity"] = "conv"
    kernel: int = 3
    """Height of the kernel, and its width where ``kernel_width`` is 0."""
    stride: int = 1
    kernel_width: int = 0
    padding: Sides | None = None
    """None: half the kernel on each side, rounded down."""

    @property
    def taps(self) -> tuple[int, int]:
        """Height and width of the kernel."""
        return self.kernel, self.kernel_width or self.kernel

    @property
    def sides(self) -> Sides:
        """The padding on each side."""
        rows, columns = (length // 2 for length in self.taps)
        return self.padding or (rows, columns, rows, columns)

    @property
    def is_plain(self) -> bool:
        """Whether it is what the CPU kernels compute: a square kernel, padded by half of it."""
        rows, columns = self.taps
        return rows == columns and self.sides == four_sides(rows // 2)

    def convolved(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of what the convolution makes of a map."""
        return windows((height, width), self.taps, self.stride, self.sides)


@dataclass(frozen=True)
class LayerSpec:
    """One spiking layer: the sum of its connections, batch norm, neurons, mask, pooling."""

    name: str
    channels: int
    inputs: tuple[ConnectionSpec, ...]
    residual: str = ""
    """Name of an earlier layer whose sum (before its batch norm) is added to this one's: a residual stream."""
    pool: int = 1
    """Window and stride of the pooling behind the neurons, 1 for none."""
    pool_kind: Literal["max", "avg"] = "max"
    global_sum: bool = False
    """Whether the read-out behind this layer, the last one, reads the mean of each channel over the pooled map."""
    neuron: NeuronSpec | None = None
    """None: the neurons of the configuration."""
    group: str = ""
    """Layers of one group lose the same channels, since their channels meet in additions; empty: its own."""

    @property
    def pruning_group(self) -> str:
        """The group's name; that of the layer when it prunes alone."""
        return self.group or self.name


def with_channels(specs: tuple[LayerSpec, ...], channels: list[int]) -> tuple[LayerSpec, ...]:
    """The layers with other widths, one for each."""
    return tuple(replace(spec, channels=width) for spec, width in zip(specs, channels, strict=True))


class Summed(Protocol):
    """What ``streams`` asks of a layer, specified or described."""

    @property
    def name(self) -> str: ...

    @property
    def residual(self) -> str: ...


L = TypeVar("L", bound=Summed)


def streams(layers: Sequence[L]) -> list[list[L]]:
    """The layers whose sums continue one another through ``residual``, in groups; most groups are a single layer."""
    first: dict[str, str] = {}
    groups: dict[str, list[L]] = {}
    for layer in layers:
        first[layer.name] = first[layer.residual] if layer.residual else layer.name
        groups.setdefault(first[layer.name], []).append(layer)
    return list(groups.values())
