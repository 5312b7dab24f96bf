"""SHA-256 digests of files and source trees: what ties a result to the thing it was measured on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from sca_train.files import check_readable

_RENDERED = {
    "hls": ("*.cpp", "*.hpp", "include/*", "nodes/*", "csim/*", "weights.bin"),
    "rtl": ("*.sv", "*.v", "*.hex", "nodes.json", "weights.bin", "cores/*", "finn/*"),
}
"""What is rendered into a source tree and decides a result; vendor tools leave their projects beside it."""


def file_digest(path: Path) -> str:
    """SHA-256 of a file; TrainError where it is a device or a pipe, of which reading may not end."""
    check_readable(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files_digest(folder: Path, files: Iterable[Path]) -> str:
    """SHA-256 of some files of a folder, given relative to it: of their names and contents in the given order."""
    digest = hashlib.sha256()
    for file in files:
        content = hashlib.sha256((folder / file).read_bytes())
        digest.update(file.as_posix().encode() + b"\0" + content.digest())
    return digest.hexdigest()


def sources_digest(tree: Path) -> str:
    """SHA-256 of the sources rendered into a run's hls/ or rtl/; ``tree`` is that folder."""
    found = {
        path.relative_to(tree) for pattern in _RENDERED[tree.name] for path in tree.glob(pattern) if path.is_file()
    }
    return files_digest(tree, sorted(found))
