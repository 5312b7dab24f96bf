"""What the cores of the stream infrastructure share: one HLS header that instantiates a core with named constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codegen.core.core import Rendered
from codegen.core.rendering import render


@dataclass(frozen=True)
class PlumbingNode:
    """An instance of ``function`` of <function>.hpp between two streams, with the constants that its header names."""

    name: str
    summary: str
    function: str
    in_bits: int
    out_bits: int
    constants: Mapping[str, int]


def write_node(node: PlumbingNode, folder: Path) -> Rendered:
    """Write <name>.hpp into the folder."""
    header = f"{node.name}.hpp"
    render("hls", "plumbing_instance.hpp.j2", vars(node), folder / header)
    return Rendered((header,))
