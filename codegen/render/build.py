"""Building simulators: programs compiled once per content, by tools whose failure is one sentence."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from codegen.errors import SimulationError
from codegen.progress import Progress
from codegen.run_folder import waiting_turn
from sca_train.files import check_replaceable, remove_unfinished, write_whole

_WATCH_SECONDS = 1.0


@dataclass(frozen=True)
class KeptProgram:
    """A program in a folder of the run's build/, good as long as ``key`` (a hash of all that went in) is the same.

    It is compiled elsewhere and kept whole or not at all under a name that has the key, so that neither a killed
    process nor two that compile at once leave one of other sources.
    """

    folder: Path
    name: str
    key: str

    @property
    def program(self) -> Path:
        return self.folder / f"{self.name}-{self.key}"

    def is_there(self) -> bool:
        return os.access(self.program, os.X_OK)

    def keep(self, compiled: Path) -> None:
        """Take the program, in the place of earlier ones."""
        with waiting_turn(self.folder):
            remove_unfinished(self.folder, ("*",))
            earlier = [path for path in self.folder.glob(f"{self.name}-*") if path != self.program]
            write_whole(self.program, partial(shutil.copyfile, compiled))
            self.program.chmod(0o755)
            for path in earlier:
                path.unlink()


def content_key(paths: Iterable[Path], options: Sequence[str]) -> str:
    """Hash of the contents (not the names' folders) of files and of a list of options."""
    digest = hashlib.sha256()
    for path in sorted(paths, key=lambda path: path.name):
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    digest.update("\0".join(options).encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class Command:
    """A tool's command line, what it does (for messages) and where its output is kept.

    ``own_group``: it and what it starts are a process group of their own, ended when this process is interrupted.
    """

    arguments: Sequence[str]
    purpose: str
    log: Path
    working_folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    """Beside that of this process."""
    own_group: bool = False


def run_tool(command: Command, watch: Callable[[], None] | None = None) -> None:
    """Run a tool to its end, its output in the log; ``watch`` is called every second while it runs.

    Raises SimulationError naming the log when the tool is missing or fails.
    """
    command.log.parent.mkdir(parents=True, exist_ok=True)
    check_replaceable(command.log)
    try:
        with (
            command.log.open("wb") as log,
            subprocess.Popen(
                command.arguments,
                cwd=command.working_folder,
                env={**os.environ, **command.environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=command.own_group,
            ) as process,
        ):
            try:
                while (status := _wait(process)) is None:
                    if watch is not None:
                        watch()
            except BaseException:
                if command.own_group:
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGTERM)
                raise
    except FileNotFoundError as error:
        raise SimulationError(
            f"{command.purpose} needs {command.arguments[0]}, which is not installed or not on PATH"
        ) from error
    except PermissionError as error:
        raise SimulationError(f"{command.purpose} needs {command.arguments[0]}, which may not be run") from error
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
