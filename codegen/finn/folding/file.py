"""folding.json in FINN's format: {"Defaults": {}, "<node name>": {"PE": 4, "SIMD": 8, ...}, ...}."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qonnx.core.modelwrapper import ModelWrapper

from codegen.errors import FoldingError
from codegen.finn.folding.layers import is_op
from codegen.finn.folding.plan import LayerPlan
from codegen.finn.folding.solver import Plan
from sca_train.files import write_text

NodeFolding = Mapping[str, Mapping[str, Any]]
"""Node name -> attribute name -> value."""

ATTRIBUTES = {
    "SpikingMVAU": ("SIMD", "PE", "TP", "memStyle", "useDsp", "inFIFODepths"),
    "SpikePool": ("PE",),
    "FMPadding": ("SIMD", "inFIFODepths"),
    "ConvolutionInputGenerator": ("SIMD", "ram_style", "inFIFODepths"),
}
"""What a folding may set, by operator."""

CHOICES: Mapping[str, tuple[str | int, ...]] = {
    "memStyle": ("block", "distributed"),
    "ram_style": ("auto", "block", "distributed", "ultra"),
    "useDsp": (0, 1),
}


def plan_folding(model: ModelWrapper, plan: Plan) -> NodeFolding:
    """The node attributes of a plan."""
    names = {layer_plan.layer.node: layer_plan for layer_plan in plan}
    folding: dict[str, dict[str, Any]] = {}
    pending: list[str] = []
    current: LayerPlan | None = None
    for node in model.graph.node:
        if is_op(node, "SpikingMVAU"):
            current = names[node.name]
            folding.update(_layer_folding(current, pending))
            pending = []
        elif is_op(node, "SpikePool") and current is not None:
            folding[node.name] = {"PE": current.mvau.pe}
        else:
            pending.append(node.name)
    return folding


def _layer_folding(plan: LayerPlan, before: list[str]) -> dict[str, dict[str, Any]]:
    """Attributes of one layer's SpikingMVAU and of the padding and window before it."""
    folding: dict[str, dict[str, Any]] = {}
    for position, name in enumerate(before):
        folding[name] = {"SIMD": plan.window_simd}
        if position == 0:
            folding[name]["inFIFODepths"] = [plan.input_fifo]
        if plan.layer.window and name == plan.layer.window.node:
            folding[name]["ram_style"] = plan.window_ram_style
    folding[plan.layer.node] = {
        "SIMD": plan.mvau.simd,
        "PE": plan.mvau.pe,
        "TP": plan.mvau.tp,
        "memStyle": plan.mvau.memory_style,
        "inFIFODepths": [plan.vector_fifo if plan.layer.window else plan.input_fifo],
    }
    return folding


def write_folding(folding: NodeFolding, target: Path) -> None:
    """Write a folding that ``read_folding`` and FINN's ApplyConfig read back."""
    write_text(target, json.dumps({"Defaults": {}, **folding}, indent=2) + "\n")


def read_folding(path: Path, model: ModelWrapper) -> NodeFolding:
    """The folding of a file, checked against the graph's nodes (specialised, uniquely named).

    ``Defaults`` is as in FINN: {"<attribute>": [value, ["<op type>", ...]]}, or "all" in place of the list. Raises
    FoldingError when the file is not there, is not JSON, names a node or attribute that does not exist, or holds a
    value of the wrong kind.
    """
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise FoldingError(f"folding file {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise FoldingError(f"folding file {path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise FoldingError(
            f"folding file {path} must hold an object of node names, it holds a {type(content).__name__}"
        )
    kinds = {node.name: node.op_type.rpartition("_")[0] or node.op_type for node in model.graph.node}
    folding = {name: _defaults(content.get("Defaults", {}), kinds[name], path) for name in kinds}
    for name, attributes in content.items():
        if name == "Defaults":
            continue
        if name not in kinds:
            known = ", ".join(node for node, kind in kinds.items() if kind in ATTRIBUTES)
            raise FoldingError(f"folding file {path} names {name!r}, which the graph does not have; it has {known}")
        if not isinstance(attributes, dict):
            raise FoldingError(f"folding file {path}: {name!r} must hold an object of attributes")
        for attribute, value in attributes.items():
            _check(path, name, kinds[name], attribute, value)
        folding[name].update(attributes)
    return {name: attributes for name, attributes in folding.items() if attributes}


def _defaults(defaults: Any, kind: str, path: Path) -> dict[str, Any]:
    """What the file's defaults say for one operator."""
    values = {}
    if not isinstance(defaults, dict):
        raise FoldingError(f"folding file {path}: 'Defaults' must hold an object of attributes")
    for attribute, entry in defaults.items():
        if not isinstance(entry, list) or not entry or len(entry) % 2:
            raise FoldingError(
                f'folding file {path}: default {attribute!r} must be [value, "all"] or [value, [op types]]'
            )
        for value, op_types in zip(entry[::2], entry[1::2], strict=True):
            generic = {str(op_type).removesuffix("_rtl").removesuffix("_hls") for op_type in op_types}
            if attribute in ATTRIBUTES.get(kind, ()) and (op_types == "all" or kind in generic):
                _check(path, "Defaults", kind, attribute, value)
                values[attribute] = value
    return values


def _check(path: Path, node: str, kind: str, attribute: str, value: Any) -> None:
    allowed = ATTRIBUTES.get(kind, ())
    if attribute not in allowed:
        valid = f"valid are {', '.join(allowed)}" if allowed else "it has nothing to fold"
        raise FoldingError(f"folding file {path}: {node!r} has no attribute {attribute!r}; {valid}")
    if attribute in CHOICES:
        if value not in CHOICES[attribute]:
            valid = ", ".join(map(str, CHOICES[attribute]))
            raise FoldingError(f"folding file {path}: {node!r} {attribute}={value!r} is not one of {valid}")
        return
    numbers = value if attribute == "inFIFODepths" and isinstance(value, list) else [value]
    if not numbers or not all(
        isinstance(number, int) and not isinstance(number, bool) and number >= 1 for number in numbers
    ):
        raise FoldingError(f"folding file {path}: {node!r} {attribute}={value!r} is not a positive integer")
