"""What the plumbing cores share: one HLS header that instantiates a core with named constants."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from codegen.core.rendering import render


@dataclass(frozen=True)
class Constant:
    """One constant of the parameter struct that the core's header documents."""

    name: str
    value: int


@dataclass(frozen=True)
class PlumbingNode:
    """An instance of a plumbing core: ``function`` of ``header`` with its constants, between two streams."""

    name: str
    summary: str
    header: str
    function: str
    in_bits: int
    out_bits: int
    constants: tuple[Constant, ...]


def write_node(node: PlumbingNode, folder: Path) -> list[Path]:
    """Write <name>.hpp into the folder; returns the file written."""
    return [render("hls", "plumbing_instance.hpp.j2", vars(node), folder / f"{node.name}.hpp")]
