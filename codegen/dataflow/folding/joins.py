"""FIFOs of a plan; those before cores that join streams hold, on the shorter way, what the longer one has in it.

A fork's branches take different numbers of words before they give one. What the longer branch has taken and not yet
given waits before the join on the shorter one; without room for it the fork stops, and with it the longer branch, which
is a deadlock. The depths here are a first guess from the fill of windows and vectors, on the safe side of that;
``codegen.verify.fifo_depths`` measures what is needed to keep the rate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from codegen.cores.core import Core
from codegen.dataflow.folding.layers import Layer, Source
from codegen.dataflow.folding.plan import NO_FIFO, LayerPlan, fifo_of_depth
from codegen.fit import Resources, total

_IN_FLIGHT_WORDS = 8
"""Words in the pipelines and output registers of a branch."""


def planned_depths(plan: Sequence[LayerPlan]) -> dict[str, list[int]]:
    """Depths of the FIFOs before the inputs of the plan's cores, by the core's name; NO_FIFO where there is none."""
    depths = {core.name: [depth] for layer_plan in plan for core, depth in layer_plan.fifo_depths if depth is not None}
    return depths | join_depths(plan)


def depths_resources(plan: Sequence[LayerPlan], depths: Mapping[str, Sequence[int]]) -> Resources:
    """Estimate of FIFOs of these depths before the inputs of the plan's cores."""
    cores = [core for layer_plan in plan for core in layer_plan.nodes]
    return total(
        fifo_of_depth(stream.bits, depth)
        for core in cores
        for stream, depth in zip(core.inputs, depths.get(core.name, ()), strict=False)
    )


def join_depths(plan: Sequence[LayerPlan]) -> dict[str, list[int]]:
    """Depth of the FIFO before each input of the plan's joins, by the join's name; NO_FIFO where there is none."""
    lags: dict[str, Fraction] = {}
    depths: dict[str, list[int]] = {}
    for layer_plan in plan:
        own, joins = layer_lags(layer_plan.layer, timing_of(layer_plan), lags)
        lags |= own
        depths |= joins
    return depths


@dataclass(frozen=True)
class Timing:
    """How long a layer holds data back: parts of a frame, and the words of what its followers read."""

    core: Fraction
    """Part of a frame that the layer reads before its core gives the first word."""
    followers: tuple[Fraction, ...]
    """Part of a frame that each follower takes before its first word."""
    words: tuple[tuple[int, ...], ...]
    """Words of a frame at each input of each follower that joins streams; empty for one that does not."""


def timing_of(plan: LayerPlan) -> Timing:
    """The timing of a layer's folding."""
    fill = sum((Fraction(stream.fill_words, stream.inputs[0].words) for stream in plan.streams), Fraction(0))
    words = (tuple(stream.words for stream in core.inputs) for core in plan.followers)
    return Timing(
        core=fill + Fraction(plan.core.vector_words, plan.core.inputs[0].words),
        followers=tuple(_own_lag(core) for core in plan.followers),
        words=tuple(counts if len(counts) > 1 else () for counts in words),
    )


def layer_lags(
    layer: Layer, timing: Timing, before: Mapping[str, Fraction]
) -> tuple[dict[str, Fraction], dict[str, list[int]]]:
    """Lags of a layer's cores by name, and the FIFO depths before the inputs of those that join streams.

    A core's lag is the part of a frame that the accelerator has read before the core gives its first word; ``before``
    has those of the cores of the layers before.
    """
    lags = {layer.core.name: _lag_of(layer.source, before) + timing.core}
    depths = {}
    for follower, own, words in zip(layer.followers, timing.followers, timing.words, strict=True):
        arrivals = {follower.port: lags[follower.source.core]}
        arrivals |= {port: _lag_of(source, {**before, **lags}) for port, source in follower.joins}
        latest = max(arrivals.values())
        if words:
            leads = (latest - arrivals.get(port, Fraction(0)) for port in range(len(words)))
            depths[follower.core.name] = [_depth(lead, count) for lead, count in zip(leads, words, strict=True)]
        lags[follower.core.name] = latest + own
    return lags, depths


def _lag_of(source: Source | None, lags: Mapping[str, Fraction]) -> Fraction:
    return lags[source.core] if source else Fraction(0)


def _own_lag(core: Core) -> Fraction:
    """Part of a frame that a follower takes before its first word: a word, or a row of windows where it pools."""
    given = core.outputs[0].words
    if given == core.inputs[0].words:
        return Fraction(1, given)
    vectors = core.output_tensors[0].vectors
    return Fraction(1, vectors[1]) if len(vectors) > 2 else Fraction(1)


def _depth(lead: Fraction, words: int) -> int:
    waiting = math.ceil(lead * words)
    return waiting + _IN_FLIGHT_WORDS if waiting else NO_FIFO
