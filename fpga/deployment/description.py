"""network.json: what the driver on a board knows of the network in the bitstream beside it.

    {"format": 1, "name", "board", "shell": "dma" | "uart", "clock_mhz", "network": first 8 digits of sources_sha256,
     "sources_sha256": digest of rtl/, "bitstream": file name, "bitstream_sha256": both null where there is none yet,
     "input": {"shape", "lanes", "element_bits", "words", "bytes", "stream_bytes"},
     "output": {"classes", "lanes", "element_bits", "words", "bytes", "stream_bytes", "signed"},
     "class_names": [...], "cycles": {"latency", "interval"},
     "weights": {"file", "bytes", "sha256"} of those that lie in the board's memory, null where all are on the chip}

``words`` is a frame's, ``bytes`` a word's; ``stream_bytes`` is what a word takes on an AXI stream of a DMA.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from codegen.current import require_made
from codegen.digests import file_digest, sources_digest
from codegen.export.onnx_reader import read_model
from codegen.render.manifest import Manifest, read_manifest
from codegen.render.weight_image import WEIGHT_IMAGE
from codegen.results import RtlSimulationResult
from codegen.run_folder import RunFolder
from fpga.boards import Board
from fpga.errors import BuildError
from fpga.shells import network_digits, require_memory_port, stream_bytes

DESCRIPTION_FILE = "network.json"
FORMAT = 1

Shell = Literal["dma", "uart"]


@dataclass(frozen=True)
class InputWords:
    """How an image, or its event frames, become words."""

    shape: tuple[int, ...]
    lanes: int
    element_bits: int
    words: int
    bytes: int
    stream_bytes: int


@dataclass(frozen=True)
class OutputWords:
    """How words become logits."""

    classes: int
    lanes: int
    element_bits: int
    words: int
    bytes: int
    stream_bytes: int
    signed: bool


@dataclass(frozen=True)
class FrameCycles:
    """Clock cycles of the RTL simulation; ``interval`` is None where it saw one frame only."""

    latency: int
    interval: int | None


@dataclass(frozen=True)
class WeightsInMemory:
    """Weights that the accelerator reads from memory: their file in the package."""

    file: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class DeployedNetwork:
    """Content of network.json; the field names are its keys."""

    format: int
    name: str
    board: str
    shell: Shell
    clock_mhz: float
    network: str
    sources_sha256: str
    bitstream: str | None
    bitstream_sha256: str | None
    input: InputWords
    output: OutputWords
    class_names: tuple[str, ...]
    cycles: FrameCycles
    weights: WeightsInMemory | None

    def to_json(self) -> str:
        """The file's text."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"


def folder_name(name: str) -> str:
    """The folder of a network on a board: its name as a shell takes it, since scp before 9.0 hands it to one there."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).lstrip(".") or "network"


def network_description(
    run: RunFolder, board: Board, bitstream: Path | None, shell: Shell, clock_mhz: float
) -> DeployedNetwork:
    """What network.json says of a run's accelerator in a bitstream for a board.

    ``clock_mhz`` is the accelerator's clock in that bitstream, which is None where there is none yet. Raises
    RunFolderError naming the stage to run where rtl/ or its simulation is missing or of another network, BuildError for
    words too wide for a DMA or weights in memory that the shell does not read.
    """
    rtl = require_made(run, "rtl")
    manifest = read_manifest(rtl)
    require_memory_port(manifest, "uart" if shell == "uart" else "axi")
    properties = read_model(run.require("model.onnx")).properties
    digest = sources_digest(rtl)
    return DeployedNetwork(
        format=FORMAT,
        name=run.name,
        board=board.name,
        shell=shell,
        clock_mhz=clock_mhz,
        network=network_digits(rtl),
        sources_sha256=digest,
        bitstream=bitstream.name if bitstream else None,
        bitstream_sha256=file_digest(bitstream) if bitstream else None,
        input=InputWords(
            shape=properties.input_shape,
            lanes=manifest.input.lanes,
            element_bits=manifest.input.element_bits,
            words=manifest.input.words,
            bytes=manifest.input.bytes,
            stream_bytes=stream_bytes(manifest.input),
        ),
        output=OutputWords(
            classes=properties.classes,
            lanes=manifest.output.lanes,
            element_bits=manifest.output.element_bits,
            words=manifest.output.words,
            bytes=manifest.output.bytes,
            stream_bytes=stream_bytes(manifest.output),
            signed=manifest.output.signed,
        ),
        class_names=properties.class_names or tuple(str(number) for number in range(properties.classes)),
        cycles=_cycles(run, digest),
        weights=_weights(rtl, manifest),
    )


def _weights(rtl: Path, manifest: Manifest) -> WeightsInMemory | None:
    if not manifest.weights:
        return None
    file = rtl / WEIGHT_IMAGE
    return WeightsInMemory(WEIGHT_IMAGE, file.stat().st_size, file_digest(file))


def _cycles(run: RunFolder, sources: str) -> FrameCycles:
    run.require("results/rtl.json")
    simulated = RtlSimulationResult.load(run)
    if simulated is None or simulated.sources_sha256 != sources:
        raise BuildError(
            f"results/rtl.json of run folder {run.path} belongs to another rtl than the one that is there now; "
            f"run `{run.command('rtlsim')}` again"
        )
    return FrameCycles(simulated.latency, simulated.interval)
