"""The foldable layers of a specialised dataflow graph: the core that leads a layer, and the nodes folded with it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from finn.util.basic import getHWCustomOp
from qonnx.core.modelwrapper import ModelWrapper

from codegen.cores import core_of
from codegen.cores.core import FollowerCore, LayerCore, StreamCore
from codegen.cores.pool import Pool
from codegen.errors import FoldingError


@dataclass(frozen=True)
class Source:
    """What writes a stream: the name of a layer's core or follower, and its output."""

    core: str
    output: int


@dataclass(frozen=True)
class Follower:
    """A core behind a layer, which takes the lanes that ``source``, of the same layer, writes to its input ``port``."""

    core: FollowerCore
    source: Source
    port: int = 0
    joins: tuple[tuple[int, Source], ...] = ()
    """Its other inputs, and what writes them: it has its own lanes there, behind a width converter."""


@dataclass(frozen=True)
class Layer:
    """One layer as it stands: its cores hold the current folding, and their names are those of the nodes."""

    name: str
    """The layer's name in model.onnx."""
    core: LayerCore
    streams: tuple[StreamCore, ...] = ()
    """Padding and window before the core, in stream order."""
    followers: tuple[Follower, ...] = ()
    """Cores behind it, such as pooling and the fork of its output, in topological order."""
    source: Source | None = None
    """What it reads, through its streams; None for the image."""
    pooled_row: int = 0
    """Elements of a row of the map that it reads straight from a pool, which gives them in one burst; 0 elsewhere."""


@dataclass(frozen=True)
class _Tensor:
    """Where a tensor comes from: what writes it (None: the image), that one's layer, and the streams on the way.

    pooled_row: elements of a row of a map that a pool writes.
    """

    source: Source | None
    layer: int
    streams: tuple[StreamCore, ...]
    pooled_row: int = 0


def read_layers(model: ModelWrapper) -> tuple[Layer, ...]:
    """The layers of a graph in topological order; nodes must have unique names.

    A core that joins streams follows the last of the layers that they come from. Raises FoldingError when a core that
    follows a layer stands before the first one, or behind the padding or window of another layer.
    """
    layers: list[Layer] = []
    tensors: dict[str, _Tensor] = {entry.name: _Tensor(None, -1, ()) for entry in model.graph.input}
    for node in model.graph.node:
        operator = getHWCustomOp(node)
        core = core_of(operator)
        read = [tensors[name] for name in node.input[: len(core.inputs)]]
        if isinstance(core, StreamCore):
            tensors[node.output[0]] = replace(read[0], streams=(*read[0].streams, core), pooled_row=0)
            continue
        if isinstance(core, LayerCore):
            name = str(operator.get_nodeattr("layer")) or core.name
            layers.append(Layer(name, core, read[0].streams, source=read[0].source, pooled_row=read[0].pooled_row))
            index = len(layers) - 1
        elif isinstance(core, FollowerCore):
            follower, index = _follower(core, read)
            layers[index] = replace(layers[index], followers=(*layers[index].followers, follower))
        for output, name in enumerate(node.output):
            row = core.out_size[1] * core.channels if isinstance(core, Pool) else 0
            tensors[name] = _Tensor(Source(core.name, output), index, (), row)
    return tuple(layers)


def _follower(core: FollowerCore, read: list[_Tensor]) -> tuple[Follower, int]:
    """The follower, and the index of its layer."""
    for tensor in read:
        if tensor.streams:
            raise FoldingError(f"{core.name} stands behind {tensor.streams[-1].name}, which leads to no layer")
    last = max(read, key=lambda tensor: tensor.layer)
    if last.source is None:
        raise FoldingError(f"{core.name} stands before the first layer; it is folded with the one before it")
    port = read.index(last)
    others = [(other, tensor.source) for other, tensor in enumerate(read) if other != port]
    joins = tuple((other, source) for other, source in others if source is not None)
    return Follower(core, last.source, port, joins), last.layer
