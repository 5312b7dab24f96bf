"""FIFOs before cores that join streams: the shorter way to a join holds what the longer one has in it.

A fork's branches take different numbers of words before they give one. What the longer branch has taken and not yet
given waits before the join on the shorter one; without room for it the fork stops, and with it the longer branch, which
is a deadlock. The depths here are a first guess from the fill of windows and vectors, on the safe side of that;
``codegen.verify.fifo_depths`` measures what the join needs to keep its rate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from codegen.cores.core import Core
from codegen.cores.fifo import fifo_resources
from codegen.dataflow.folding.layers import Source
from codegen.dataflow.folding.plan import NO_FIFO, LayerPlan
from codegen.fit import NO_RESOURCES, Resources, total

_IN_FLIGHT_WORDS = 8
"""Words in the pipelines and output registers of a branch."""


def join_depths(plan: Sequence[LayerPlan]) -> dict[str, list[int]]:
    """Depth of the FIFO before each input of the plan's joins, by the join's name; NO_FIFO where there is none."""
    lags: dict[str, float] = {}
    depths = {}
    for layer_plan in plan:
        layer = layer_plan.layer
        lag = _lag_of(layer.source, lags)
        lag += sum(stream.fill_words / stream.inputs[0].words for stream in layer_plan.streams)
        core = layer_plan.core
        lags[core.name] = lag + core.vector_words / core.inputs[0].words
        for follower, folded in zip(layer.followers, layer_plan.followers, strict=True):
            arrivals = {follower.port: lags[follower.source.core]}
            arrivals |= {port: _lag_of(source, lags) for port, source in follower.joins}
            latest = max(arrivals.values())
            if len(folded.inputs) > 1:
                depths[folded.name] = [
                    _depth(latest - arrivals.get(port, 0.0), stream.words) for port, stream in enumerate(folded.inputs)
                ]
            lags[folded.name] = latest + _own_lag(folded)
    return depths


def join_resources(plan: Sequence[LayerPlan]) -> Resources:
    """Estimate of the FIFOs before the plan's joins."""
    cores = {core.name: core for layer_plan in plan for core in layer_plan.followers}
    return total(
        fifo_resources(stream.bits, depth) if depth > NO_FIFO else NO_RESOURCES
        for name, depths in join_depths(plan).items()
        for stream, depth in zip(cores[name].inputs, depths, strict=True)
    )


def _lag_of(source: Source | None, lags: dict[str, float]) -> float:
    """Part of a frame that the accelerator has read before the source gives its first word."""
    return lags[source.core] if source else 0.0


def _own_lag(core: Core) -> float:
    """Part of a frame that a follower takes before its first word: a word, or a row of windows where it pools."""
    given = core.outputs[0].words
    if given == core.inputs[0].words:
        return 1 / given
    vectors = core.output_tensors[0].vectors
    return 1 / vectors[1] if len(vectors) > 2 else 1.0


def _depth(lead: float, words: int) -> int:
    waiting = math.ceil(lead * words)
    return waiting + _IN_FLIGHT_WORDS if waiting else NO_FIFO
