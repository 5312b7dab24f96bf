"""The foldable layers of a specialised dataflow graph: the core that leads a layer, and the nodes folded with it."""

from __future__ import annotations

from dataclasses import dataclass

from finn.util.basic import getHWCustomOp
from qonnx.core.modelwrapper import ModelWrapper

from codegen.core import core_of
from codegen.core.core import FollowerCore, LayerCore, StreamCore
from codegen.errors import FoldingError


@dataclass(frozen=True)
class Layer:
    """One layer as it stands: its cores hold the current folding, and their names are those of the nodes."""

    name: str
    """The layer's name in model.onnx."""
    core: LayerCore
    streams: tuple[StreamCore, ...] = ()
    """Padding and window before the core, in stream order."""
    followers: tuple[FollowerCore, ...] = ()
    """Cores behind it, such as pooling, in stream order."""


def read_layers(model: ModelWrapper) -> tuple[Layer, ...]:
    """The layers of a graph from input to output; nodes must have unique names.

    Raises FoldingError when a core that follows a layer stands before the first one.
    """
    layers: list[Layer] = []
    streams: list[StreamCore] = []
    for node in model.graph.node:
        operator = getHWCustomOp(node)
        core = core_of(operator)
        if isinstance(core, LayerCore):
            layers.append(Layer(str(operator.get_nodeattr("layer")) or core.name, core, tuple(streams)))
            streams = []
        elif isinstance(core, FollowerCore):
            if not layers:
                raise FoldingError(f"{core.name} stands before the first layer; it is folded with the one before it")
            last = layers[-1]
            layers[-1] = Layer(last.name, last.core, last.streams, (*last.followers, core))
        elif isinstance(core, StreamCore):
            streams.append(core)
    return tuple(layers)
