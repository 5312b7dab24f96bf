"""FIFOs of a plan; those before cores that join streams hold, on the shorter way, what the longer one has in it.

A fork's branches take different numbers of words before they give one. What the longer branch has taken and not yet
given waits before the join on the shorter one; without room for it the fork stops, and with it the longer branch, which
is a deadlock. The depths here are a first guess from the fill of windows and vectors, on the safe side of that;
``codegen.verify.fifo_depths`` measures what is needed to keep the rate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from codegen.cores.core import Core
from codegen.dataflow.folding.layers import Source
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
