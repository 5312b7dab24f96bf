"""A folding of one layer: lanes of its core and of the nodes around it, FIFOs between them, and what it all costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codegen.cores.core import Core, FollowerCore, LayerCore, StreamCore
from codegen.cores.fifo import fifo_resources
from codegen.cores.width_converter import converter_resources
from codegen.dataflow.folding.layers import Layer
from codegen.fit import NO_RESOURCES, Resources, total

NO_FIFO = 2
"""FINN's InsertFIFO creates no FIFO of this depth or less."""


@dataclass(frozen=True)
class LayerPlan:
    """The folding of one layer: its cores, folded, and the FIFOs that keep them from waiting for each other."""

    layer: Layer
    core: LayerCore
    streams: tuple[StreamCore, ...]
    followers: tuple[FollowerCore, ...]
    input_fifo: int
    """Words between the width converter (or whatever is before) and the first node of the layer."""
    vector_fifo: int
    """Words between the window and the core; without a window ``input_fifo`` is before the core."""
    event_cycles: int | None = None
    """Cycles per frame of an event-driven core, by the statistic that it was chosen for; None of any other core."""

    @property
    def nodes(self) -> tuple[Core, ...]:
        """All of the layer's cores in stream order."""
        return (*self.streams, self.core, *self.followers)

    @property
    def fifo_depths(self) -> tuple[tuple[Core, int | None], ...]:
        """Each of the layer's cores, and the depth of the FIFO before it where the plan has one."""
        depths: dict[str, int] = {self.core.name: self.vector_fifo}
        depths[self.nodes[0].name] = self.input_fifo
        return tuple((core, depths.get(core.name)) for core in self.nodes)

    @property
    def cores(self) -> dict[str, Core]:
        """The layer's cores by name."""
        return {core.name: core for core in self.nodes}

    @property
    def output_lanes(self) -> int:
        """Elements in a word that the layer's core writes; those behind it have as many."""
        return self.core.outputs[0].lanes

    @property
    def core_cycles(self) -> int:
        """Cycles per frame of the layer's core, by the statistic where it is event-driven."""
        return self.core.cycles if self.event_cycles is None else self.event_cycles

    @property
    def cycles(self) -> int:
        """Cycles per frame of the slowest node of the layer."""
        return max(self.core_cycles, *(core.cycles for core in self.nodes if core is not self.core), 0)

    def resources(self, before: Mapping[str, Core]) -> Resources:
        """Estimate of ``core_resources`` and the layer's own FIFOs, those before joins aside."""
        fifos = [fifo_of_depth(core.inputs[0].bits, depth) for core, depth in self.fifo_depths if depth is not None]
        return total([self.core_resources(before), *fifos])

    def core_resources(self, before: Mapping[str, Core]) -> Resources:
        """Estimate of the layer's nodes, with the width converters from the cores of the layers before.

        ``before``: these cores by name; there is no converter behind one that is missing.
        """
        parts = [core.resources() for core in self.nodes]
        if self.streams:
            parts.append(converter_resources(self.streams[-1].outputs[0].bits, self.core.inputs[0].bits))
        writers = {**before, **self.cores}
        read = [(self.layer.source, self.nodes[0].inputs[0])] if self.layer.source else []
        for follower, core in zip(self.layer.followers, self.followers, strict=True):
            read += [(source, core.inputs[port]) for port, source in follower.joins]
        for source, stream in read:
            if source.core in writers:
                parts.append(converter_resources(writers[source.core].outputs[source.output].bits, stream.bits))
        return total(parts)


def fifo_of_depth(word_bits: int, depth: int) -> Resources:
    """Estimate of the FIFO that a folding's depth gives."""
    return fifo_resources(word_bits, depth) if depth > NO_FIFO else NO_RESOURCES


def plan_layer(
    layer: Layer,
    core: LayerCore,
    stream_lanes: int,
    asked: Mapping[str, Mapping[str, Any]] | None = None,
    pace: int | None = None,
    event_cycles: int | None = None,
) -> LayerPlan:
    """A layer's plan for a folded core, with ``stream_lanes`` in the padding and window before it.

    ``asked``: attributes of a folding file by node, for the followers. ``pace``: cycles a frame that the followers may
    take, as many as the core without. ``event_cycles``: as in LayerPlan. Raises FoldingError where what is asked does
    not divide.
    """
    as_fast = core.cycles if event_cycles is None else event_cycles
    followers = _fold_followers(layer, core, asked or {}, as_fast if pace is None else pace)
    streams = tuple(stream.with_lanes(stream_lanes) for stream in layer.streams)
    if not streams:
        row = layer.pooled_row // core.inputs[0].lanes if core.vector_cycles > core.vector_words else 0
        wait = NO_FIFO if core.reads_image else max(NO_FIFO, core.burst_words, row)
        return LayerPlan(layer, core, (), followers, wait, NO_FIFO, event_cycles)
    return LayerPlan(
        layer,
        core,
        streams,
        followers,
        input_fifo=_input_fifo(streams, core),
        vector_fifo=_vector_fifo(streams[-1], core),
        event_cycles=event_cycles,
    )


def _fold_followers(
    layer: Layer, core: LayerCore, asked: Mapping[str, Mapping[str, Any]], pace: int
) -> tuple[FollowerCore, ...]:
    """Each with the lanes of what it reads, and ``pace`` cycles or fewer where it can, but for what is asked."""
    cores: dict[str, Core] = {core.name: core}
    followers = []
    for follower in layer.followers:
        lanes = cores[follower.source.core].outputs[follower.source.output].lanes
        folded = follower.core.with_lanes(lanes, follower.port).within(pace)
        name = folded.name
        folded = folded.fold(asked.get(name, {}), f"{name} of layer {layer.name!r} ({core.name})")
        cores[name] = folded
        followers.append(folded)
    return tuple(followers)


def _input_fifo(streams: tuple[StreamCore, ...], core: LayerCore) -> int:
    """Words that arrive before the window while it does not read."""
    if core.reads_image:
        return NO_FIFO
    if core.keeps_frames and core.burst_words:
        return streams[0].inputs[0].words
    return _frame_gap_fifo(streams)


def _frame_gap_fifo(streams: tuple[StreamCore, ...]) -> int:
    """Words of input that arrive while the window works off the padding below a frame and cannot start the next.

    The last rows of windows of a frame need only padding, and the window takes no more of the next frame than its
    buffer has spare: for that time the layer before would stall, and then refill the first rows at its own slow rate.
    """
    closing = sum(stream.closing_words for stream in streams)
    return closing + sum(stream.opening_words for stream in streams) if closing else NO_FIFO


def _vector_fifo(window: StreamCore, core: LayerCore) -> int:
    """Words that let the window run ahead of a core which reads a vector in a burst and then works on it.

    Needed where the window is narrower than the core, and where it needs longer to start a frame than the core is busy.
    """
    idle = core.vector_cycles - core.vector_words
    behind = core.inputs[0].lanes > window.outputs[0].lanes and idle > 0
    vectors = 1 if behind else 0
    if idle > 0:
        vectors = max(vectors, math.ceil((window.fill_words - idle) / core.vector_cycles))
    return max(NO_FIFO, vectors * core.vector_words)
