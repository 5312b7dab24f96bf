"""Temporary folders that do not outlive a killed process for long: the next one that needs a folder removes them."""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "spikefold-scratch-"
_YOUNG_SECONDS = 60.0
"""A folder may be so young and not locked yet."""


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder among the system's temporary ones, removed at the end."""
    folder, lock = _make()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def lasting_scratch_folder() -> Path:
    """The same, removed when the process ends."""
    folder, _ = _make()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _make() -> tuple[Path, int]:
    """A new folder, and the handle whose lock says that its process is alive: the kernel's, which ends with it."""
    _remove_left()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return folder, lock


def _remove_left() -> None:
    """Remove this user's folders whose processes are gone."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another process was quicker, or it is alive, or this is no folder
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                status = os.fstat(handle)
                if status.st_uid == os.geteuid() and time.time() - status.st_mtime > _YOUNG_SECONDS:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder)
            finally:
                os.close(handle)
