"""A package's folder as the board has it: network.json, a bitstream, golden images."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codegen.digests import sources_digest
from codegen.render.graph import Stream
from codegen.render.manifest import read_manifest

BITSTREAM = b"a bitstream in name only"


def package_folder(folder: Path, rtl: Path, shape: tuple[int, ...], **changes: Any) -> Path:
    """Write a package for the accelerator in ``rtl``; ``changes``: of network.json."""
    manifest = read_manifest(rtl)
    digest = sources_digest(rtl)
    classes = manifest.output.lanes * manifest.output.words
    cycles = max(1, sum(node.cycles for node in manifest.nodes))
    content = {
        "format": 1,
        "name": "digits",
        "board": "Pynq-Z2",
        "shell": "dma",
        "clock_mhz": 100,
        "network": digest[:8],
        "sources_sha256": digest,
        "bitstream": "spikefold.bit",
        "bitstream_sha256": hashlib.sha256(BITSTREAM).hexdigest(),
        "input": {"shape": list(shape), **stream_content(manifest.input)},
        "output": {"classes": classes, "signed": manifest.output.signed, **stream_content(manifest.output)},
        "class_names": [f"class {index}" for index in range(classes)],
        "cycles": {"latency": cycles, "interval": max(manifest.bound, manifest.input.words)},
        "weights": weights_content(rtl) if manifest.weights else None,
        **changes,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "network.json").write_text(json.dumps(content))
    (folder / "spikefold.bit").write_bytes(BITSTREAM)
    (folder / "spikefold.hwh").write_text("what a block design holds")
    if manifest.weights:
        shutil.copyfile(rtl / "weights.bin", folder / "weights.bin")
    return folder


def stream_content(stream: Stream) -> dict[str, int]:
    """A stream as network.json has it."""
    return {
        "lanes": stream.lanes,
        "element_bits": stream.element_bits,
        "words": stream.words,
        "bytes": stream.bytes,
        "stream_bytes": 1 << (stream.bytes - 1).bit_length(),
    }


def weights_content(rtl: Path) -> dict[str, Any]:
    """The weights in memory as network.json has them."""
    weights = (rtl / "weights.bin").read_bytes()
    return {"file": "weights.bin", "bytes": len(weights), "sha256": hashlib.sha256(weights).hexdigest()}


def write_golden(folder: Path, images: NDArray[np.uint8], logits: NDArray[np.int32], **more: Any) -> None:
    """Golden images of a package."""
    np.savez_compressed(folder / "golden.npz", images=images, logits=logits, **more)
