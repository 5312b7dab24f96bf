"""What each tensor of model.onnx holds, and where a node reads something that its core cannot take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from onnx import NodeProto
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

from codegen.cores.sum_pool import sum_step_bits
from codegen.dataflow.passes.graph import data_inputs
from codegen.dataflow.passes.infer_pools import POOLS
from codegen.dialect import MAX_STEP_BITS, PIXEL_BITS
from codegen.onnx_nodes import attribute, describe, is_neuron, is_read_out

ARITHMETIC = ("Conv", "MatMul")

Kind = Literal["image", "pixels", "spikes", "map sum", "sum", "term", "signed"]
"""``term``: times its factor, to be added; ``signed``: a sum times -1, 0 or 1 per channel, for neurons."""


@dataclass(frozen=True)
class _Holds:
    """What a tensor holds, the node that made it so, and the bits of each step of spikes."""

    kind: Kind
    origin: NodeProto | None = None
    step_bits: int = 1
    map_sum: NodeProto | None = None
    """The sum of a map that it is made of, which only a read-out takes."""


def graph_problems(model: ModelWrapper) -> list[str]:
    """Nodes that read the wrong thing, and outputs that nothing reads; the nodes themselves must have no problem."""
    graph = model.graph
    image = graph.input[0].name
    datatype = model.get_tensor_datatype(image)
    if datatype.is_integer() and datatype != DataType[f"UINT{PIXEL_BITS}"]:
        return [f"input {image!r} is annotated {datatype}, only UINT{PIXEL_BITS} is possible"]
    holds = {image: _Holds("image")}
    problems = []
    for node in graph.node:
        read = [holds[name] for name in data_inputs(model, node)]
        problems += [f"{describe(at)}: {reason}" for at, reason in _problems(model, node, read)]
        holds[node.output[0]] = _output(model, node, read)
    problems += _unread(model, holds)
    if not any(entry.kind == "pixels" for entry in holds.values()):
        problems.append(f"input {image!r}: it is not transposed to channels first")
    last = model.find_producer(graph.output[0].name)
    if last is None or not is_read_out(last):
        problems.append(f"output {graph.output[0].name!r}: it is not a ReadOut")
    return list(dict.fromkeys(problems))


def _output(model: ModelWrapper, node: NodeProto, read: list[_Holds]) -> _Holds:
    """What a node gives."""
    first = read[0]
    if node.op_type == "Transpose":
        return _Holds("pixels", node)
    if is_neuron(node) or is_read_out(node):
        return _Holds("spikes", node)
    if node.op_type in ARITHMETIC:
        return _Holds("sum", node, map_sum=first.map_sum)
    if node.op_type == "Add":
        return _Holds("sum", node)
    if node.op_type == "Mul":
        return replace(first, kind="term" if factor_of(model, node) else "signed", origin=node)
    if node.op_type == "ReduceSum":
        return _Holds("map sum", node, map_sum=node)
    if node.op_type == "LpPool":
        return _Holds("spikes", node, sum_step_bits(attribute(node, "kernel_shape")[0], first.step_bits))
    return first


def _problems(model: ModelWrapper, node: NodeProto, read: list[_Holds]) -> Iterator[tuple[NodeProto, str]]:
    """Nodes and what is wrong with them, seen from what ``node`` reads."""
    first = read[0]
    if node.op_type == "Transpose" and first.kind != "image":
        yield node, "only the image may be transposed, once"
    elif node.op_type in ARITHMETIC and first.kind in ("sum", "term", "signed"):
        assert first.origin is not None
        yield first.origin, "no neuron follows it"
    elif is_neuron(node) or is_read_out(node):
        yield from _neuron_problems(node, first)
    elif node.op_type in (*POOLS, "ReduceSum") and first.kind != "spikes":
        what = "pooled" if node.op_type in POOLS else "summed over the map"
        yield node, f"only spikes can be {what}, it must follow a neuron"
    elif node.op_type == "MaxPool" and first.step_bits > 1:
        yield node, "only spikes can be pooled by their maximum, not their sums"
    elif node.op_type == "LpPool":
        step_bits = _output(model, node, read).step_bits
        if step_bits > MAX_STEP_BITS:
            yield node, f"its sums take {step_bits} bits of each step, {MAX_STEP_BITS} are possible"
    elif node.op_type == "Add":
        for entry in read:
            if entry.kind not in ("spikes", "sum", "term") or entry.map_sum:
                yield node, "it adds something that is neither spikes nor sums of a Conv or MatMul"
    elif node.op_type == "Mul":
        allowed = ("spikes", "sum") if factor_of(model, node) else ("sum",)
        if first.kind not in allowed or first.map_sum:
            yield node, f"it multiplies something that is not {' or '.join(allowed)}"


def _neuron_problems(node: NodeProto, read: _Holds) -> Iterator[tuple[NodeProto, str]]:
    allowed = ("sum", "signed") if is_neuron(node) else ("sum",)
    if read.kind not in allowed:
        yield node, "no Conv or MatMul before it"
    elif read.map_sum and is_neuron(node):
        yield read.map_sum, f"only a read-out can follow it, not {describe(node)}"
    elif is_read_out(node) and read.origin is not None and read.origin.op_type == "Add":
        yield node, "a read-out takes one fully connected layer, not an addition"


def _unread(model: ModelWrapper, holds: dict[str, _Holds]) -> Iterator[str]:
    """Outputs that end in the air, by what should have followed them."""
    results = {entry.name for entry in model.graph.output}
    for node in model.graph.node:
        if node.output[0] in results or model.find_consumers(node.output[0]):
            continue
        held = holds[node.output[0]]
        if held.kind in ("sum", "term", "signed") and held.origin is not None:
            yield f"{describe(held.origin)}: no neuron follows it"
        else:
            yield f"{describe(node)}: nothing reads its output"


def factor_of(model: ModelWrapper, node: NodeProto) -> int | None:
    """The factor of a term of an addition, where ``node`` multiplies by one number; None for signs of channels."""
    values = model.get_initializer(node.input[1])
    return int(values) if np.ndim(values) == 0 else None
