"""The plan that a folding file asks for: its values checked against the layers, what it leaves open derived."""

from __future__ import annotations

import math

from codegen.dataflow.folding.file import NodeFolding
from codegen.dataflow.folding.layers import Layer
from codegen.dataflow.folding.plan import LayerPlan, plan_layer
from codegen.dataflow.folding.solver import Plan


def plan_from_file(layers: tuple[Layer, ...], folding: NodeFolding) -> Plan:
    """One plan per unfolded layer from the file's values; what it leaves open stays unfolded, and follows the core.

    Raises FoldingError naming layer, value and the valid divisors where a value does not divide.
    """
    return tuple(_plan(layer, folding) for layer in layers)


def _plan(layer: Layer, folding: NodeFolding) -> LayerPlan:
    where = f"layer {layer.name!r} ({layer.core.name})"
    core = layer.core.fold(folding.get(layer.core.name, {}), where)
    lanes = 0
    for stream in reversed(layer.streams):
        before = stream.with_lanes(lanes or math.gcd(core.inputs[0].lanes, stream.most_lanes))
        folded = before.fold(folding.get(stream.name, {}), f"{stream.name} of {where}")
        lanes = lanes or folded.inputs[0].lanes
    return plan_layer(layer, core, lanes, folding)


def explicit(planned: NodeFolding, asked: NodeFolding) -> NodeFolding:
    """The planned attributes with those that the file names outright on top."""
    return {name: {**attributes, **asked.get(name, {})} for name, attributes in planned.items()}
