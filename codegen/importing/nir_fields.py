"""The fields that each type of NIR node has, and what a file read may hold of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from codegen.errors import ImportingError

MOST_NODES = 10_000

_CONVOLUTION = {"weight", "bias", "stride", "padding", "dilation", "groups"}
_NEURON = {"r", "v_threshold"}
FIELDS: dict[str, tuple[set[str], set[str]]] = {
    "Input": ({"shape"}, set()),
    "Output": (set(), {"shape"}),
    "Affine": ({"weight", "bias"}, set()),
    "Linear": ({"weight"}, set()),
    "Scale": ({"scale"}, set()),
    "Conv1d": (_CONVOLUTION, {"input_shape"}),
    "Conv2d": (_CONVOLUTION, {"input_shape"}),
    "SumPool2d": ({"kernel_size", "stride", "padding"}, set()),
    "AvgPool2d": ({"kernel_size", "stride", "padding"}, set()),
    "Flatten": ({"start_dim", "end_dim"}, {"input_type"}),
    "IF": (_NEURON, {"v_reset"}),
    "LIF": (_NEURON | {"tau", "v_leak"}, {"v_reset"}),
    "CubaLIF": (_NEURON | {"tau_syn", "tau_mem", "v_leak"}, {"v_reset", "w_in"}),
    "LI": ({"tau", "r", "v_leak"}, set()),
    "CubaLI": ({"tau_syn", "tau_mem", "r", "v_leak"}, {"w_in"}),
    "I": ({"r"}, set()),
    "Delay": ({"delay"}, set()),
    "Threshold": ({"threshold"}, set()),
    "NIRGraph": ({"nodes", "edges"}, set()),
}
"""Of each type, the fields that it must have and those that it may; ``type`` and ``metadata`` come beside them."""


def check(found: dict[str, Any], path: Path) -> None:
    """Check what was read of a file against the types, and bring it to the form that ``nir.dict2NIRNode`` takes.

    Raises ImportingError: for unknown types all at once, else for the first node with a wrong field.
    """
    if found.get("type") != "NIRGraph":
        raise ImportingError(f"{path} begins with a node of the type {found.get('type')!r}, and must with a NIRGraph")
    unknown: list[str] = []
    count = _types(found, "", path, unknown)
    if unknown:
        raise ImportingError(f"{path} holds nodes of types that NIR does not have: {', '.join(unknown)}")
    if count > MOST_NODES:
        raise ImportingError(f"{path} has {count} nodes, and at most {MOST_NODES} are read")
    _fields(found, "the graph", path)


def _types(node: dict[str, Any], name: str, path: Path, unknown: list[str]) -> int:
    nodes = node.get("nodes")
    if not isinstance(nodes, dict) or not nodes:
        raise ImportingError(f"{path} has no nodes in {name or 'its graph'}")
    count = len(nodes)
    for key, child in nodes.items():
        full = f"{name}{key}"
        if not isinstance(child, dict) or not isinstance(child.get("type"), str):
            raise ImportingError(f"{path}: {full} does not say its type")
        if child["type"] not in FIELDS:
            unknown.append(f"{full} ({child['type']})")
        elif child["type"] == "NIRGraph":
            count += _types(child, f"{full}.", path, unknown)
    return count


def _fields(node: dict[str, Any], name: str, path: Path) -> None:
    kind = node["type"]
    required, optional = FIELDS[kind]
    there = set(node) - {"type", "metadata"}
    missing, unexpected = sorted(required - there), sorted(there - required - optional)
    if missing:
        raise ImportingError(f"{path}: {name} is a {kind} without {' and '.join(missing)}")
    if unexpected:
        raise ImportingError(f"{path}: {name} is a {kind} and has {', '.join(unexpected)}, which no {kind} has")
    if not isinstance(node.setdefault("metadata", {}), dict):
        raise ImportingError(f"{path}: {name} has metadata that is no group of values")
    if kind == "NIRGraph":
        node["edges"] = _edges(node["edges"], name, path)
        node["type_check"] = False
        for key, child in node["nodes"].items():
            _fields(child, key if name == "the graph" else f"{name}.{key}", path)
        return
    for field in there:
        _check_values(node[field], f"{name} has a {field}", path, field)
    if kind == "Output":
        node.setdefault("shape", None)
    if kind.startswith("Conv"):
        node.setdefault("input_shape", None)


def _edges(edges: Any, name: str, path: Path) -> list[tuple[str, str]]:
    array = np.asarray(edges)
    if array.size == 0:
        return []
    if array.ndim != 2 or array.shape[1] != 2 or not all(isinstance(end, str) for end in array.flat):
        raise ImportingError(f"{path}: the edges of {name} are no pairs of names")
    return [(str(source), str(target)) for source, target in array]


def _check_values(value: Any, subject: str, path: Path, field: str) -> None:
    if isinstance(value, str):
        if field == "padding":
            return
        raise ImportingError(f"{path}: {subject} that is text, and it must be numbers")
    array = np.asarray(value)
    if isinstance(value, dict) or array.dtype.kind not in "iufb":
        raise ImportingError(f"{path}: {subject} that is no array of numbers")
    if not array.size:
        raise ImportingError(f"{path}: {subject} with nothing in it")
    if field not in ("tau", "r") and not np.isfinite(array).all():
        raise ImportingError(f"{path}: {subject} of NaN or infinity, and it must be finite")
