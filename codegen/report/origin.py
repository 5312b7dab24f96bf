"""What a report was made of: digests of all that it takes figures from, by which others see whether it is current."""

from __future__ import annotations

from codegen.digests import file_digest, sources_digest
from codegen.run_folder import RunFolder
from sca_train.files import COMPACT_FILE, METRICS_FILE

_TREES = ("hls", "rtl")
_STAGES = ("onnx", "predictions", "folding", "sources", "csim", "rtl", "toggles", "synth", "bitstream")
_FILES = (
    *("config.toml", METRICS_FILE, COMPACT_FILE, "model.onnx", "graph.onnx"),
    *(f"results/{stage}.json" for stage in _STAGES),
)


def origins(run: RunFolder) -> dict[str, str]:
    """SHA-256 by file or source tree, of those that lie in the run folder."""
    found = {name: file_digest(run.path / name) for name in _FILES if (run.path / name).is_file()}
    return found | {name: sources_digest(run.path / name) for name in _TREES if (run.path / name).is_dir()}


def changed_since(run: RunFolder, recorded: dict[str, str]) -> str | None:
    """The first file or tree of the run folder that is another than when a report was made; None where none is.

    What lies there no more is passed over: a report may be kept without its run.
    """
    return next((name for name, digest in origins(run).items() if recorded.get(name) != digest), None)
