"""The names of a finished run's classes, read without torch, which takes seconds to load."""

from __future__ import annotations

import json
from pathlib import Path

import safetensors

from sca_train.errors import TrainError
from sca_train.files import COMPACT_FILE


def class_names(run_dir: Path) -> tuple[str, ...]:
    """Names of the classes of a finished run, in the order of its logits; empty where its file holds none.

    Raises TrainError when compact.safetensors is missing or damaged.
    """
    path = run_dir / COMPACT_FILE
    try:
        with safetensors.safe_open(path, "np") as stream:
            about = json.loads((stream.metadata() or {}).get("network", "{}"))
        return tuple(str(name) for name in about.get("classes", ()))
    except (safetensors.SafetensorError, OSError, ValueError, AttributeError, TypeError) as error:
        raise TrainError(f"{path} is not a whole safetensors file ({error}); train the run again") from None
