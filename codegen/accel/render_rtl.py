"""The RTL source tree: FINN's modules with their patch steps, our cores, the top level and the file list."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from codegen.accel.graph import DataflowGraph, Node
from codegen.accel.manifest import Manifest, RenderedNode, write_manifest
from codegen.core.rendering import render
from hls_templates import RTL_DIR

TOP = "accelerator"
FILE_LIST = "files.txt"
_CORE_FOLDER = "cores"
_PACKAGE_SUFFIX = "_pkg.sv"


def render_rtl(graph: DataflowGraph, folder: Path, progress: Callable[[str], None]) -> Manifest:
    """Write the RTL tree of a graph into an empty folder.

    Layout: finn/ patched library files of FINN, cores/ hand-written modules, one module per node with its memory files,
    accelerator.sv, files.txt (compile order) and nodes.json (see ``codegen.accel.manifest``).
    ``progress`` is told the name of each node. Raises RenderError when an installed FINN file is not the known one.
    """
    rendered = []
    for node in graph.nodes:
        progress(node.name)
        rendered.append(_render_node(node, folder))
    top = f"{TOP}.sv"
    streams = [graph.input, *(node.output for node in graph.nodes)]
    values = {"input": graph.input, "output": graph.output, "streams": streams, "nodes": graph.nodes}
    render("rtl", f"{top}.j2", values, folder / top)
    sources = list(dict.fromkeys(file for node in rendered for file in node.files))
    sources.sort(key=lambda file: not file.endswith(_PACKAGE_SUFFIX))
    manifest = Manifest(
        top=TOP,
        bound=graph.bound,
        input=graph.input,
        output=graph.output,
        files=(*sources, top),
        nodes=tuple(rendered),
    )
    (folder / FILE_LIST).write_text("\n".join(manifest.files) + "\n")
    write_manifest(manifest, folder)
    return manifest


def _render_node(node: Node, folder: Path) -> RenderedNode:
    """Write a node's module and the hand-written ones that it needs."""
    shared = []
    for name in node.core.sources["rtl"]:
        target = Path(_CORE_FOLDER) / name
        (folder / target).parent.mkdir(exist_ok=True)
        shutil.copyfile(RTL_DIR / name, folder / target)
        shared.append(str(target))
    rendered = node.core.render("rtl", folder)
    return RenderedNode(
        name=node.name,
        op=node.op,
        module=node.name,
        files=(*shared, *rendered.sources),
        data_files=rendered.data_files,
        input=node.input,
        output=node.output,
        cycles=node.cycles,
        parameters=node.core.parameters(),
    )
