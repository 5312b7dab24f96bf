"""Random networks, each from a seed: chains and residual networks on images and on event frames, and their foldings."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.networks import FRAC_BITS, integer_layer, random_weights
from codegen.cores.core import Core, LayerCore
from codegen.cores.spiking_mvau_shape import EXTERNAL
from codegen.dataflow.folding.layers import Layer
from codegen.network import IntegerConnection, IntegerLayer, IntegerNetwork
from codegen.neurons import NEURONS, NO_NEURON
from sca_train.specs import IMAGE, Sides, four_sides

KINDS = (
    *("chain", "resnet", "preresnet", "event chain", "event resnet", "event preresnet"),
    *("uneven chain", "line chain", "event uneven chain"),
)
"""What the seeds draw, in turn. A ResNet has its neurons behind the additions, a PreResNet before them. Uneven:
kernels that are no squares and paddings that differ from side to side; a line has maps of one row."""

MAX_LANES = 48
"""Bound of SIMD*PE*TP, times the bits of a step or four for sums: more lanes take longer to compile."""
MAX_CYCLES = 4000
"""Bound of a layer's cycles per frame, so that a network simulates in reasonable time."""


@dataclass(frozen=True)
class Map:
    """What a layer reads: ``source`` gives [channels, height, width]."""

    source: str
    channels: int
    height: int
    width: int


def kind_of(seed: int) -> str:
    """The kind of network that a seed draws."""
    return KINDS[seed % len(KINDS)]


def random_network(seed: int) -> IntegerNetwork:
    """The network of a seed: two to seven layers on maps of up to 8x8 pixels, T 1 to 8, weights of 2, 4 and 8 bits."""
    builder = _Builder(seed, line=kind_of(seed).startswith("line"))
    if "uneven" in kind_of(seed) or kind_of(seed).startswith("line"):
        builder.uneven_chain()
    elif kind_of(seed).endswith("chain"):
        builder.chain()
    else:
        builder.residual(before_addition=kind_of(seed).endswith("preresnet"))
    return builder.finish(static_input=not kind_of(seed).startswith("event"))


class _Builder:
    """Adds layers with random parameters, each to what the last one gives."""

    def __init__(self, seed: int, line: bool) -> None:
        self._draw = random.Random(seed)
        self._rng = np.random.default_rng(seed)
        self._timesteps = self._draw.choice([1, 2, 3, 3, 4, 4, 6, 8])
        channels, height, width = self._draw.randint(1, 3), self._draw.randint(4, 8), self._draw.randint(4, 8)
        if line:
            height, width = 1, 2 * width
        self._input_shape = (height, width, channels)
        self._map = Map(IMAGE, channels, height, width)
        self._layers: list[IntegerLayer] = []

    def chain(self) -> None:
        """Convolutions of any kernel, stride and padding, pooled or not, and perhaps a fully connected layer."""
        for index in range(self._draw.randint(1, 3)):
            kernel = self._draw.choice([k for k in (1, 2, 3, 3, 5) if k <= min(self._map.height, self._map.width)])
            padding = self._draw.randint(0, kernel // 2)
            least = min(self._map.height, self._map.width) + 2 * padding
            stride = self._draw.choice([1, 1, 2]) if least > 1 else 1
            self._convolution(f"conv{index}", kernel, stride, padding, self._width(), pooled=True)
        if self._draw.random() < 0.3:
            self._add(self._layer("fc", (self._width(), self._map.channels * self._map.height * self._map.width)))
            self._map = Map("fc", self._layers[-1].channels, 1, 1)

    def uneven_chain(self) -> None:
        """Convolutions of kernels and paddings that differ from side to side, pooled or not."""
        for index in range(self._draw.randint(1, 3)):
            rows, columns = (self._draw.randint(1, min(5, size)) for size in (self._map.height, self._map.width))
            above, left = self._draw.randint(0, rows - 1), self._draw.randint(0, columns - 1)
            below, right = self._draw.randint(0, rows - 1), self._draw.randint(0, columns - 1)
            stride = self._draw.choice([1, 1, 2])
            self._convolution(
                f"conv{index}", (rows, columns), stride, (above, left, below, right), self._width(), pooled=True
            )

    def residual(self, before_addition: bool) -> None:
        """A stem and one or two blocks, each with an identity, or a projection where the map or the width changes."""
        self._convolution("stem", 3, 1, 1, self._width(), pooled=not before_addition)
        for index in range(self._draw.choice([1, 1, 2])):
            # A sum that goes on is of the map before pooling.
            self._block(f"block{index}", before_addition, pooled=index == 1 or not before_addition)

    def finish(self, static_input: bool) -> IntegerNetwork:
        """The network with a read-out, of all elements or of the sums of the map."""
        shape = self._map
        pixels = shape.height * shape.width
        map_pixels = pixels if self._draw.random() < 0.5 else 1
        classes = self._draw.randint(2, 6)
        inputs = shape.channels * pixels // map_pixels
        self._add(
            integer_layer(
                self._rng, "readout", shape.source, (classes, inputs), neuron=NO_NEURON, map_pixels=map_pixels,
                bits=self._bits(),
            )
        )  # fmt: skip
        return IntegerNetwork(self._input_shape, static_input, self._timesteps, FRAC_BITS, classes, tuple(self._layers))

    def _block(self, name: str, before_addition: bool, pooled: bool) -> None:
        source, before = self._map, self._layers[-1]
        stride = self._draw.choice([1, 1, 2]) if min(source.height, source.width) > 2 else 1
        width = self._draw.choice([source.channels, source.channels, self._width()])
        self._convolution(f"{name}a", 3, stride, 1, self._width(), pooled=False)
        self._convolution(name, 3, 1, 1, width, pooled=pooled)
        block = self._layers.pop()
        factor = self._draw.choice([1, 2, 4])
        if stride > 1 or width != source.channels:
            weights = random_weights(self._rng, (width, source.channels, 1, 1), 4)
            shortcut = IntegerConnection(f"{name}_shortcut", source.source, "conv", weights, 4, stride, 0, factor)
            block = replace(block, inputs=(*block.inputs, shortcut))
        elif before_addition and before.pool == 1:
            block = replace(block, residual=before.name, threshold=block.threshold + before.threshold)
        else:
            identity = IntegerConnection(f"{name}_identity", source.source, "identity", None, 1, 1, 0, factor)
            block = replace(block, inputs=(*block.inputs, identity))
        if self._draw.random() < 0.5:
            block = replace(block, sign=self._rng.choice([-1, 0, 1, 1], width))
        self._add(block)

    def _convolution(
        self, name: str, kernel: int | tuple[int, int], stride: int, padding: int | Sides, width: int, pooled: bool
    ) -> None:
        source, (above, left, below, right) = self._map, four_sides(padding)
        rows, columns = (kernel, kernel) if isinstance(kernel, int) else kernel
        height = (source.height + above + below - rows) // stride + 1
        breadth = (source.width + left + right - columns) // stride + 1
        pool = self._draw.choice([1, 2, 2, 3]) if pooled else 1
        pool = min(pool, height, breadth)
        layer = self._layer(name, (width, source.channels, rows, columns), stride=stride, padding=padding, pool=pool,
                            pool_kind=self._draw.choice(["max", "avg"]))  # fmt: skip
        self._add(layer)
        self._map = Map(name, width, height // pool, breadth // pool)

    def _layer(self, name: str, shape: tuple[int, ...], **options: Any) -> IntegerLayer:
        return integer_layer(
            self._rng, name, self._map.source, shape, bits=self._bits(), neuron=self._draw.choice(list(NEURONS)),
            leak_shift=self._draw.randint(1, 4), reset=self._draw.choice(["hard", "soft"]),
            half_start=self._draw.random() < 0.5, **options,
        )  # fmt: skip

    def _add(self, layer: IntegerLayer) -> None:
        self._layers.append(layer)

    def _width(self) -> int:
        return self._draw.choice([1, 2, 3, 4, 4, 6])

    def _bits(self) -> int:
        return self._draw.choice([2, 4, 8])


def random_folding(layers: Sequence[Layer], seed: int) -> dict[str, dict[str, Any]]:
    """Any folding of each core within MAX_LANES and MAX_CYCLES, as a folding file says it; the rest follows them."""
    draw = random.Random(seed)
    folding = {}
    for layer in layers:
        options = list(layer.core.foldings())
        small = [core for core in options if _lanes(core) <= MAX_LANES and core.cycles <= MAX_CYCLES]
        core = draw.choice(small or [min(options, key=_lanes)])
        folding[core.name] = core.divisions() | _choices(core, draw)
        for stream in layer.streams:
            chosen = draw.choice(list(stream.foldings()))
            folding[stream.name] = chosen.divisions() | _choices(stream, draw)
    return folding


def _lanes(core: Core) -> int:
    lanes = core.divisions()
    return core.inputs[0].bits * lanes["PE"]


def _choices(core: Core, draw: random.Random) -> dict[str, Any]:
    """Where its memory goes, outside the chip where that is possible; whether it takes DSPs, and skips zeros."""
    impossible = () if core.external_choices() else (EXTERNAL,)
    chosen = {
        fold.attribute: draw.choice([choice for choice in fold.choices if choice not in impossible])
        for fold in core.folds
        if fold.choices
    }
    event_driven = isinstance(core, LayerCore) and core.event_form() is not None
    if chosen.get("event") and (not event_driven or chosen.get("memStyle") == EXTERNAL):
        chosen["event"] = 0
    return chosen
