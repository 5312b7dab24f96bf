"""The HLS source tree: node functions, the DATAFLOW top, the C simulation's main and the Vitis HLS script."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from codegen.cores.rendering import environment
from codegen.errors import RenderError
from codegen.render.graph import DataflowGraph, Node
from codegen.render.manifest import HlsStreams, write_hls_streams
from codegen.render.weight_image import weight_regions, write_weight_image
from codegen.weight_bus import BURST_BEATS, BUS_BITS, slot_bits
from hls_templates import HLS_DIR

INCLUDE_FOLDER = "include"
NODE_FOLDER = "nodes"
CSIM_FOLDER = "csim"
_SMALL_NODES = "small_nodes"
_DEFAULT_DEPTH = 2
_DEFAULT_MAX_WIDTH = 1024
_TOP_FILES = ("accelerator.hpp", "accelerator.cpp", "nodes.hpp", "csim_main.cpp", "run_hls.tcl")


@dataclass(frozen=True)
class CallPort:
    """One stream of a node's function: its parameter, what is passed for it, and the bits of its words."""

    parameter: str
    stream: str
    bits: int


@dataclass(frozen=True)
class Call:
    """One node's function and the streams it stands between, its inputs first."""

    index: int
    function: str
    ports: tuple[CallPort, ...]

    @property
    def parameters(self) -> str:
        """The parameter list of the function."""
        return ", ".join(f"hls::stream<ap_uint<{port.bits}>>& {port.parameter}" for port in self.ports)

    @property
    def names(self) -> str:
        """The parameters as they are passed on."""
        return ", ".join(port.parameter for port in self.ports)

    @property
    def arguments(self) -> str:
        """What the top passes."""
        return ", ".join(port.stream for port in self.ports)


@dataclass(frozen=True)
class WeightPort:
    """A stream of weights at the top, and how they lie in weights.bin: the first byte, words of a frame, and bits."""

    name: str
    bits: int
    slot_bits: int
    words: int
    first_byte: int


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
    streams.json (see ``codegen.render.manifest``), and weights.bin where weights come from outside: each node that
    reads some has a stream of them at the top.
    FIFO nodes become depths of streams; one at the input or output belongs to what the accelerator is connected to.
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
    write_weight_image(graph.nodes, folder)
    weights = [
        WeightPort(
            name=weight_port(region.node),
            bits=region.word_bits,
            slot_bits=slot_bits(region.word_bits),
            words=region.words,
            first_byte=region.first_burst * BURST_BEATS * BUS_BITS // 8,
        )
        for region in weight_regions(graph.nodes)
    ]
    for name in _TOP_FILES:
        text = (
            environment("hls")
            .get_template(f"{name}.j2")
            .render(
                input=graph.input,
                output=graph.output,
                calls=calls,
                streams=streams,
                weights=weights,
                part=target.part,
                clock_ns=target.clock_ns,
                max_width=width,
            )
        )
        (folder / name).write_text(text, encoding="utf-8")
    template = environment("hls").get_template("csim_nodes.cpp.j2")
    for name, members in _compile_units(nodes, calls).items():
        (folder / CSIM_FOLDER / f"{name}.cpp").write_text(template.render(calls=members), encoding="utf-8")


def weight_port(node: str) -> str:
    """The top's stream of a node's weights."""
    return f"s_axis_{node}"


def max_width(nodes: Sequence[Node]) -> int:
    """AP_INT_MAX_W for the widest integer of any node: a converter holds an input and an output word at once."""
    widest = max(sum(stream.padded_bits for stream in (*node.core.read_streams, *node.core.outputs)) for node in nodes)
    return max(_DEFAULT_MAX_WIDTH, -(-widest // _DEFAULT_MAX_WIDTH) * _DEFAULT_MAX_WIDTH)


def _compile_units(nodes: list[Node], calls: list[Call]) -> dict[str, list[Call]]:
    """Which nodes the C simulation compiles together. Reading ap_int.h takes longer than compiling a small node."""
    units: dict[str, list[Call]] = {}
    for node, call in zip(nodes, calls, strict=True):
        units.setdefault(node.name if node.core.constant_inputs else _SMALL_NODES, []).append(call)
    return units


def _wire(graph: DataflowGraph) -> tuple[list[Call], list[LocalStream]]:
    """The calls in topological order, and the streams between them; FIFOs are folded into these."""
    calls: list[Call] = []
    streams: list[LocalStream] = []
    # By the edge that a node reads.
    incoming = {_behind_fifos(graph, 0)[0]: "s_axis_0"}
    for node in graph.nodes:
        if node.core.stream_depth:
            continue
        sources = [incoming[edge] for edge in graph.inputs_of(node)]
        sinks = []
        for edge in graph.outputs_of(node):
            last, depth = _behind_fifos(graph, edge)
            if graph.edges[last].consumer is None:
                sinks.append("m_axis_0")
                continue
            name = f"stream_{len(streams) + 1}"
            streams.append(LocalStream(name, graph.edges[edge].stream.bits, depth or _DEFAULT_DEPTH))
            sinks.append(name)
            incoming[last] = name
        weights = () if node.core.weight_stream is None else (weight_port(node.name),)
        passed = zip(node.core.function_ports, (*sources, *weights, *sinks), strict=True)
        ports = tuple(CallPort(parameter, name, stream.bits) for (parameter, stream), name in passed)
        calls.append(Call(len(calls), node.name, ports))
    return calls, streams


def _behind_fifos(graph: DataflowGraph, edge: int) -> tuple[int, int]:
    """The edge behind the FIFOs that an edge leads to, and the words that they hold."""
    depth = 0
    while (consumer := graph.edges[edge].consumer) is not None and consumer.core.stream_depth:
        depth += consumer.core.stream_depth
        (edge,) = graph.outputs_of(consumer)
    return edge, depth
