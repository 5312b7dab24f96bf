"""A build as a plan that is written, shown and executed step by step: files, tools, and commands with their outputs.

    plan = BuildPlan(folder, files, steps, tools)
    plan.write()      the files, each whole or not at all
    print(plan.show())
    plan.execute()    the steps that are not done yet

A step is done when it has been noted in ``steps.json`` of the plan's folder, and neither its command nor its inputs nor
its outputs have changed since: a second ``execute`` goes on at the step that failed or was interrupted.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from types import FrameType

from codegen.errors import SimulationError
from codegen.render.build import Command, run_tool
from fpga.build.tools import PYTHON, Tool, check_tools, find_program, search_path
from fpga.errors import BuildError
from sca_train.files import only_writer, write_bytes, write_text
from sca_train.records import RecordError, read_record

__all__ = ["PYTHON", "BuildPlan", "Content", "Step", "StepNote", "Tool"]

Content = str | bytes | Path
"""Of a file of a plan: text, bytes, or the file it is a copy of."""
NOTES = "steps.json"
PLAN_TEXT = "plan.txt"
LOGS = "logs"
_PACKAGE_ROOT = Path(__file__).resolve().parents[2]
_CHUNK = 1 << 20
_LONGEST_ERROR = 300


@dataclass(frozen=True)
class Step:
    """One command of a plan. Paths are relative to the plan's folder.

    ``command``: program and arguments; a program named PYTHON is this interpreter, with this project on its path.
    ``inputs``: files and folders it reads, such as outputs of earlier steps; none stands for all files of the plan.
    ``outputs``: what it makes, each there when it has ended; they are removed before it starts.
    ``folder``: where it runs. ``environment``: beside that of this process.
    """

    name: str
    command: tuple[str, ...]
    outputs: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    folder: str = "."
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def log(self) -> str:
        """Where its output is kept; those of earlier attempts have a number before the suffix."""
        return f"{LOGS}/{self.name}.log"


@dataclass(frozen=True)
class StepNote:
    """What is noted of a finished step: SHA-256 digests of command, inputs and outputs, and the seconds it took."""

    command: str
    inputs: str
    outputs: str
    seconds: float


@dataclass(frozen=True)
class _Notes:
    """Content of steps.json."""

    steps: dict[str, StepNote]


@dataclass(frozen=True)
class BuildPlan:
    """Files to write into a folder, by their path there, and steps to execute on them with tools.

    Raises BuildError for a path that is not a plain relative one, and for two steps of one name.
    """

    folder: Path
    files: Mapping[str, Content]
    steps: tuple[Step, ...]
    tools: tuple[Tool, ...]

    def __post_init__(self) -> None:
        names = [step.name for step in self.steps]
        if len(set(names)) != len(names):
            raise BuildError(f"the steps of a plan have different names, not {', '.join(names)}")
        listed = (*self.files, *(path for step in self.steps for path in (*step.inputs, *step.outputs, step.folder)))
        for path in listed:
            if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
                raise BuildError(f"a plan's files lie in its folder, and {path} does not")

    def path(self, file: str) -> Path:
        """Where a file of the plan lies."""
        return self.folder / file

    def write(self) -> None:
        """Write the files that are not there already with this content, and the plan itself as plan.txt.

        Raises BuildError where the source of a copy is missing, and what ``write_whole`` raises.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.files.items():
            target = self.path(name)
            data = _bytes_of(content)
            if not target.is_file() or target.read_bytes() != data:
                target.parent.mkdir(parents=True, exist_ok=True)
                write_bytes(target, data)
        write_text(self.path(PLAN_TEXT), self.show())

    def show(self) -> str:
        """The plan as text: tools, files with their sizes, and each step's command, outputs and log."""
        notes = self._notes()
        lines = [f"plan in {self.folder}", "", "tools"]
        lines += [f"  {tool}" for tool in self.tools] or ["  none"]
        lines += ["", "files"]
        lines += [f"  {name}  {len(_bytes_of(content)):,} bytes" for name, content in sorted(self.files.items())]
        lines += ["", "steps"]
        for number, step in enumerate(self.steps, start=1):
            state = "  (done)" if self._is_done(step, notes) else ""
            where = "" if step.folder == "." else f"cd {shlex.quote(step.folder)} && "
            settings = "".join(f"{key}={shlex.quote(value)} " for key, value in step.environment.items())
            lines.append(f"  {number}. {step.name}{state}")
            lines.append(f"     {where}{settings}{shlex.join(step.command)}")
            lines.append(f"     makes {', '.join(step.outputs)}; log {step.log}")
        return "\n".join(lines) + "\n"

    def next_step(self) -> Step | None:
        """The first step that is not done; None where all are."""
        notes = self._notes()
        return next((step for step in self.steps if not self._is_done(step, notes)), None)

    def execute(
        self, resume: bool = True, progress: Callable[[str], None] = print, programs: Path | None = None
    ) -> dict[str, str]:
        """Write the plan and run its steps in order, from the first that is not done; returns the tools' versions.

        ``resume``: False runs all steps again. ``progress`` is told each step. ``programs``: a folder of programs that
        go before those of PATH. Logs of earlier attempts stay.

        Raises BuildError, one sentence: before anything runs, where a tool is missing or of another version; where a
        step fails or does not make its outputs, with the first error line of its log. KeyboardInterrupt also where this
        process is told to end, or its terminal goes: the step that runs is ended first.
        """
        with only_writer(self.folder), _interrupted_by_signals():
            self.write()
            notes = dict(self._notes()) if resume else {}
            first = next((at for at, step in enumerate(self.steps) if not self._is_done(step, notes)), len(self.steps))
            versions = check_tools(self.tools, programs) if first < len(self.steps) else {}
            for step in self.steps[:first]:
                progress(f"step {step.name}: done before")
            # What a step makes changes what those behind it read: from the first on, all are run.
            notes = {step.name: notes[step.name] for step in self.steps[:first]}
            for number, step in enumerate(self.steps[first:], start=first + 1):
                progress(f"step {number} of {len(self.steps)}: {step.name} ({shlex.join(step.command)})")
                self._save(notes)
                notes[step.name] = self._run(step, programs)
                self._save(notes)
        return versions

    def _run(self, step: Step, programs: Path | None) -> StepNote:
        inputs = self._inputs(step)
        for output in step.outputs:
            target = self.path(output)
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)
            target.parent.mkdir(parents=True, exist_ok=True)
        folder = self.path(step.folder)
        folder.mkdir(parents=True, exist_ok=True)
        log = self.path(step.log)
        _keep_earlier(log)
        program = find_program(step.command[0], programs) or step.command[0]
        environment = {"PATH": search_path(programs), **step.environment}
        if step.command[0] == PYTHON:
            environment.setdefault("PYTHONPATH", str(_PACKAGE_ROOT))
        started = time.monotonic()
        try:
            run_tool(
                Command((program, *step.command[1:]), f"step {step.name}", log, folder, environment, own_group=True)
            )
        except SimulationError as error:
            said = _first_error(log)
            raise BuildError(f"{error}{f': {said}' if said else ''}") from error
        for output in step.outputs:
            if not self.path(output).exists():
                said = _first_error(log)
                raise BuildError(
                    f"step {step.name} ended without an error but did not make {output}; the log is {log}"
                    f"{f': {said}' if said else ''}"
                )
        seconds = time.monotonic() - started
        return StepNote(_command_digest(step), inputs, self._digest(step.outputs), seconds)

    def _is_done(self, step: Step, notes: Mapping[str, StepNote]) -> bool:
        note = notes.get(step.name)
        return (
            note is not None
            and all(self.path(output).exists() for output in step.outputs)
            and note.command == _command_digest(step)
            and note.inputs == self._inputs(step)
            and note.outputs == self._digest(step.outputs)
        )

    def _inputs(self, step: Step) -> str:
        return self._digest(step.inputs or tuple(self.files))

    def _digest(self, paths: tuple[str, ...]) -> str:
        digest = hashlib.sha256()
        for name in sorted(paths):
            path = self.path(name)
            files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
            for file in files:
                content = _file_digest(file) if file.is_file() else b"missing"
                digest.update(file.relative_to(self.folder).as_posix().encode() + b"\0" + content)
        return digest.hexdigest()

    def _notes(self) -> dict[str, StepNote]:
        """What has been noted; a damaged file says nothing, and all steps are run again."""
        try:
            return read_record(_Notes, self.path(NOTES)).steps if self.path(NOTES).exists() else {}
        except RecordError:
            return {}

    def _save(self, notes: Mapping[str, StepNote]) -> None:
        write_text(self.path(NOTES), json.dumps(asdict(_Notes(dict(notes))), indent=1) + "\n")


@contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """While inside, SIGTERM and SIGHUP interrupt as Ctrl-C does, so that no tool is left running in the folder.

    One that is ignored, as under nohup, stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    heard = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _bytes_of(content: Content) -> bytes:
    if isinstance(content, Path):
        if not content.is_file():
            raise BuildError(f"the plan needs {content}, which is not there")
        return content.read_bytes()
    return content.encode() if isinstance(content, str) else content


def _command_digest(step: Step) -> str:
    text = json.dumps([step.command, step.folder, dict(step.environment), step.outputs, step.inputs])
    return hashlib.sha256(text.encode()).hexdigest()


def _file_digest(file: Path) -> bytes:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.digest()


def _keep_earlier(log: Path) -> None:
    """Give the log of an earlier attempt the next free number."""
    if log.exists():
        number = 1
        while (kept := log.with_name(f"{log.stem}.{number}{log.suffix}")).exists():
            number += 1
        log.rename(kept)


def _first_error(log: Path) -> str:
    """The first line of a log that says ERROR, as the vendor's and the open tools write it; else empty."""
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.lstrip().upper().startswith(("ERROR:", "ERROR -", "CRITICAL ERROR", "FATAL")):
                return line.strip()[:_LONGEST_ERROR]
    return ""
