"""How far a long step is, on standard error."""

from __future__ import annotations

import sys
import time


class Progress:
    """One line on standard error that is rewritten while a long step runs; plain lines when it is not a terminal."""

    _TERMINAL_INTERVAL = 0.2
    _PLAIN_INTERVAL = 10.0

    def __init__(self, title: str, unit: str) -> None:
        self._title = title
        self._unit = unit
        self._start = time.monotonic()
        self._shown = 0.0
        self._terminal = sys.stderr.isatty()

    def show(self, done: int, total: int, note: str = "") -> None:
        """Show ``done`` of ``total`` units; rewrites the line at most a few times a second."""
        now = time.monotonic()
        interval = self._TERMINAL_INTERVAL if self._terminal else self._PLAIN_INTERVAL
        if done < total and now - self._shown < interval:
            return
        self._shown = now
        text = f"{self._title}: {done}/{total} {self._unit}, {now - self._start:.0f} s {note}".rstrip()
        end = "\n" if done >= total or not self._terminal else ""
        print(f"\r\x1b[K{text}" if self._terminal else text, end=end, file=sys.stderr, flush=True)
