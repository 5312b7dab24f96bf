"""What a command did that it may not do, as Python's audit hook sees it: processes, connections, writes outside."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.fuzzing.mutations import MARKER_MODULES

_PROCESSES = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "pty.spawn")
_NETWORK = ("socket.connect", "socket.bind", "socket.getaddrinfo", "urllib.Request")
_REPLACED = ("os.rename", "os.link", "os.symlink")
_PLACES = ("os.remove", "os.rmdir", "os.mkdir", "os.truncate", "shutil.rmtree", "shutil.move")
_NOT_KEPT = ("/dev/", "/proc")
"""Where a file would be none that stays: trying to write there is how a command finds that it cannot."""
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Watch:
    """Prevents and collects forbidden acts while ``active``, by a hook that lives as long as its process.

    ``allowed``: folders in which files may be written.
    """

    def __init__(self, allowed: Sequence[Path]) -> None:
        self._allowed = tuple(str(folder.resolve()) for folder in allowed)
        self._active = False
        self._seen: list[str] = []
        sys.addaudithook(self._hook)

    @contextmanager
    def active(self) -> Iterator[list[str]]:
        """Yield the list that forbidden acts are added to."""
        self._seen = []
        self._active = True
        try:
            yield self._seen
        finally:
            self._active = False

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._active:
            return
        if event in _PROCESSES or event in _NETWORK:
            self._forbid(f"{event} {arguments[:1]}")
        elif event == "import" and arguments[0] in MARKER_MODULES:
            self._forbid(f"import of {arguments[0]}")
        elif event in _PLACES or (event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING):
            self._check(event, arguments[0])
        elif event in _REPLACED:
            self._check(event, arguments[1])

    def _check(self, event: str, place: Any) -> None:
        if isinstance(place, int):  # a file that is open already
            return
        path = os.path.abspath(os.fsdecode(place))  # noqa: PTH100 - links are what the command saw, not where they lead
        if not path.startswith((*self._allowed, *_NOT_KEPT)):
            self._forbid(f"{event} {path}")

    def _forbid(self, act: str) -> None:
        self._seen.append(act)
        raise PermissionError(errno.EACCES, "no command may do this", act)
