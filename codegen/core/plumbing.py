"""What the plumbing cores share: one HLS header that instantiates a core with named constants."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined


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
    environment = Environment(
        loader=PackageLoader("hls_templates", "hls"), undefined=StrictUndefined, keep_trailing_newline=True
    )
    target = folder / f"{node.name}.hpp"
    target.write_text(environment.get_template("plumbing_instance.hpp.j2").render(vars(node)))
    return [target]
