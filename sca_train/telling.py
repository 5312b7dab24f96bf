"""What stages say while they run: to the terminal on a command line, to a listener where Python calls them.

    with listening(progress=lambda stage, done, total, unit: ..., say=log.append):
        ...                     # says and shows nothing on the terminal

The listener is a context variable: of several threads each has its own, and one without any prints as ever.
"""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

ProgressCallback = Callable[[str, int, int, str], None]
"""Called with what runs, how many units of it are done, of how many (0: not known), and what a unit is."""
SayCallback = Callable[[str], None]
"""Called with each sentence that a command line would print."""

_Item = TypeVar("_Item")
_REPORT_SECONDS = 0.1


@dataclass(frozen=True)
class Listener:
    """Who is told instead of the terminal; None is nobody."""

    progress: ProgressCallback | None = None
    say: SayCallback | None = None


Caller = Literal["make", "spikefold"]
_CALLER: ContextVar[Caller] = ContextVar("spikefold_caller", default="make")
_LISTENER: ContextVar[Listener | None] = ContextVar("spikefold_listener", default=None)


def listener() -> Listener | None:
    """Who listens here; None where the terminal is told."""
    return _LISTENER.get()


@contextmanager
def listening(progress: ProgressCallback | None = None, say: SayCallback | None = None) -> Iterator[None]:
    """While inside, ``progress`` and ``say`` are told what the terminal would be, and the terminal nothing."""
    token = _LISTENER.set(Listener(progress, say))
    try:
        with commands_of("spikefold"):
            yield
    finally:
        _LISTENER.reset(token)


@contextmanager
def commands_of(caller: Caller) -> Iterator[None]:
    """While inside, sentences that name a command name make's target, or the command of spikefold."""
    token = _CALLER.set(caller)
    try:
        yield
    finally:
        _CALLER.reset(token)


def command_for(target: str, run: Path, name: str, **options: str) -> str:
    """How a user runs a stage, as a sentence names it: a target of make, or a command of spikefold.

    ``name``: what make calls the run, quoted. ``options``: by make's names, such as BOARD.
    """
    given = {key: shlex.quote(value) for key, value in options.items()}
    if _CALLER.get() == "make":
        return " ".join((f"make {target} RUN={name}", *(f"{key}={value}" for key, value in given.items())))
    place = f"{'--run ' if target == 'train' else ''}{shlex.quote(str(run))}"
    flags = (f"--{key.lower().replace('_', '-')} {value}" for key, value in given.items())
    return " ".join((f"spikefold {target} {place}", *flags))


def for_caller(make: str, command: str) -> str:
    """Of two ways to say a command, that of the one who called."""
    return make if _CALLER.get() == "make" else command


def say(text: str, flush: bool = False) -> None:
    """Print a sentence, or tell it to the listener."""
    heard = listener()
    if heard is None:
        print(text, flush=flush)
    elif heard.say is not None:
        heard.say(text)


def complain(text: str) -> None:
    """Print what is wrong on the error output, or tell it to the listener."""
    heard = listener()
    if heard is None:
        print(text, file=sys.stderr)
    elif heard.say is not None:
        heard.say(text)


class Reporter:
    """Tells a listener how far one step is, at most ten times a second, and always its start and its end."""

    def __init__(self, heard: Listener, stage: str, unit: str) -> None:
        self._callback, self._stage, self._unit = heard.progress, stage, unit
        self._told: float | None = None
        self._last: tuple[int, int] | None = None

    def report(self, done: int, total: int, last: bool = False) -> None:
        """``done`` of ``total`` units; 0 is a total that is not known, whose ``last`` report is told in any case."""
        if self._callback is None or self._last == (done, total):
            return
        now = time.monotonic()
        if done != total and not last and self._told is not None and now - self._told < _REPORT_SECONDS:
            return
        self._told, self._last = now, (done, total)
        self._callback(self._stage, done, total, self._unit)


class Bar:
    """A bar that counts units of one step: tqdm's on a terminal, without any where somebody listens.

    ``hidden``: True shows nothing, to nobody; None shows nothing where the error output is no terminal.
    """

    def __init__(self, title: str, total: int | None, unit: str, hidden: bool | None = False) -> None:
        self._done, self._total = 0, total or 0
        heard = listener()
        self._reporter = None if heard is None or hidden else Reporter(heard, title, unit.strip())
        self._bar = None
        if heard is None and hidden is not True:
            from tqdm import tqdm

            self._bar = tqdm(total=total, desc=title, unit=unit, leave=False, mininterval=0.5, disable=hidden)
        self.update(0)

    def update(self, units: int) -> None:
        """So many more are done."""
        self._done += units
        if self._bar is not None:
            self._bar.update(units)
        if self._reporter is not None:
            self._reporter.report(self._done, self._total)

    def note(self, **values: str) -> None:
        """Values that stand behind the bar."""
        if self._bar is not None:
            self._bar.set_postfix(refresh=False, **values)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, error: object, *_: object) -> None:
        if self._reporter is not None and error is None:
            self._reporter.report(self._done, self._total, last=True)
        if self._bar is not None:
            self._bar.close()


def counted(
    items: Iterable[_Item], title: str, total: int | None, unit: str, hidden: bool | None = False
) -> Iterator[_Item]:
    """The items, with a bar that counts them."""
    with Bar(title, total, unit, hidden) as bar:
        for item in items:
            yield item
            bar.update(1)
