"""folding.json in FINN's format: {"Defaults": {}, "<node name>": {"PE": 4, "SIMD": 8, ...}, ...}."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qonnx.core.modelwrapper import ModelWrapper

from codegen.cores import CORES, core_class, find_core
from codegen.cores.core import FIFO_DEPTHS, Core, Fold
from codegen.dataflow.folding.joins import planned_depths
from codegen.dataflow.folding.solver import Plan
from codegen.errors import FoldingError
from sca_train.errors import TrainError
from sca_train.files import read_text, write_text

MAX_FIFO_DEPTH = 1 << 20
"""Words of the deepest FIFO that a file may ask for."""

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
        content = json.loads(read_text(path), object_pairs_hook=_without_repeats)
    except OSError as error:
        raise FoldingError(f"folding file {path} cannot be read: {error.strerror}") from error
    except TrainError as error:
        raise FoldingError(f"folding file {error}") from None
    except RecursionError:
        raise FoldingError(f"folding file {path} is nested too deeply") from None
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


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"it holds {name!r} {names.count(name)} times")
    return dict(pairs)


def _defaults(defaults: Any, kind: str, path: Path) -> dict[str, Any]:
    """What the file's defaults say for one operator."""
    values = {}
    if not isinstance(defaults, dict):
        raise FoldingError(f"folding file {path}: 'Defaults' must hold an object of attributes")
    for attribute, entry in defaults.items():
        for value, cores in _pairs_of(attribute, entry, path):
            if attribute in _folds(kind) and find_core(kind) in cores:
                _check(path, "Defaults", kind, attribute, value)
                values[attribute] = value
    return values


def _pairs_of(attribute: str, entry: Any, path: Path) -> list[tuple[Any, list[type[Core]]]]:
    """The values that a default gives an attribute, and the cores that each is for."""
    having = [core for core in CORES if any(fold.attribute == attribute for fold in core.folds)]
    if not having:
        known = ", ".join(sorted({fold.attribute for core in CORES for fold in core.folds}))
        raise FoldingError(
            f"folding file {path}: no operator has the attribute {attribute!r} of 'Defaults'; valid are {known}"
        )
    if not isinstance(entry, list) or not entry or len(entry) % 2:
        raise FoldingError(f'folding file {path}: default {attribute!r} must be [value, "all"] or [value, [op types]]')
    pairs = []
    for value, op_types in zip(entry[::2], entry[1::2], strict=True):
        if op_types == "all":
            pairs.append((value, having))
            continue
        if not isinstance(op_types, list) or not all(isinstance(op_type, str) for op_type in op_types):
            raise FoldingError(
                f'folding file {path}: default {attribute!r} is for {op_types!r}, which is neither "all" nor a list of '
                "operators"
            )
        cores = [find_core(op_type) for op_type in op_types]
        if None in cores:
            unknown = op_types[cores.index(None)]
            raise FoldingError(f"folding file {path}: default {attribute!r} is for the unknown operator {unknown!r}")
        pairs.append((value, [core for core in cores if core is not None]))
    return pairs


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
        if value not in choices or type(value) is not type(choices[0]):
            valid = ", ".join(map(str, choices))
            raise FoldingError(f"folding file {path}: {node!r} {attribute}={value!r} is not one of {valid}")
        return
    if attribute == FIFO_DEPTHS:
        _check_depths(path, node, kind, value)
    elif not _is_positive(value):
        raise FoldingError(f"folding file {path}: {node!r} {attribute}={value!r} is not a positive integer")


def _check_depths(path: Path, node: str, kind: str, value: Any) -> None:
    ports = core_class(kind).input_ports
    if not isinstance(value, list) or len(value) != ports:
        wanted = "a list of one depth" if ports == 1 else f"a list of {ports} depths, one for each input"
        raise FoldingError(f"folding file {path}: {node!r} {FIFO_DEPTHS}={value!r} is not {wanted}")
    for depth in value:
        if not _is_positive(depth) or depth > MAX_FIFO_DEPTH:
            raise FoldingError(
                f"folding file {path}: {node!r} {FIFO_DEPTHS}={value!r} is not positive integers up to {MAX_FIFO_DEPTH}"
            )


def _is_positive(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
