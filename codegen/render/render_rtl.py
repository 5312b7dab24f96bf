"""The RTL source tree: FINN's modules with their patch steps, our cores, the top level and the file list."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from codegen.cores.rendering import render
from codegen.render.graph import DataflowGraph, Node
from codegen.render.manifest import Manifest, RenderedEdge, RenderedNode, write_manifest
from codegen.render.weight_image import WeightRegion, weight_regions, write_weight_image
from codegen.weight_bus import BURST_BEATS, BUS_BITS, OUTSTANDING_BURSTS
from hls_templates import RTL_DIR

TOP = "accelerator"
FILE_LIST = "files.txt"
_CORE_FOLDER = "cores"
_PACKAGE_SUFFIX = "_pkg.sv"


@dataclass(frozen=True)
class Instance:
    """A node in the top level, the indices of the streams at its ports, and of its weights among those from outside."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    weights: int | None = None


READER_FILES = ("weight_channel.sv", "weight_reader.sv")
"""Of the top, where weights come from outside."""


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
    regions = weight_regions(graph.nodes)
    write_weight_image(graph.nodes, folder)
    channels = {region.node: index for index, region in enumerate(regions)}
    instances = [
        Instance(node.name, graph.inputs_of(node), graph.outputs_of(node), channels.get(node.name))
        for node in graph.nodes
    ]
    values = {
        "input": graph.input,
        "output": graph.output,
        "output_edge": graph.output_edge,
        "streams": [edge.stream for edge in graph.edges],
        "instances": instances,
        **reader_values(regions),
    }
    render("rtl", f"{top}.j2", values, folder / top)
    sources = list(dict.fromkeys(file for node in rendered for file in node.files))
    if regions:
        sources += [_copied(name, folder) for name in READER_FILES]
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
        weights=regions,
    )
    (folder / FILE_LIST).write_text("\n".join(manifest.files) + "\n", encoding="utf-8")
    write_manifest(manifest, folder)
    return manifest


def reader_values(regions: Sequence[WeightRegion]) -> dict[str, object]:
    """What the top's template needs to know of the weights from outside."""

    def joined(values: Sequence[int]) -> str:
        return "{" + ", ".join(f"32'd{value}" for value in reversed(values)) + "}"

    return {
        "weights": [{"bits": region.word_bits, "words": region.words, "node": region.node} for region in regions],
        "bus_bits": BUS_BITS,
        "burst_beats": BURST_BEATS,
        "outstanding": OUTSTANDING_BURSTS,
        "length_bits": BURST_BEATS.bit_length(),
        "first_burst": joined([region.first_burst for region in regions]),
        "bursts": joined([region.bursts for region in regions]),
        "last_beats": joined([region.last_beats for region in regions]),
        "count_bits": max((region.bursts.bit_length() for region in regions), default=1),
    }


def _copied(name: str, folder: Path) -> str:
    """A hand-written module, copied; its place in the folder."""
    target = Path(_CORE_FOLDER) / name
    (folder / target).parent.mkdir(exist_ok=True)
    shutil.copyfile(RTL_DIR / name, folder / target)
    return str(target)


def _name(node: Node | None) -> str | None:
    return node.name if node else None


def _render_node(node: Node, folder: Path) -> RenderedNode:
    """Write a node's module and the hand-written ones that it needs."""
    shared = [_copied(name, folder) for name in node.core.sources["rtl"]]
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
