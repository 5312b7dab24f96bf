"""What the cores of the stream infrastructure share: one HLS header that instantiates a core with named constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codegen.cores.core import Rendered, Stream
from codegen.cores.rendering import render


@dataclass(frozen=True)
class StreamInstance:
    """An instance of ``function`` of <function>.hpp between its streams, with the constants that its header names."""

    name: str
    summary: str
    function: str
    ports: tuple[tuple[str, Stream], ...]
    """The core's ``function_ports``."""
    constants: Mapping[str, int]


def write_node(node: StreamInstance, folder: Path) -> Rendered:
    """Write <name>.hpp into the folder."""
    header = f"{node.name}.hpp"
    render("hls", "stream_core_instance.hpp.j2", vars(node), folder / header)
    return Rendered((header,))
