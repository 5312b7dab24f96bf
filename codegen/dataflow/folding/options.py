"""The foldings that the solver chooses from: what each layer's cores offer, and what others see of each choice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from codegen.cores.core import MAX_STREAM_BITS, LayerCore
from codegen.dataflow.folding.event import EventChoice
from codegen.dataflow.folding.joins import Timing, timing_of
from codegen.dataflow.folding.layers import Layer
from codegen.dataflow.folding.plan import LayerPlan, plan_layer
from codegen.errors import FoldingError
from codegen.fit import Resources

RESOURCES = ("lut", "half_bram36", "ff", "dsp")
"""Columns of a cost, all whole numbers: block RAMs are counted in halves."""

Costs = NDArray[np.int64]

MacPlaces = Literal["lut", "dsp", "auto"]
"""Where sums are accumulated: in look-up tables, in DSP slices wherever they can be, or in either."""


@dataclass(frozen=True)
class Ports:
    """All that the other layers see of a folded layer; options with the same ports differ only in cost and cycles."""

    read: int
    """Bits of a word that its first node reads."""
    joins: tuple[tuple[int, ...], ...]
    """Bits of a word at each input of each follower."""
    outputs: tuple[tuple[int, ...], ...]
    """Bits of a word at each output of each of its cores, the followers behind the core."""
    timing: Timing


@dataclass(frozen=True)
class Choices:
    """Options of one layer with the same ports, fastest first; none is worse than another in all of cost and cycles."""

    ports: Ports
    options: tuple[LayerPlan, ...]
    costs: Costs
    """[options, resources], without what lies between layers."""
    cycles: Costs
    """[options]"""


def layer_options(
    layer: Layer, events: EventChoice | None = None, external: bool = False, mac: MacPlaces = "lut"
) -> tuple[LayerPlan, ...]:
    """Every folding the solver considers for one layer, fastest first.

    A window feeds words of SIMD channels, or whole pixels to a core that takes several pixels at once, so that only
    converters of a whole ratio stand between them. Weights and windows lie in block RAM or in look-up tables, and
    followers that can work at several paces do so at each that is no faster than the layer's core. ``events``: that
    cores may be event-driven too, where that makes them faster. With ``external`` weights these are outside the chip
    instead, and take as few beats of the bus in each option; without any such option there is none. ``mac``: where sums
    are accumulated. Raises FoldingError where no core with weights on the chip is as fast as ``events`` guarantees.
    """
    found = sorted(_options(layer, events, external, mac), key=lambda option: option.cycles)
    if not found and events is not None and not external:
        fastest = min(core.cycles for core in layer.core.foldings())
        raise FoldingError(
            f"layer {layer.name!r} needs at least {fastest} cycles per frame for some image, and {events.guaranteed} "
            "are to be guaranteed"
        )
    least = min((option.core.weight_beats for option in found), default=0)
    return tuple(option for option in found if option.core.weight_beats == least)


def _options(layer: Layer, events: EventChoice | None, external: bool, mac: MacPlaces) -> Iterator[LayerPlan]:
    channels = layer.streams[-1].most_lanes if layer.streams else 0
    for core, event_cycles in _cores(layer, events):
        lanes = core.inputs[0].lanes
        if channels and lanes % channels and channels % lanes:
            continue
        for plan in _paced(plan_layer(layer, core, min(lanes, channels), event_cycles=event_cycles)):
            if any(stream.bits > MAX_STREAM_BITS for node in plan.nodes for stream in (*node.inputs, *node.outputs)):
                continue
            for placed in _outside(plan) if external else _inside(plan):
                for core in _macs(placed.core, mac):
                    for streams in product(*(stream.memory_choices() for stream in plan.streams)):
                        yield replace(placed, core=core, streams=streams)


def _inside(plan: LayerPlan) -> Iterator[LayerPlan]:
    """The plan with its weights in each memory that they may be in."""
    for core in plan.core.memory_choices():
        yield replace(plan, core=core)


def _outside(plan: LayerPlan) -> Iterator[LayerPlan]:
    """The plan with its weights outside, where the window gives a word in every cycle: a core that works on frames
    reads in few of its passes."""
    lanes = plan.streams[-1].outputs[0].lanes if plan.streams else 0
    if plan.streams and lanes < plan.core.inputs[0].lanes:
        return
    for core in plan.core.external_choices():
        # It needs another FIFO before it; the followers stay as they are.
        yield replace(plan_layer(plan.layer, core, lanes), followers=plan.followers)


def _macs(core: LayerCore, mac: MacPlaces) -> tuple[LayerCore, ...]:
    """The core with its sums in each place where they may be; in look-up tables where nothing else is possible."""
    in_slices = () if mac == "lut" else core.dsp_choices()
    return in_slices[-1:] if mac == "dsp" and in_slices else (core, *in_slices)


def _cores(layer: Layer, events: EventChoice | None) -> Iterator[tuple[LayerCore, int | None]]:
    """The foldings of a layer's core, and the cycles of those that are event-driven."""
    for core in layer.core.foldings():
        if events is None or events.allows(core):
            yield core, None
        event = events.event_form(layer.name, core) if events else None
        if events and event and events.allows(event[0]):
            yield event


def _paced(plan: LayerPlan) -> Iterator[LayerPlan]:
    """The plan, and those whose followers are slower than its core."""
    paces = sorted({pace for core in plan.followers for pace in core.paces() if pace > plan.core_cycles})
    lanes = plan.streams[-1].outputs[0].lanes if plan.streams else 0
    yield plan
    for pace in paces:
        yield plan_layer(plan.layer, plan.core, lanes, pace=pace, event_cycles=plan.event_cycles)


def layer_choices(options: tuple[LayerPlan, ...]) -> tuple[Choices, ...]:
    """A layer's options by ports, without those that another one is as good as or better in every respect."""
    groups: dict[Ports, list[LayerPlan]] = {}
    for option in options:
        groups.setdefault(_ports(option), []).append(option)
    return tuple(_choices(ports, group) for ports, group in groups.items())


def _choices(ports: Ports, options: list[LayerPlan]) -> Choices:
    costs = np.array([cost_vector(option.resources({})) for option in options], np.int64)
    cycles = np.array([option.cycles for option in options], np.int64)
    kept = np.sort(undominated(np.column_stack([costs, cycles])))
    return Choices(ports, tuple(options[index] for index in kept), costs[kept], cycles[kept])


def _ports(option: LayerPlan) -> Ports:
    return Ports(
        read=option.nodes[0].inputs[0].bits,
        joins=tuple(tuple(stream.bits for stream in core.inputs) for core in option.followers),
        outputs=tuple(tuple(stream.bits for stream in core.outputs) for core in (option.core, *option.followers)),
        timing=timing_of(option),
    )


def cost_vector(resources: Resources) -> tuple[int, int, int, int]:
    """Resources in the order of RESOURCES."""
    return resources.lut, round(2 * resources.bram36), resources.ff, resources.dsp


def undominated(costs: Costs) -> NDArray[np.intp]:
    """Rows of [rows, columns] of which no other row is as small in every column; of equal rows the first one.

    They come in lexicographic order of their values.
    """
    order = np.lexsort(costs.T[::-1])
    ordered = costs[order]
    if costs.shape[1] == 1:
        return order[:1]
    if costs.shape[1] == 2:
        least = np.minimum.accumulate(ordered[:, 1])
        return order[np.concatenate([[True], ordered[1:, 1] < least[:-1]])]
    kept: list[int] = []
    for row in range(len(ordered)):
        # What could be as small in every column stands before it.
        if not (ordered[kept] <= ordered[row]).all(axis=1).any():
            kept.append(row)
    return order[kept]
