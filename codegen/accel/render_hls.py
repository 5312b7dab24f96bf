"""The HLS source tree: node functions, the DATAFLOW top, the C simulation's main and the Vitis HLS script."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from codegen.accel.graph import DataflowGraph, Node
from codegen.accel.manifest import HlsStreams, write_hls_streams
from codegen.core.rendering import environment
from codegen.errors import RenderError
from hls_templates import HLS_DIR

INCLUDE_FOLDER = "include"
NODE_FOLDER = "nodes"
CSIM_FOLDER = "csim"
_SMALL_NODES = "small_nodes"
_DEFAULT_DEPTH = 2
_DEFAULT_MAX_WIDTH = 1024
_TOP_FILES = ("accelerator.hpp", "accelerator.cpp", "nodes.hpp", "csim_main.cpp", "run_hls.tcl")


@dataclass(frozen=True)
class Call:
    """One node's function and the streams it stands between."""

    index: int
    function: str
    source: str
    sink: str
    in_bits: int
    out_bits: int


@dataclass(frozen=True)
class LocalStream:
    """An hls::stream between two nodes; its depth is that of the FIFOs between them."""

    name: str
    bits: int
    depth: int


@dataclass(frozen=True)
class Target:
    """What the Vitis HLS script synthesises for."""

    part: str
    clock_ns: float


def render_hls(graph: DataflowGraph, folder: Path, target: Target, progress: Callable[[str], None]) -> None:
    """Write the HLS tree of a graph into an empty folder.

    Layout: include/ the cores, nodes/ one header per node with its weights, accelerator.{hpp,cpp}, csim_main.cpp with
    csim/ (a file for each node with weights, so that they compile in parallel, and one for the rest), run_hls.tcl,
    streams.json (see ``codegen.accel.manifest``).
    FIFO nodes become depths of streams; one at either end of the chain belongs to what the accelerator is connected to.
    ``progress`` is told the name of each node. Raises RenderError for a node without HLS core.
    """
    nodes = [node for node in graph.nodes if not node.core.stream_depth]
    if not nodes:
        raise RenderError("the dataflow graph holds nothing but FIFOs")
    for name in (INCLUDE_FOLDER, NODE_FOLDER, CSIM_FOLDER):
        (folder / name).mkdir()
    headers: set[str] = set()
    for node in nodes:
        progress(node.name)
        node.core.render("hls", folder / NODE_FOLDER)
        headers.update(node.core.sources["hls"])
    for header in sorted(headers):
        shutil.copyfile(HLS_DIR / header, folder / INCLUDE_FOLDER / header)

    width = max_width(graph.nodes)
    write_hls_streams(HlsStreams(graph.input, graph.output, width), folder)
    calls, streams = _wire(graph)
    for name in _TOP_FILES:
        text = (
            environment("hls")
            .get_template(f"{name}.j2")
            .render(
                input=graph.input,
                output=graph.output,
                calls=calls,
                streams=streams,
                part=target.part,
                clock_ns=target.clock_ns,
                max_width=width,
            )
        )
        (folder / name).write_text(text)
    template = environment("hls").get_template("csim_nodes.cpp.j2")
    for name, members in _compile_units(nodes, calls).items():
        (folder / CSIM_FOLDER / f"{name}.cpp").write_text(template.render(calls=members))


def max_width(nodes: Sequence[Node]) -> int:
    """AP_INT_MAX_W for the widest integer of any node: a converter holds an input and an output word at once."""
    widest = max(node.input.padded_bits + node.output.padded_bits for node in nodes)
    return max(_DEFAULT_MAX_WIDTH, -(-widest // _DEFAULT_MAX_WIDTH) * _DEFAULT_MAX_WIDTH)


def _compile_units(nodes: list[Node], calls: list[Call]) -> dict[str, list[Call]]:
    """Which nodes the C simulation compiles together. Reading ap_int.h takes longer than compiling a small node."""
    units: dict[str, list[Call]] = {}
    for node, call in zip(nodes, calls, strict=True):
        units.setdefault(node.name if node.core.constant_inputs else _SMALL_NODES, []).append(call)
    return units


def _wire(graph: DataflowGraph) -> tuple[list[Call], list[LocalStream]]:
    kept = [position for position, node in enumerate(graph.nodes) if not node.core.stream_depth]
    calls: list[Call] = []
    streams: list[LocalStream] = []
    source = "s_axis_0"
    for index, position in enumerate(kept):
        node = graph.nodes[position]
        sink = "m_axis_0"
        if index + 1 < len(kept):
            between = graph.nodes[position + 1 : kept[index + 1]]
            depth = sum(fifo.core.stream_depth for fifo in between) or _DEFAULT_DEPTH
            sink = f"stream_{index + 1}"
            streams.append(LocalStream(sink, node.output.bits, depth))
        calls.append(Call(index, node.name, source, sink, node.input.bits, node.output.bits))
        source = sink
    return calls, streams
