"""How far a long step is: on standard error, or told to whoever listens."""

from __future__ import annotations

import sys
import time

from sca_train.telling import Reporter, listener


class Progress:
    """One line on standard error that is rewritten while a long step runs; plain lines when it is not a terminal.

    Where somebody listens (``sca_train.telling``) they are told instead, whichever thread calls ``show``.
    """

    _TERMINAL_INTERVAL = 0.2
    _PLAIN_INTERVAL = 10.0

    def __init__(self, title: str, unit: str) -> None:
        self._title = title
        self._unit = unit
        self._start = time.monotonic()
        self._shown = 0.0
        self._terminal = sys.stderr.isatty()
        heard = listener()
        self._reporter = None if heard is None else Reporter(heard, title, unit)

    def show(self, done: int, total: int, note: str = "") -> None:
        """Show ``done`` of ``total`` units; rewrites the line at most a few times a second."""
        if self._reporter is not None:
            self._reporter.report(done, total)
            return
        now = time.monotonic()
        interval = self._TERMINAL_INTERVAL if self._terminal else self._PLAIN_INTERVAL
        if done < total and now - self._shown < interval:
            return
        self._shown = now
        text = f"{self._title}: {done}/{total} {self._unit}, {now - self._start:.0f} s {note}".rstrip()
        end = "\n" if done >= total or not self._terminal else ""
        print(f"\r\x1b[K{text}" if self._terminal else text, end=end, file=sys.stderr, flush=True)
