"""Building simulators: programs compiled once per content, and their output as an error or as progress."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from codegen.errors import SimulationError

_KEY_FILE = "key"
_WATCH_SECONDS = 1.0


@dataclass(frozen=True)
class CachedBuild:
    """A build folder whose program is good as long as ``key`` (a hash of everything that went in) is the same."""

    folder: Path
    program: Path
    key: str

    def is_current(self) -> bool:
        key_file = self.folder / _KEY_FILE
        return self.program.is_file() and key_file.is_file() and key_file.read_text() == self.key

    def mark_current(self) -> None:
        (self.folder / _KEY_FILE).write_text(self.key)

    def invalidate(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / _KEY_FILE).unlink(missing_ok=True)


def content_key(paths: Iterable[Path], options: Sequence[str]) -> str:
    """Hash of the contents (not the names' folders) of files and of a list of options."""
    digest = hashlib.sha256()
    for path in sorted(paths, key=lambda path: path.name):
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    digest.update("\0".join(options).encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class Command:
    """A tool's command line, what it does (for messages) and where its output is kept."""

    arguments: Sequence[str]
    purpose: str
    log: Path
    working_folder: Path


def run_tool(command: Command, watch: Callable[[], None] | None = None) -> None:
    """Run a tool to its end, its output in the log; ``watch`` is called every second while it runs.

    Raises SimulationError naming the log when the tool is missing or fails.
    """
    command.log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            command.log.open("w") as log,
            subprocess.Popen(
                command.arguments, cwd=command.working_folder, stdout=log, stderr=subprocess.STDOUT
            ) as process,
        ):
            while (status := _wait(process)) is None:
                if watch is not None:
                    watch()
    except FileNotFoundError as error:
        raise SimulationError(
            f"{command.purpose} needs {command.arguments[0]}, which is not installed or not on PATH"
        ) from error
    if status != 0:
        raise SimulationError(f"{command.purpose} failed (exit status {status}); the log is {command.log}")


def _wait(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(timeout=_WATCH_SECONDS)
    except subprocess.TimeoutExpired:
        return None


def run_tools(commands: Sequence[Command], workers: int, progress: Progress) -> None:
    """Run independent commands, ``workers`` at a time; raises the first command's SimulationError."""
    with ThreadPoolExecutor(max_workers=workers) as pool:
        futures = [pool.submit(run_tool, command) for command in commands]
        try:
            for done, future in enumerate(futures, start=1):
                future.result()
                progress.show(done, len(commands))
        except BaseException:
            for future in futures:
                future.cancel()
            raise


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
