"""The cheapest folding for a target, and the fastest that fits a budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from codegen.cores.core import MAX_STREAM_BITS, Core
from codegen.dataflow.folding.joins import depths_resources, planned_depths
from codegen.dataflow.folding.layers import Layer
from codegen.dataflow.folding.plan import LayerPlan, plan_layer
from codegen.errors import FoldingError
from codegen.fit import Resources, total

LUTS_PER_BRAM36 = 300
"""Exchange rate by which one block RAM counts as cost next to LUTs (an XC7Z020 has 380 LUTs per BRAM36)."""

Plan = tuple[LayerPlan, ...]


def cost(resources: Resources) -> float:
    """LUTs, with block RAMs at their exchange rate."""
    return resources.lut + LUTS_PER_BRAM36 * resources.bram36


def plan_resources(plan: Plan, depths: Mapping[str, Sequence[int]] | None = None) -> Resources:
    """Estimate of the whole accelerator, with FIFOs of these ``depths`` by core; of the planned ones without."""
    before: dict[str, Core] = {}
    parts = [depths_resources(plan, planned_depths(plan) if depths is None else depths)]
    for layer_plan in plan:
        parts.append(layer_plan.core_resources(before))
        before.update(layer_plan.cores)
    return total(parts)


def plan_cycles(plan: Plan) -> int:
    """Cycles per frame of the slowest node."""
    return max(layer_plan.cycles for layer_plan in plan)


def layer_options(layer: Layer) -> tuple[LayerPlan, ...]:
    """Every folding the solver considers for one layer, fastest first.

    A window feeds words of SIMD channels, or whole pixels to a core that takes several pixels at once, so that only
    converters of a whole ratio stand between them.
    """
    options = []
    channels = layer.streams[-1].most_lanes if layer.streams else 0
    for core in layer.core.foldings():
        lanes = core.inputs[0].lanes
        if channels and lanes % channels and channels % lanes:
            continue
        option = plan_layer(layer, core, min(lanes, channels))
        if all(stream.bits <= MAX_STREAM_BITS for node in option.nodes for stream in (*node.inputs, *node.outputs)):
            options.append(option)
    return tuple(sorted(options, key=lambda option: option.cycles))


def fold_for_target(layers: tuple[Layer, ...], target_cycles: int) -> Plan:
    """The cheapest folding in which no node needs more than ``target_cycles`` per frame.

    Raises FoldingError when a layer cannot be that fast even with the largest SIMD and PE.
    """
    options = {layer.core.name: layer_options(layer) for layer in layers}
    return _fold(layers, options, target_cycles)


def _fold(layers: tuple[Layer, ...], options: dict[str, tuple[LayerPlan, ...]], target_cycles: int) -> Plan:
    plan: list[LayerPlan] = []
    before: dict[str, Core] = {}
    for layer in layers:
        fast_enough = [option for option in options[layer.core.name] if option.cycles <= target_cycles]
        if not fast_enough:
            fastest = options[layer.core.name][0]
            folds = ", ".join(f"{name}={value}" for name, value in fastest.core.divisions().items())
            raise FoldingError(
                f"layer {layer.name!r} needs at least {fastest.cycles} cycles per frame ({folds}), "
                f"the target is {target_cycles}"
            )
        plan.append(min(fast_enough, key=lambda option: (cost(option.resources(before)), option.cycles)))
        before.update(plan[-1].cores)
    return tuple(plan)


def smallest_plan(layers: tuple[Layer, ...]) -> Plan:
    """The cheapest folding at any speed."""
    options = {layer.core.name: layer_options(layer) for layer in layers}
    return _fold(layers, options, max(option[-1].cycles for option in options.values()))


def fold_for_budget(layers: tuple[Layer, ...], budget: Resources) -> Plan | None:
    """The fastest folding whose estimate stays within the budget, or None when not even the smallest does."""
    options = {layer.core.name: layer_options(layer) for layer in layers}
    # Below the slowest layer's best no target can be met.
    floor = max(choices[0].cycles for choices in options.values())
    targets = sorted({option.cycles for choices in options.values() for option in choices if option.cycles >= floor})
    best: Plan | None = None
    low, high = 0, len(targets) - 1
    while low <= high:
        middle = (low + high) // 2
        plan = _fold(layers, options, targets[middle])
        if within(plan_resources(plan), budget):
            best, high = plan, middle - 1
        else:
            low = middle + 1
    return best


def within(needed: Resources, budget: Resources) -> bool:
    """Whether LUTs, block RAMs and DSPs stay within the budget."""
    return needed.lut <= budget.lut and needed.bram36 <= budget.bram36 and needed.dsp <= budget.dsp
