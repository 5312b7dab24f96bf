"""Zip archives whose bytes depend on their content alone, and their checksums."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping

CHECKSUMS = "SHA256SUMS"
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip archive can hold."""
_UNIX = 3
_REGULAR_FILE = 0o100644 << 16


def checksums(files: Mapping[str, bytes]) -> bytes:
    """The text that ``sha256sum -c`` reads."""
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)).encode()


def archive(files: Mapping[str, bytes]) -> bytes:
    """A zip archive of files by name, with their checksums in SHA256SUMS: sorted, with fixed times and rights."""
    content = {**files, CHECKSUMS: checksums(files)}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target:
        for name in sorted(content):
            entry = zipfile.ZipInfo(name, _FIXED_TIME)
            entry.create_system, entry.external_attr = _UNIX, _REGULAR_FILE
            target.writestr(entry, content[name], zipfile.ZIP_DEFLATED)
    return stream.getvalue()
