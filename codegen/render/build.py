"""Building simulators: programs compiled once per content, by tools whose failure is one sentence."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from codegen.errors import SimulationError
from codegen.progress import Progress

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
