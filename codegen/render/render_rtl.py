"""The RTL source tree: FINN's modules with their patch steps, our cores, the top level and the file list."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from codegen.cores.rendering import render
from codegen.render.graph import DataflowGraph, Node
from codegen.render.manifest import Manifest, RenderedEdge, RenderedNode, write_manifest
from hls_templates import RTL_DIR

TOP = "accelerator"
FILE_LIST = "files.txt"
_CORE_FOLDER = "cores"
_PACKAGE_SUFFIX = "_pkg.sv"


@dataclass(frozen=True)
class Instance:
    """A node in the top level, and the indices of the streams at its ports."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def render_rtl(graph: DataflowGraph, folder: Path, progress: Callable[[str], None]) -> Manifest:
    """Write the RTL tree of a graph into an empty folder.

    Layout: finn/ patched library files of FINN, cores/ hand-written modules, one module per node with its memory files,
    accelerator.sv, files.txt (compile order) and nodes.json (see ``codegen.render.manifest``).
    ``progress`` is told the name of each node. Raises RenderError when an installed FINN file is not the known one.
    """
    rendered = []
    for node in graph.nodes:
        progress(node.name)
        rendered.append(_render_node(node, folder))
    top = f"{TOP}.sv"
    instances = [Instance(node.name, graph.inputs_of(node), graph.outputs_of(node)) for node in graph.nodes]
    values = {
        "input": graph.input,
        "output": graph.output,
        "output_edge": graph.output_edge,
        "streams": [edge.stream for edge in graph.edges],
        "instances": instances,
    }
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
        edges=tuple(
            RenderedEdge(_name(edge.producer), edge.output, _name(edge.consumer), edge.input) for edge in graph.edges
        ),
    )
    (folder / FILE_LIST).write_text("\n".join(manifest.files) + "\n", encoding="utf-8")
    write_manifest(manifest, folder)
    return manifest


def _name(node: Node | None) -> str | None:
    return node.name if node else None


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
        inputs=node.core.inputs,
        outputs=node.core.outputs,
        cycles=node.cycles,
        parameters=node.core.parameters(),
    )
