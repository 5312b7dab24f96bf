"""The plan that a folding file asks for: its values checked against the layers, what it leaves open derived."""

from __future__ import annotations

import math
from dataclasses import replace

from codegen.errors import FoldingError
from codegen.finn.folding.file import NodeFolding
from codegen.finn.folding.layers import Layer
from codegen.finn.folding.plan import LayerPlan, plan_layer
from codegen.finn.folding.solver import Plan, divisors


def plan_from_file(layers: tuple[Layer, ...], folding: NodeFolding) -> Plan:
    """One plan per layer from the file's SIMD, PE and TP (1, 1 and T where it says nothing).

    Raises FoldingError naming layer, value and the valid divisors where a value does not divide.
    """
    return tuple(_plan(layer, folding) for layer in layers)


def _plan(layer: Layer, folding: NodeFolding) -> LayerPlan:
    chosen = folding.get(layer.node, {})
    spec = layer.mvau
    simd, pe = int(chosen.get("SIMD", 1)), int(chosen.get("PE", 1))
    tp = int(chosen.get("TP", spec.timesteps))
    where = f"layer {layer.name!r} ({layer.node})"
    require_divisor(where, "SIMD", simd, spec.mw, "inputs")
    require_divisor(where, "PE", pe, spec.mh, "output channels")
    if spec.sums_once and tp != spec.timesteps:
        reason = "its image is the same at every step" if spec.static_input else "the read-out counts the spikes first"
        raise FoldingError(f"{where}: TP={tp} is not possible, {reason}; valid is {spec.timesteps}")
    require_divisor(where, "TP", tp, spec.timesteps, "time steps")
    window_simd = 0
    if layer.window:
        channels = layer.window.channels
        window_simd = int(folding.get(layer.window.node, {}).get("SIMD", math.gcd(simd, channels)))
        require_divisor(f"{layer.window.node} of {where}", "SIMD", window_simd, channels, "channels")
        if layer.window.padding_node:
            padding_simd = int(folding.get(layer.window.padding_node, {}).get("SIMD", window_simd))
            require_divisor(f"{layer.window.padding_node} of {where}", "SIMD", padding_simd, channels, "channels")
    if layer.pool:
        pool_pe = int(folding.get(layer.pool.name, {}).get("PE", pe))
        require_divisor(f"{layer.pool.name} of {where}", "PE", pool_pe, layer.pool.channels, "channels")
    plan = plan_layer(layer, replace(spec, simd=simd, pe=pe, tp=tp), window_simd)
    if "memStyle" in chosen:
        plan = replace(plan, mvau=replace(plan.mvau, memory_style=chosen["memStyle"]))
    return plan


def require_divisor(where: str, name: str, value: int, number: int, what: str) -> None:
    """Raise FoldingError unless ``value`` divides ``number``."""
    if value < 1 or number % value:
        valid = ", ".join(str(divisor) for divisor in divisors(number))
        raise FoldingError(f"{where}: {name}={value} does not divide its {number} {what}; valid are {valid}")


def explicit(planned: NodeFolding, asked: NodeFolding) -> NodeFolding:
    """The planned attributes with those that the file names outright on top."""
    return {name: {**attributes, **asked.get(name, {})} for name, attributes in planned.items()}
