"""What a network consists of, before any weight exists: spiking layers and the connections into them.

Every network here is a list of spiking layers in an order in which each layer comes after what it reads. A layer adds
up the currents of its connections, normalises the sum, and spikes. That covers chains (one connection each), residual
networks with the neuron behind the addition (a second connection, an identity or a 1x1 convolution) and with the neuron
before it (``residual``: the sum continues from layer to layer without ever being a spike train).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

IMAGE = "image"
"""The source of the first layer: a static image, or event frames that change from step to step."""
READ_OUT = "readout"
"""The name of the read-out among the layers, in measurements and descriptions."""


@dataclass(frozen=True)
class ConnectionSpec:
    """Weights (or an identity) from one source's spikes to the currents of one layer; padding is ``kernel // 2``."""

    name: str
    source: str
    """Name of an earlier layer, whose pooled spikes are read, or IMAGE."""
    kind: Literal["conv", "linear", "identity"] = "conv"
    kernel: int = 3
    stride: int = 1


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
    group: str = ""
    """Layers of one group lose the same channels, since their channels meet in additions; empty: its own."""

    @property
    def pruning_group(self) -> str:
        """The group's name; that of the layer when it prunes alone."""
        return self.group or self.name


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
