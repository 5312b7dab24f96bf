"""What a finished run's network says of itself, read without torch, which takes seconds to load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors

from sca_train.errors import TrainError
from sca_train.files import COMPACT_FILE, check_readable
from sca_train.made_again import make_again


def class_names(run_dir: Path) -> tuple[str, ...]:
    """Names of the classes of a finished run, in the order of its logits; empty where its file holds none.

    Raises TrainError when compact.safetensors is missing or damaged.
    """
    names = network_metadata(run_dir).get("classes", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TrainError(f"{run_dir / COMPACT_FILE} has no list of names as classes; {make_again(run_dir)}")
    return tuple(names)


def network_metadata(run_dir: Path) -> dict[str, Any]:
    """What compact.safetensors of a finished run says of its network: format, options, channels, shape and classes.

    Raises TrainError when the file is missing or damaged.
    """
    path = run_dir / COMPACT_FILE
    try:
        check_readable(path)
        with safetensors.safe_open(path, "np") as stream:
            about = json.loads((stream.metadata() or {}).get("network", "{}"))
    except (safetensors.SafetensorError, OSError, ValueError, RecursionError) as error:
        raise TrainError(f"{path} is not a whole safetensors file ({error}); {make_again(run_dir)}") from None
    if not isinstance(about, dict):
        raise TrainError(f"{path} describes no network; {make_again(run_dir)}")
    return about
