"""network.json: what the driver knows of a network, written beside its bitstream."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import DescriptionError

NETWORK_FILE = "network.json"
FORMAT = 1
SHELLS = ("dma", "uart")
PIXEL_BITS = 8
IMAGE_DIMENSIONS = 3
EVENT_DIMENSIONS = 4
MAX_LOGIT_BITS = 32
_MAKE = "make the package again (`make package`) and copy all of it"


@dataclass(frozen=True)
class Stream:
    """How a frame lies in words: ``lanes`` elements of ``element_bits`` bits a word, padded to ``bytes``.

    A DMA carries each word in ``stream_bytes``, the next power of two.
    """

    lanes: int
    element_bits: int
    words: int
    bytes: int
    stream_bytes: int
    signed: bool = False


@dataclass(frozen=True)
class WeightFile:
    """Weights that lie in the board's memory: their file beside network.json, its bytes and its SHA-256."""

    file: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Description:
    """One network on one board. ``network``: first 32 bits of the digest of its sources; cycles are those simulated.

    ``bitstream`` and its SHA-256 are None where the package holds a placeholder; ``weights`` is where all are on the
    chip.
    """

    folder: Path
    name: str
    board: str
    shell: str
    clock_mhz: float
    network: int
    bitstream: str | None
    bitstream_sha256: str | None
    input_shape: tuple[int, ...]
    input: Stream
    output: Stream
    classes: int
    class_names: tuple[str, ...]
    latency: int
    interval: int
    weights: WeightFile | None = None

    @property
    def steps(self) -> int:
        """Event frames of an input, 1 for an image."""
        return self.input_shape[0] if len(self.input_shape) == EVENT_DIMENSIONS else 1


def read_description(folder: Path) -> Description:
    """Read network.json of a package's folder, or the file itself.

    Raises DescriptionError where it is missing, damaged or contradicts itself.
    """
    file = folder / NETWORK_FILE if folder.is_dir() else folder
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DescriptionError(f"{file} does not exist", "give the folder of an unpacked package") from None
    except (OSError, ValueError) as error:
        raise DescriptionError(f"{file} cannot be read ({error})", _MAKE) from None
    try:
        return _description(file.parent, content)
    except KeyError as error:
        raise DescriptionError(f"{file} has no {error}", _MAKE) from None
    except (TypeError, ValueError, AttributeError) as error:
        raise DescriptionError(f"{file} is damaged ({error})", _MAKE) from None


def _description(folder: Path, content: Any) -> Description:
    if not isinstance(content, dict):
        raise ValueError("no JSON object")
    if content["format"] != FORMAT:
        raise ValueError(f"format {content['format']}, and this driver knows format {FORMAT}")
    shape = tuple(_positive(size, "input.shape") for size in content["input"]["shape"])
    if len(shape) not in (IMAGE_DIMENSIONS, EVENT_DIMENSIONS):
        raise ValueError(f"input.shape has {len(shape)} dimensions")
    bitstream = content.get("bitstream")
    if bitstream is not None:
        _plain_name(bitstream, "bitstream")
    made = Description(
        folder=folder,
        name=str(content["name"]),
        board=str(content["board"]),
        shell=content["shell"],
        clock_mhz=float(content["clock_mhz"]),
        network=int(content["network"], 16),
        bitstream=bitstream,
        bitstream_sha256=content.get("bitstream_sha256"),
        input_shape=shape,
        input=_stream(content["input"], "input"),
        output=_stream(content["output"], "output"),
        classes=_positive(content["output"]["classes"], "output.classes"),
        class_names=tuple(str(name) for name in content["class_names"]),
        latency=_positive(content["cycles"]["latency"], "cycles.latency"),
        interval=_positive(content["cycles"]["interval"] or content["cycles"]["latency"], "cycles.interval"),
        weights=_weights(content.get("weights")),
    )
    _check(made)
    return made


def _stream(content: Any, name: str) -> Stream:
    stream = Stream(
        lanes=_positive(content["lanes"], f"{name}.lanes"),
        element_bits=_positive(content["element_bits"], f"{name}.element_bits"),
        words=_positive(content["words"], f"{name}.words"),
        bytes=_positive(content["bytes"], f"{name}.bytes"),
        stream_bytes=_positive(content["stream_bytes"], f"{name}.stream_bytes"),
        signed=bool(content.get("signed")),
    )
    if stream.bytes != -(-stream.lanes * stream.element_bits // PIXEL_BITS):
        raise ValueError(f"{name}.bytes {stream.bytes} does not hold {stream.lanes} x {stream.element_bits} bits")
    if not stream.bytes <= stream.stream_bytes or stream.stream_bytes & (stream.stream_bytes - 1):
        raise ValueError(f"{name}.stream_bytes is {stream.stream_bytes}")
    return stream


def _weights(content: Any) -> WeightFile | None:
    if content is None:
        return None
    return WeightFile(
        file=_plain_name(content["file"], "weights.file"),
        bytes=_positive(content["bytes"], "weights.bytes"),
        sha256=str(content["sha256"]),
    )


def _plain_name(name: str, what: str) -> str:
    if Path(name).name != name:
        raise ValueError(f"{what} {name!r} is no plain file name")
    return name


def _check(made: Description) -> None:
    if made.shell not in SHELLS:
        raise ValueError(f"shell {made.shell!r} is none of {', '.join(SHELLS)}")
    if made.weights is not None and made.shell != "dma":
        raise ValueError(f"the shell {made.shell} reads no weights from memory")
    if not made.clock_mhz > 0:
        raise ValueError(f"clock_mhz is {made.clock_mhz}")
    pixels = 1
    for size in made.input_shape[-IMAGE_DIMENSIONS:]:
        pixels *= size
    if pixels != made.input.lanes * made.input.words or made.input.element_bits % made.steps:
        raise ValueError(f"input.shape {list(made.input_shape)} does not fit its words")
    if made.steps > 1 and made.input.element_bits != PIXEL_BITS * made.steps:
        raise ValueError(f"an input element of {made.input.element_bits} bits does not hold {made.steps} event frames")
    if made.classes != made.output.lanes * made.output.words or made.output.element_bits > MAX_LOGIT_BITS:
        raise ValueError(f"{made.classes} classes do not fit the output words")
    if made.class_names and len(made.class_names) != made.classes:
        raise ValueError(f"{len(made.class_names)} class names for {made.classes} classes")


def _positive(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise ValueError(f"{name} is {value!r}")
    return value
