"""Several processes of one simulator at once: which images each takes, and what they say until all have ended."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import IO

from codegen.errors import SimulationError

_PROGRESS = "progress "

Show = Callable[[Sequence[tuple[int, ...]]], None]
"""Told the numbers of each process's last "progress" line; () before the first."""


@dataclass(frozen=True)
class Ended:
    """A process that has ended: its status, the lines it printed but for "progress", what it complained of.

    ``stopped``: it was running when another one failed, and was ended.
    """

    status: int
    output: tuple[str, ...]
    errors: str
    stopped: bool = False


def check_jobs(jobs: int | None) -> None:
    """Raise SimulationError for a number of processes that is no whole number above 0."""
    if jobs is not None and (not isinstance(jobs, int) or isinstance(jobs, bool) or jobs < 1):
        raise SimulationError(f"jobs={jobs!r} is not a whole number of 1 or more")


def process_count(jobs: int | None, images: int, least: int = 1) -> int:
    """How many processes take at least ``least`` of so many images each: up to ``jobs``, or to the number of cores.

    Errors as ``check_jobs``.
    """
    check_jobs(jobs)
    return max(1, min(jobs or os.cpu_count() or 1, images // least))


def shares(images: int, processes: int) -> tuple[slice, ...]:
    """Images 0 .. ``images`` - 1 in contiguous shares, one a process, none more than one image longer than another."""
    bounds = [images * process // processes for process in range(processes + 1)]
    return tuple(slice(first, last) for first, last in pairwise(bounds))


def run_together(commands: Sequence[Sequence[str]], folder: Path | None, show: Show) -> tuple[Ended, ...]:
    """Run programs in ``folder`` to the end of all, or until one fails: then the others are ended too.

    None is left running when this returns or raises. Errors that ``show`` raises go through.
    """
    numbers: list[tuple[int, ...]] = [() for _ in commands]
    output: list[list[str]] = [[] for _ in commands]
    said: SimpleQueue[tuple[int, str | None]] = SimpleQueue()
    stopped: set[int] = set()
    with ExitStack() as stack:
        errors = [stack.enter_context(_text_file()) for _ in commands]
        processes: list[subprocess.Popen[str]] = []
        stack.callback(lambda: _end(processes))
        for index, command in enumerate(commands):
            processes.append(_start(command, folder, errors[index]))
            Thread(target=_listen, args=(index, processes[index], said), daemon=True).start()
        running = len(commands)
        while running:
            index, line = said.get()
            if line is None:
                running -= 1
                if processes[index].wait() != 0 and not stopped:
                    stopped |= _end(processes)
            elif line.startswith(_PROGRESS):
                numbers[index] = tuple(int(number) for number in line.split()[1:])
                show(numbers)
            else:
                output[index].append(line.rstrip("\n"))
        return tuple(
            Ended(process.wait(), tuple(output[index]), _whole(errors[index]), index in stopped)
            for index, process in enumerate(processes)
        )


def first_failed(ended: Sequence[Ended]) -> Ended | None:
    """The first process, by its images, that failed of itself."""
    return next((process for process in ended if process.status != 0 and not process.stopped), None)


def _text_file() -> IO[str]:
    return tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")


def _start(command: Sequence[str], folder: Path | None, errors: IO[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=errors, encoding="utf-8", errors="replace"
    )


def _listen(index: int, process: subprocess.Popen[str], said: SimpleQueue[tuple[int, str | None]]) -> None:
    """Hand on what a process prints, line by line, and None at the end."""
    assert process.stdout is not None
    with process.stdout as lines:
        for line in lines:
            said.put((index, line))
    said.put((index, None))


def _end(processes: Sequence[subprocess.Popen[str]]) -> set[int]:
    """End the processes that run, and wait for them; which ones they were."""
    running = {index for index, process in enumerate(processes) if process.poll() is None}
    for index in running:
        processes[index].kill()
    for process in processes:
        process.wait()
    return running


def _whole(file: IO[str]) -> str:
    file.seek(0)
    return file.read()
