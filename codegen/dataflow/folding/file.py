"""folding.json in FINN's format: {"Defaults": {}, "<node name>": {"PE": 4, "SIMD": 8, ...}, ...}."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qonnx.core.modelwrapper import ModelWrapper

from codegen.cores import find_core
from codegen.cores.core import FIFO_DEPTHS, Core, Fold
from codegen.dataflow.folding.joins import planned_depths
from codegen.dataflow.folding.solver import Plan
from codegen.errors import FoldingError
from sca_train.files import write_text

NodeFolding = Mapping[str, Mapping[str, Any]]
"""Node name -> attribute name -> value."""


def plan_folding(plan: Plan) -> NodeFolding:
    """The node attributes of a plan."""
    depths = planned_depths(plan)
    return {core.name: _attributes(core, depths.get(core.name)) for layer_plan in plan for core in layer_plan.nodes}


def _attributes(core: Core, depths: list[int] | None) -> dict[str, Any]:
    """What a folding sets at one node, with the depths of the FIFOs before it where the plan has some."""
    values = core.folding() | ({} if depths is None else {FIFO_DEPTHS: depths})
    return {fold.attribute: values[fold.attribute] for fold in core.folds if fold.attribute in values}


def with_depths(folding: NodeFolding, depths: Mapping[str, list[int]]) -> NodeFolding:
    """The folding with other FIFO depths where ``depths`` has some, by node."""
    return {**folding, **{name: {**folding.get(name, {}), FIFO_DEPTHS: values} for name, values in depths.items()}}


def depths_of(folding: NodeFolding) -> dict[str, list[int]]:
    """The FIFO depths that a folding sets before the inputs of its nodes."""
    return {name: attributes[FIFO_DEPTHS] for name, attributes in folding.items() if FIFO_DEPTHS in attributes}


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
    kinds = {node.name: node.op_type for node in model.graph.node}
    folding = {name: _defaults(content.get("Defaults", {}), kinds[name], path) for name in kinds}
    for name, attributes in content.items():
        if name == "Defaults":
            continue
        if name not in kinds:
            known = ", ".join(node for node, kind in kinds.items() if _folds(kind))
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
            named = op_types == "all" or any(find_core(str(op_type)) is find_core(kind) for op_type in op_types)
            if attribute in _folds(kind) and named:
                _check(path, "Defaults", kind, attribute, value)
                values[attribute] = value
    return values


def _folds(kind: str) -> dict[str, Fold]:
    """What a folding may set at nodes of one operator, by attribute."""
    core = find_core(kind)
    return {fold.attribute: fold for fold in core.folds} if core else {}


def _check(path: Path, node: str, kind: str, attribute: str, value: Any) -> None:
    allowed = _folds(kind)
    if attribute not in allowed:
        valid = f"valid are {', '.join(allowed)}" if allowed else "it has nothing to fold"
        raise FoldingError(f"folding file {path}: {node!r} has no attribute {attribute!r}; {valid}")
    choices = allowed[attribute].choices
    if choices:
        if value not in choices:
            valid = ", ".join(map(str, choices))
            raise FoldingError(f"folding file {path}: {node!r} {attribute}={value!r} is not one of {valid}")
        return
    numbers = value if attribute == FIFO_DEPTHS and isinstance(value, list) else [value]
    if not numbers or not all(
        isinstance(number, int) and not isinstance(number, bool) and number >= 1 for number in numbers
    ):
        raise FoldingError(f"folding file {path}: {node!r} {attribute}={value!r} is not a positive integer")
