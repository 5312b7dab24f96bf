"""The RTL source tree: FINN's modules with their patch steps, our cores, the top level and the file list."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from codegen.accel.graph import FINN_PLUMBING, DataflowGraph, Node
from codegen.accel.manifest import Manifest, RenderedNode, write_manifest
from codegen.accel.patches import patch_generated, patch_library_file
from codegen.accel.plumbing import plumbing_spec
from codegen.core import spike_pool, spiking_mvau
from codegen.core.rendering import render
from codegen.errors import RenderError
from hls_templates import RTL_DIR

TOP = "accelerator"
FILE_LIST = "files.txt"
_FINN_FOLDER = "finn"
_CORE_FOLDER = "cores"
_SIMULATION_ONLY = "fifo_gauge.sv"
_PACKAGE_SUFFIX = "_pkg.sv"
_UNUSED_PART = "xc7z020clg400-1"
_UNUSED_CLOCK_NS = 10.0


def render_rtl(graph: DataflowGraph, folder: Path, progress: Callable[[str], None]) -> Manifest:
    """Write the RTL tree of a graph into an empty folder.

    Layout: finn/ patched library files, cores/ our SystemVerilog cores, one module per node with its memory files,
    accelerator.sv, files.txt (compile order) and nodes.json (see ``codegen.accel.manifest``).
    ``progress`` is told the name of each node. Raises RenderError when an installed FINN file is not the known one.
    """
    rendered = []
    for node in graph.nodes:
        progress(node.name)
        rendered.append(_finn_node(graph, node, folder) if node.op in FINN_PLUMBING else _own_node(graph, node, folder))
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


def _finn_node(graph: DataflowGraph, node: Node, folder: Path) -> RenderedNode:
    from finn.util.settings import get_settings

    library = Path(get_settings().finn_rtllib)
    with tempfile.TemporaryDirectory(prefix="spikefold-") as scratch:
        node.custom_op.set_nodeattr("code_gen_dir_ipgen", scratch)
        try:
            node.custom_op.generate_hdl(graph.model, _UNUSED_PART, _UNUSED_CLOCK_NS)
        except (AssertionError, ValueError) as error:  # how FINN refuses what its templates cannot build
            raise RenderError(f"FINN generates no RTL for {node.name!r} ({node.op}): {error}") from error
        sources = []
        for name in node.custom_op.get_rtl_file_list(abspath=True):
            source = Path(name)
            if source.name == _SIMULATION_ONLY:
                continue
            if source.is_relative_to(library):
                target = Path(_FINN_FOLDER) / source.name
                text = patch_library_file(library, str(source.relative_to(library)))
            else:
                target = Path(source.name)
                text = patch_generated(library, node.op, source.read_text())
            (folder / target).parent.mkdir(exist_ok=True)
            (folder / target).write_text(text)
            sources.append(str(target))
        node.custom_op.set_nodeattr("code_gen_dir_ipgen", "")
    return _rendered(node, tuple(sources), (), asdict(plumbing_spec(node)))


def _own_node(graph: DataflowGraph, node: Node, folder: Path) -> RenderedNode:
    spec = node.custom_op.spec()
    if isinstance(spec, spiking_mvau.SpikingMVAUSpec):
        cores: tuple[str, ...] = spiking_mvau.RTL_SOURCES
        weights, bias, threshold = node.custom_op.parameters(graph.model)
        written = spiking_mvau.write_rtl(spec, weights, bias, threshold, folder)
    elif isinstance(spec, spike_pool.SpikePoolSpec):
        cores = spike_pool.RTL_SOURCES
        written = spike_pool.write_rtl(spec, folder)
    else:
        raise RenderError(f"no RTL core implements {node.name!r} ({node.op})")
    sources = []
    for core in cores:
        target = Path(_CORE_FOLDER) / core
        (folder / target).parent.mkdir(exist_ok=True)
        shutil.copyfile(RTL_DIR / core, folder / target)
        sources.append(str(target))
    names = [str(path.relative_to(folder)) for path in written]
    sources += [name for name in names if name.endswith((".sv", ".v"))]
    return _rendered(node, tuple(sources), tuple(n for n in names if n not in sources), asdict(spec))


def _rendered(
    node: Node, sources: tuple[str, ...], data_files: tuple[str, ...], parameters: dict[str, object]
) -> RenderedNode:
    return RenderedNode(
        name=node.name,
        op=node.op,
        module=node.name,
        files=sources,
        data_files=data_files,
        input=node.input,
        output=node.output,
        cycles=node.cycles,
        parameters=parameters,
    )
