"""Files that appear whole or not at all, and where what is kept from run to run lies."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

CACHE_VARIABLE = "SPIKEFOLD_CACHE"
COMPACT_FILE = "compact.safetensors"


def cache_folder() -> Path:
    """$SPIKEFOLD_CACHE, else spikefold/ in the user's cache folder."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "spikefold"


def write_whole(target: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a file beside ``target`` and rename it, so that the final name never holds half a file."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=target.suffix)
    os.close(handle)
    aside = Path(name)
    try:
        write(aside)
        aside.chmod(0o644)
        aside.replace(target)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def write_text(target: Path, text: str) -> None:
    """Write a text file (UTF-8) whole or not at all."""
    write_bytes(target, text.encode())


def write_bytes(target: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    write_whole(target, lambda aside: aside.write_bytes(content))
