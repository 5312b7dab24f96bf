"""What a foreign network is made of, whichever framework it comes from: a graph of a few operators.

NIR files and traced modules become an ``OperatorGraph``; ``lowering`` makes a ``FloatNetwork`` of it. Shapes are those
of one sample, channels first, without batch and time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from codegen.importing.float_network import Floats, ResetKind
from sca_train.specs import Pair


@dataclass(frozen=True)
class Input:
    """Where the image or the frames come in; ``shape`` [C, H, W], or of fewer dimensions."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class Output:
    """Where the logits of a step go out; ``elements``: how many the file says they are, None where it does not."""

    elements: int | None = None


@dataclass(frozen=True)
class Convolution:
    """A convolution of one or two dimensions: ``weights`` [out, in, kh, kw], dilation and groups are zeros in them.

    ``padding``: rows above, columns left, rows below, columns right. ``bias`` [out]. ``dimensions`` of the map: 1 or 2.
    """

    weights: Floats
    bias: Floats
    stride: Pair
    padding: tuple[int, int, int, int]
    dimensions: int = 2
    size: Pair | None = None
    """Rows and columns of the map that it reads, where the file says them."""


@dataclass(frozen=True)
class Linear:
    """``weights`` [out, in] times a vector, plus ``bias`` [out]."""

    weights: Floats
    bias: Floats


@dataclass(frozen=True)
class Scale:
    """Each element times ``factor`` plus ``shift``, both of shapes that broadcast to that of the input."""

    factor: Floats
    shift: Floats


@dataclass(frozen=True)
class Pool:
    """Windows of ``kernel`` every ``stride``, zeros around counted in; ``kind`` mean, sum, or the largest."""

    kind: Literal["avg", "sum", "max"]
    kernel: Pair
    stride: Pair
    padding: tuple[int, int, int, int]


@dataclass(frozen=True)
class WholeMap:
    """The mean of each channel over its map; the map is 1x1 behind it."""


@dataclass(frozen=True)
class Flatten:
    """The dimensions ``start`` to ``end`` (inclusive, -1 the last) of one sample become one."""

    start: int = 0
    end: int = -1


@dataclass(frozen=True)
class Neuron:
    """V = ``decay`` * V + ``gain`` * x + ``shift``, a spike above ``threshold``; arrays broadcast to the input's shape.

    V starts from ``v_reset``, which is also what a hard reset leaves (0 unless the reset is hard), plus ``v_init``
    times the distance to the threshold.
    """

    decay: Floats
    gain: Floats
    shift: Floats
    threshold: Floats
    v_reset: Floats
    reset: ResetKind
    compare: Literal["ge", "gt"]
    v_init: float = 0.0


Operator = Input | Output | Convolution | Linear | Scale | Pool | WholeMap | Flatten | Neuron


@dataclass(frozen=True)
class OperatorGraph:
    """Operators by name and edges (from, to); several edges into one operator are summed. ``origin``: for sentences."""

    origin: str
    nodes: dict[str, Operator]
    edges: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()
