"""rtl/nodes.json and hls/streams.json: what simulators and synthesis know of a rendered accelerator.

nodes.json is what the RTL tree consists of, for the simulator and for synthesis of each node on its own (paths relative
to rtl/, which is also the working folder of simulation and synthesis: memory files are read by bare file name):

    {"top": "accelerator",
     "bound": cycles per frame of the slowest node,
     "input": STREAM, "output": STREAM,
     "files": [every source in compile order, the top last],
     "nodes": [{"name": ..., "op": FINN op type, "module": module name,
                "files": [the sources this node needs, in compile order],
                "data_files": [its memory files],
                "inputs": [STREAM, ...], "outputs": [STREAM, ...], "cycles": expected cycles per frame,
                "parameters": {the core's spec}}, ...],
     "edges": [{"producer": node name, "output": port, "consumer": node name, "input": port}, ...],
     "weights": [{"node": ..., "words": of a frame, "word_bits": ..., "first_burst": ..., "beats": of a frame}, ...]}
    STREAM = {"lanes", "element_bits", "signed", "words" per frame, "bits", "padded_bits" of TDATA}

Nodes are in topological order. Every node module has the ports ap_clk, ap_rst_n, and in<i>_V_TDATA/TVALID/TREADY and
out<i>_V_TDATA/TVALID/TREADY for each of its streams. An edge is one stream of the top level, whose signals carry its
index (data_<i>, valid_<i>, ready_<i>); its producer or consumer is null where it is the accelerator's own port.
"weights" are the regions of weights.bin (``codegen.render.weight_image``), of nodes that read weights from outside:
their modules have one more input behind their streams, and the top an AXI4 master that reads.

streams.json is what the C simulation needs beside the sources:

    {"input": STREAM, "output": STREAM, "max_width": bits of the widest ap_uint}

Both are read whole or not at all: names are plain, and files lie below the run folder.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field

from codegen.cores.core import Stream, port_name
from codegen.errors import RenderError
from codegen.render.weight_image import WEIGHT_IMAGE, WeightRegion
from codegen.run_folder import RunFolder
from fpga.boards import Board
from sca_train.files import write_text
from sca_train.records import RecordError, read_record

MANIFEST = "nodes.json"
HLS_STREAMS = "streams.json"

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""Of a module or node; a name in Verilog and C++."""
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$")]
"""A path of plain names, none of which begins with a dot."""

_Content = TypeVar("_Content")


@dataclass(frozen=True)
class RenderedNode:
    """One node's module and the files it needs."""

    name: Name
    op: Name
    module: Name
    files: tuple[FileName, ...]
    data_files: tuple[FileName, ...]
    inputs: tuple[Stream, ...]
    outputs: tuple[Stream, ...]
    cycles: int
    parameters: dict[str, Any]

    @property
    def all_files(self) -> tuple[str, ...]:
        """Sources in compile order, then memories."""
        return (*self.files, *self.data_files)


@dataclass(frozen=True)
class RenderedEdge:
    """A stream of the top level from a node's output to a node's input; None for the accelerator's own ports."""

    producer: str | None
    output: int
    consumer: str | None
    input: int


@dataclass(frozen=True)
class Manifest:
    """Everything in an rtl/ folder."""

    top: Name
    bound: int
    input: Stream
    output: Stream
    files: tuple[FileName, ...]
    nodes: tuple[RenderedNode, ...]
    edges: tuple[RenderedEdge, ...]
    weights: tuple[WeightRegion, ...] = ()

    def why_not_on(self, board: Board) -> str:
        """What a board lacks that the sources name: DSP48 slices; else empty."""
        named = [node.name for node in self.nodes if node.parameters.get("mac_style") == "dsp"]
        if board.has_dsp48 or not named:
            return ""
        return (
            f"the sums of {', '.join(named)} are accumulated in DSP48 slices, which {board.name} does not have; make "
            f"the sources again with MAC=lut BOARD={board.name}"
        )

    @property
    def edge_names(self) -> tuple[str, ...]:
        """What messages call the edges: ``producer -> consumer``, with the port of a node that has several."""
        nodes = {node.name: node for node in self.nodes}

        def end(name: str | None, kind: Literal["input", "output"], port: int) -> str:
            if name is None:
                return f"the {'output' if kind == 'input' else 'input'}"
            streams = nodes[name].inputs if kind == "input" else nodes[name].outputs
            return port_name(name, kind, port, len(streams) > 1)

        return tuple(
            f"{end(edge.producer, 'output', edge.output)} -> {end(edge.consumer, 'input', edge.input)}"
            for edge in self.edges
        )


@dataclass(frozen=True)
class HlsStreams:
    """The two streams of the HLS C++, and AP_INT_MAX_W: the bits of the widest integer in it."""

    input: Stream
    output: Stream
    max_width: int


def write_hls_streams(streams: HlsStreams, folder: Path) -> Path:
    """Write streams.json into an hls/ folder."""
    content = {"input": _stream(streams.input), "output": _stream(streams.output), "max_width": streams.max_width}
    target = folder / HLS_STREAMS
    write_text(target, json.dumps(content, indent=1) + "\n")
    return target


def read_hls_streams(file: Path) -> HlsStreams:
    """Read the streams.json of a run's hls/; raises RenderError, one sentence, where it is damaged."""
    return _read(HlsStreams, file)


def write_manifest(manifest: Manifest, folder: Path) -> Path:
    """Write nodes.json into the folder."""
    content = {
        "top": manifest.top,
        "bound": manifest.bound,
        "input": _stream(manifest.input),
        "output": _stream(manifest.output),
        "files": list(manifest.files),
        "nodes": [
            {
                **asdict(node),
                "inputs": [_stream(stream) for stream in node.inputs],
                "outputs": [_stream(stream) for stream in node.outputs],
            }
            for node in manifest.nodes
        ],
        "edges": [asdict(edge) for edge in manifest.edges],
        "weights": [asdict(region) for region in manifest.weights],
    }
    target = folder / MANIFEST
    write_text(target, json.dumps(content, indent=1) + "\n")
    return target


def read_manifest(folder: Path) -> Manifest:
    """Read nodes.json of a run's rtl/.

    Raises RenderError, one sentence, where it is damaged, or names a file that is not there or not in the run folder.
    """
    file = folder / MANIFEST
    manifest = _read(Manifest, file)
    place = folder.resolve()
    if not place.is_relative_to(folder.parent.resolve()):
        raise RenderError(_sentence(file, f"{folder} leads out of the run folder"))
    image = (WEIGHT_IMAGE,) if manifest.weights else ()
    for name in dict.fromkeys((*manifest.files, *image, *(file for node in manifest.nodes for file in node.all_files))):
        source = (folder / name).resolve()
        if not source.is_file() or not source.is_relative_to(place):
            raise RenderError(_sentence(file, f"{file} names {name}, which is no file below {folder}"))
    nodes = {node.name for node in manifest.nodes}
    for edge in manifest.edges:
        for end in (edge.producer, edge.consumer):
            if end is not None and end not in nodes:
                raise RenderError(_sentence(file, f"{file} has a stream of {end}, which is none of its nodes"))
    return manifest


def _read(kind: type[_Content], file: Path) -> _Content:
    try:
        return read_record(kind, file)
    except RecordError as error:
        raise RenderError(_sentence(file, str(error))) from None


def _sentence(file: Path, fault: str) -> str:
    return f"{fault}; run `{RunFolder(file.parents[1]).command('hls')}` again"


def _stream(stream: Stream) -> dict[str, Any]:
    return {**asdict(stream), "bits": stream.bits, "padded_bits": stream.padded_bits}
