"""Small views on the nodes of model.onnx and graph.onnx."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from onnx import NodeProto, helper

from codegen.dialect import DOMAIN, READ_OUT
from codegen.neurons import NEURONS


def attribute(node: NodeProto, name: str, default: Any = None) -> Any:
    """Value of a node's attribute, lists as tuples, or the default when the node does not carry it."""
    for candidate in node.attribute:
        if candidate.name == name:
            value = helper.get_attribute_value(candidate)
            if isinstance(value, bytes):
                return value.decode(errors="replace")
            return tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else value
    return default


def is_neuron(node: NodeProto) -> bool:
    """Whether the node is the function node of one of codegen.neurons."""
    return node.domain == DOMAIN and node.op_type in NEURONS


def is_read_out(node: NodeProto) -> bool:
    """Whether the node is the ReadOut function node."""
    return node.domain == DOMAIN and node.op_type == READ_OUT


def reshape_kind(before: Sequence[int], after: Sequence[int]) -> Literal["split", "join", "flatten"] | None:
    """What a Reshape of one frame does: [T, ...] to [T, 1, ...], which splits the batch off the time steps, that
    joined again, or a feature map [T, channels, height, width] flattened; None for anything else."""
    before, after = tuple(before), tuple(after)
    if after[1:2] == (1,) and (after[0], *after[2:]) == before:
        return "split"
    if before[1:2] == (1,) and (before[0], *before[2:]) == after:
        return "join"
    flattens = len(before) == len("NCHW") and len(after) == len("NC") and after[0] == before[0]
    return "flatten" if flattens else None


def describe(node: NodeProto) -> str:
    """A node by operator and name, as messages have it."""
    operator = f"{node.domain}::{node.op_type}" if node.domain else node.op_type
    return f"{operator} {(node.name or next(iter(node.output), ''))!r}"
