"""What a report was made of: digests of all that it takes figures from, by which others see whether it is current."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from codegen.digests import file_digest, sources_digest
from codegen.run_folder import RunFolder
from sca_train.files import COMPACT_FILE, METRICS_FILE

_TREES = ("hls", "rtl")
_FILES = ("config.toml", METRICS_FILE, COMPACT_FILE, "model.onnx", "graph.onnx")
_STAGES = (
    *("onnx", "predictions", "density", "folding", "sources", "csim", "rtl", "toggles", "event_cycles", "synth"),
    "bitstream",
)
_TIMES = frozenset({"seconds", "images_per_second", "cycles_per_second", "cached"})
"""Keys of results that say how long a stage took: when it is run again, they alone make no other result."""


def origins(run: RunFolder) -> dict[str, str]:
    """SHA-256 by file or source tree, of those that lie in the run folder; of results without their times."""
    results = {f"results/{stage}.json": run.path / "results" / f"{stage}.json" for stage in _STAGES}
    found = {name: file_digest(run.path / name) for name in _FILES if (run.path / name).is_file()}
    found |= {name: _result_digest(file) for name, file in results.items() if file.is_file()}
    return found | {name: sources_digest(run.path / name) for name in _TREES if (run.path / name).is_dir()}


def changed_since(run: RunFolder, recorded: dict[str, str]) -> str | None:
    """The first file or tree of the run folder that is another than when a report was made; None where none is.

    What lies there no more is passed over: a report may be kept without its run.
    """
    return next((name for name, digest in origins(run).items() if recorded.get(name) != digest), None)


def _result_digest(file: Path) -> str:
    try:
        content = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        return file_digest(file)
    return hashlib.sha256(json.dumps(_without_times(content), sort_keys=True).encode()).hexdigest()


def _without_times(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _without_times(value) for key, value in content.items() if key not in _TIMES}
    if isinstance(content, list):
        return [_without_times(value) for value in content]
    return content
