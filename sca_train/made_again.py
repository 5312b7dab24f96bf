"""What to do about a run folder whose network is missing or damaged: train again, or import again."""

from __future__ import annotations

import json
import shlex
import tomllib
from pathlib import Path
from typing import Any

from sca_train.config import CONFIG_FILE, IMPORTED
from sca_train.files import CHECKPOINT_FILE, METRICS_FILE
from sca_train.telling import command_for, for_caller

MOST_READ = 1 << 24
"""Bytes of a file that are read to see where a network came from."""


def make_again(run_dir: Path) -> str:
    """The command that writes a damaged file of a run anew: a training continues from its checkpoint, an import
    replaces what it wrote."""
    if not was_imported(run_dir):
        return f"run `{command_for('train', run_dir, run_dir.name)}` with its options again"
    return f"import its network again ({import_command(run_dir)})"


def make_first(run_dir: Path) -> str:
    """The command without which a run has no network."""
    if not was_imported(run_dir):
        return f"run `{command_for('train', run_dir, run_dir.name)}` to the end first"
    if _of_onnx(run_dir):
        again = f"{import_command(run_dir)} imports it again"
        return f"the ONNX model that was imported is all there is of its network; {again}"
    return make_again(run_dir)


def _of_onnx(run_dir: Path) -> bool:
    return _text(_metrics(run_dir).get("imported"), "kind") == "onnx"


def import_command(run_dir: Path) -> str:
    """How a user imports the network of an imported run once more, into the same folder."""
    provenance = _metrics(run_dir).get("imported")
    kind, file = (_text(provenance, key) for key in ("kind", "file"))
    if kind in ("snntorch", "spikingjelly"):
        return f"spikefold.from_{kind} and import_network, in Python"
    variable = "ONNX" if kind == "onnx" else "NIR"
    named = shlex.quote(file or f"theirs.{variable.lower()}")
    place = shlex.quote(str(run_dir))
    made = f"make import {variable}={named} RUN={shlex.quote(run_dir.name)}"
    command = for_caller(make=made, command=f"spikefold import {named} --run {place}")
    # Without its metrics a folder does not say whose network it holds, and no import writes over it.
    return f"`{command}`" if provenance else f"remove {run_dir}, then `{command}`"


def was_imported(run_dir: Path) -> bool:
    """Whether a run folder, however damaged, holds an imported network that no training went on from."""
    if (run_dir / CHECKPOINT_FILE).exists():
        return False
    metrics = _metrics(run_dir)
    if metrics:
        return isinstance(metrics.get("imported"), dict)
    try:
        options = tomllib.loads(_content(run_dir / CONFIG_FILE))
        return options.get("model") == IMPORTED and not options.get("init")
    except (OSError, ValueError, RecursionError):
        return False


def _metrics(run_dir: Path) -> dict[str, Any]:
    try:
        found = json.loads(_content(run_dir / METRICS_FILE))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _content(file: Path) -> str:
    if not file.is_file() or file.stat().st_size > MOST_READ:
        return ""
    return file.read_text(encoding="utf-8")


def _text(provenance: Any, key: str) -> str:
    found = provenance.get(key) if isinstance(provenance, dict) else None
    return found if isinstance(found, str) and found.isprintable() else ""
