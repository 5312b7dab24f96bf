"""graph.onnx read and checked: nodes of the cores' operators, with attributes that these declare, and none that runs.

FINN imports a Python module by the domain of a node, and executes the program that the attribute ``executable_path``
names. What passes here makes it do neither: domains and operators come from the list of cores, and a text is one of the
values that the operator declares, the name of a datatype, or what it is by default.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onnx import AttributeProto, ModelProto, NodeProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from codegen.cores import BACK_ENDS, find_core
from codegen.dialect import DATAFLOW_DOMAIN
from codegen.onnx_file import OnnxFile
from codegen.onnx_nodes import describe

_KINDS = {
    "i": AttributeProto.INT,
    "f": AttributeProto.FLOAT,
    "s": AttributeProto.STRING,
    "t": AttributeProto.TENSOR,
    "ints": AttributeProto.INTS,
    "floats": AttributeProto.FLOATS,
    "strings": AttributeProto.STRINGS,
}
"""Of an attribute, by what qonnx calls them."""

_LARGEST = 2**31 - 1
"""Of an integer attribute."""


def load_graph(path: Path) -> ModelWrapper:
    """Read a graph.onnx.

    Raises ModelError, one sentence, for operators, domains or attributes that no folded graph has, and for damage;
    TrainError where it is no regular file.
    """
    source = OnnxFile(path, "run `make hls` again")
    model = source.read()
    _check_operators(source, model)
    for node in model.graph.node:
        _check_attributes(source, node)
    for tensor in model.graph.initializer:
        source.values(tensor)
    annotations = source.annotations(model.graph)
    for entry in (*model.graph.input, *model.graph.output):
        sizes = [size.dim_value for size in entry.type.tensor_type.shape.dim]
        if entry.name not in annotations or min(sizes, default=0) < 1:
            raise source.error(f"tensor {entry.name!r} has no datatype or no fixed shape")
    # FINN takes orders from some, such as to simulate in another tool; nothing here reads any.
    del model.metadata_props[:]
    return ModelWrapper(model)


def _check_operators(source: OnnxFile, model: ModelProto) -> None:
    if model.functions:
        raise source.error("it has local functions, which no dataflow graph has")
    for node in model.graph.node:
        ending = node.op_type[-len(BACK_ENDS[0]) :]
        known = ending in BACK_ENDS and find_core(node.op_type) is not None
        if not known or node.domain != f"{DATAFLOW_DOMAIN}.{ending[1:]}":
            raise source.error(f"{describe(node)}: no core has that operator in that domain")


def _check_attributes(source: OnnxFile, node: NodeProto) -> None:
    where = describe(node)
    try:
        declared = getCustomOp(node).get_nodeattr_types()
    except KeyError:
        raise source.error(f"{where}: FINN has no operator of that back end") from None
    found = [entry.name for entry in node.attribute]
    for name in found:
        if name not in declared or found.count(name) > 1:
            raise source.error(f"{where}: its attribute {name!r} is unknown or twice there")
    missing = [name for name, (_, required, *_) in declared.items() if required and name not in found]
    if missing:
        raise source.error(f"{where}: its attribute {missing[0]!r} is missing")
    core = find_core(node.op_type)
    texts = {entry.name for entry in core.attributes if entry.kind == "s"} if core is not None else set()
    for entry in node.attribute:
        _check_value(source, f"{where}: {entry.name}", entry, declared[entry.name], entry.name in texts)


def _check_value(source: OnnxFile, where: str, entry: AttributeProto, declared: tuple[Any, ...], text: bool) -> None:
    """One attribute: kind, size, and of texts what they are; ``text``: the core's own, such as the name of a layer."""
    kind, _, default, *allowed = declared
    if entry.type != _KINDS[kind] or entry.ref_attr_name:
        raise source.error(f"{where} is not of the kind that its operator declares")
    value = _decoded(helper.get_attribute_value(entry))
    if allowed and allowed[0] is not None and kind in ("i", "s"):
        if value not in allowed[0]:
            raise source.error(f"{where}={value!r} is none of {', '.join(sorted(map(repr, allowed[0])))}")
    elif kind in ("i", "ints"):
        if any(abs(number) > _LARGEST for number in (value if kind == "ints" else [value])):
            raise source.error(f"{where}={value} is beyond 32 bits")
    elif kind == "s" and entry.name.lower().endswith("datatype"):
        source.datatype(value, where)
    elif not text and value != default:
        raise source.error(f"{where}={value!r} names or holds something outside the graph, only {default!r} is read")


def _decoded(value: Any) -> Any:
    """Texts instead of bytes."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return [_decoded(item) for item in value] if isinstance(value, list | tuple) else value
