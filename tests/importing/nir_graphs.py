"""Random NIR graphs whose numbers are small multiples of powers of two, so that float64 computes them exactly."""

from __future__ import annotations

from dataclasses import dataclass, field

import nir
import numpy as np
from hypothesis import strategies as st

DT = 2.0**-10


@dataclass
class Draft:
    """A graph in the making: ``end`` is the node that the next one reads, ``shape`` that of one sample there."""

    rng: np.random.Generator
    shape: tuple[int, ...]
    end: str = "input"
    nodes: dict[str, nir.NIRNode] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self):
        self.nodes["input"] = nir.Input(np.array(self.shape))

    def append(self, name: str, node: nir.NIRNode, shape: tuple[int, ...], *more: str) -> None:
        """Add a node behind the end, which also reads ``more``."""
        self.nodes[name] = node
        self.edges.extend((source, name) for source in (self.end, *more))
        self.end, self.shape = name, shape

    def graph(self) -> nir.NIRGraph:
        """The graph, with an output behind its end."""
        self.append("output", nir.Output(np.array(self.shape)), self.shape)
        return nir.NIRGraph(self.nodes, self.edges, type_check=False)

    def numbers(self, *shape: int) -> np.ndarray:
        """Weights: eighths between -1 and 1."""
        return self.rng.integers(-8, 9, shape) / 8


def neurons(draw: st.DrawFn, draft: Draft, name: str, *more: str) -> None:
    """IF, LIF (decays 1/2 to 7/8) or Threshold nodes with parameters that differ from channel to channel."""
    shape = draft.shape
    per_channel = (shape[0], *[1] * (len(shape) - 1))
    threshold = np.array(np.broadcast_to(draft.rng.integers(4, 17, per_channel) / 8, shape))
    r = np.array(np.broadcast_to(draft.rng.integers(-2, 9, per_channel) / 4, shape))
    none = np.zeros(shape)
    kind = draw(st.sampled_from(["IF", "IF", "LIF", "LIF", "Threshold"]))
    if kind == "IF":
        node = nir.IF(r / DT, threshold, none)
    elif kind == "Threshold":
        node = nir.Threshold(threshold)
    else:
        factor = 2.0 ** draw(st.integers(0, 3))
        leak = np.array(np.broadcast_to(draft.rng.integers(-2, 3, per_channel) / 8, shape))
        node = nir.LIF(np.full(shape, factor * DT), r * factor, leak, threshold, none)
    draft.append(name, node, shape, *more)


def convolution(draw: st.DrawFn, draft: Draft, name: str, padded: bool = True) -> bool:
    """A Conv2d of any stride, padding, dilation and groups that fits; False where none does."""
    channels, height, width = draft.shape
    groups = draw(st.sampled_from([g for g in (1, 2, 3) if channels % g == 0]))
    out = groups * draw(st.integers(1, 3))
    dilation = (draw(st.integers(1, 2)), draw(st.integers(1, 2)))
    kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    step = draw(st.integers(1, 2))
    form = draw(st.sampled_from(["numbers", "one", "same", "valid"])) if padded else "valid"
    padding = {"numbers": (draw(st.integers(0, 2)), draw(st.integers(0, 2))), "one": 1}.get(form, form)
    if padding == "same":
        step = 1
    size = []
    for extent, k, d, p in zip((height, width), kernel, dilation, np.broadcast_to(sides(padding), (2,)), strict=True):
        reach = (k - 1) * d
        size.append(extent if padding == "same" else (extent + 2 * int(p) - reach - 1) // step + 1)
    if min(size) < 1:
        return False
    weight = draft.numbers(out, channels // groups, *kernel)
    node = nir.Conv2d((height, width), weight, step, padding, dilation, groups, draft.numbers(out))
    draft.append(name, node, (out, *size))
    return True


def sides(padding):
    """Padding of both directions as numbers, 0 where it has a name."""
    return 0 if isinstance(padding, str) else padding


def pool(draw: st.DrawFn, draft: Draft, name: str) -> None:
    """A pooling of square windows that do not overlap, whose factor is a power of two."""
    channels, height, width = draft.shape
    size = draw(st.sampled_from([size for size in (1, 2, 4) if size <= min(height, width)]))
    kind = draw(st.sampled_from([nir.AvgPool2d, nir.SumPool2d]))
    node = kind(np.array([size, size]), np.array([size, size]), np.array([0, 0]))
    draft.append(name, node, (channels, height // size, width // size))


def flatten(draft: Draft, name: str) -> None:
    """All dimensions become one."""
    shape = draft.shape
    draft.append(name, nir.Flatten({"input": np.array(shape)}, 0, -1), (int(np.prod(shape)),))


def affine(draft: Draft, name: str, out: int) -> None:
    """A matrix, with biases."""
    (inputs,) = draft.shape
    draft.append(name, nir.Affine(draft.numbers(out, inputs), draft.numbers(out)), (out,))


@st.composite
def graphs(draw: st.DrawFn) -> nir.NIRGraph:
    """Convolutions with pooling before or behind the neurons, scaling, and residual additions; then matrices."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    draft = Draft(rng, (draw(st.integers(1, 3)), draw(st.integers(3, 7)), draw(st.integers(3, 7))))
    for index in range(draw(st.integers(0, 3))):
        before, shape = draft.end, draft.shape
        if not convolution(draw, draft, f"conv{index}"):
            break
        if draw(st.booleans()):
            factor = draft.numbers(draft.shape[0], 1, 1) * np.ones(draft.shape)
            draft.append(f"scale{index}", nir.Scale(factor), draft.shape)
        if draw(st.booleans()):
            pool(draw, draft, f"inner{index}")
        more = (before,) if draft.shape == shape and draw(st.booleans()) else ()
        neurons(draw, draft, f"spikes{index}", *more)
        if draw(st.booleans()):
            pool(draw, draft, f"pool{index}")
    whole = draw(st.booleans()) and draft.end != "input"
    if whole:
        power = draft.shape[1] * draft.shape[2] in (1, 2, 4, 8, 16)
        kind = nir.AvgPool2d if power else nir.SumPool2d
        size = np.array(draft.shape[1:])
        draft.append("whole", kind(size, size, np.array([0, 0])), (draft.shape[0], 1, 1))
    flatten(draft, "flatten")
    for index in range(draw(st.integers(0, 2))):
        affine(draft, f"fc{index}", draw(st.integers(1, 5)))
        neurons(draw, draft, f"fcspikes{index}")
    if not any(isinstance(node, nir.IF | nir.LIF | nir.Threshold) for node in draft.nodes.values()):
        neurons(draw, draft, "late")
    if draw(st.booleans()):
        affine(draft, "classify", draw(st.integers(1, 4)))
    return draft.graph()
