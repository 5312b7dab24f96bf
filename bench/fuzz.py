"""`python -m bench fuzz`: mutated inputs of every kind; each has to end in a result or in one sentence.

A command fails here if it raises, ends with another exit code than 0 or 2, says more or less than one sentence with
exit code 2, leaves half-written files or changes a run that it refuses, starts a process, writes outside its folder,
does not end, ends its process, or accepts what then gives other logits.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import shutil
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from io import StringIO
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench.fuzzing.subjects import SUBJECTS, Case, Command, WrongResultError, make_base, shape_of
from bench.fuzzing.watch import Watch
from sca_train.command_line import USER_ERROR
from sca_train.files import LOCK_FILE, cache_folder

INPUT_COUNT = 20_000
PROGRESS = 1000
"""Inputs between two lines of progress."""
TIME_LIMIT = 120
"""Seconds in which a command has to end, beside other work."""
_FORBIDDEN = "did what it may not: "
_MEMORY = 12 * 2**30
"""Address space of the process that runs commands: what asks for more gets an error, not the machine's memory."""
_SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Outcome:
    """What became of one seed's input: its kind, the exit code (None where there was none), and what was wrong."""

    seed: int
    subject: str
    code: int | None
    fault: str = ""


def fuzz(folder: Path, first: int, count: int | None) -> int:
    """Try the inputs of ``count`` seeds (None: INPUT_COUNT) from ``first`` on; returns how many commands failed.

    Prints progress, what failed with which seed, a table by kind of input, and last how many failed.
    """
    wanted = INPUT_COUNT if count is None else count
    start = time.monotonic()
    outcomes: list[Outcome] = []
    base = make_base_runs(folder)
    for outcome in run_inputs(base, first, wanted):
        outcomes.append(outcome)
        if outcome.fault:
            print(f"seed {outcome.seed}, {outcome.subject}: {outcome.fault}", flush=True)
        if len(outcomes) % PROGRESS == 0 or len(outcomes) == wanted:
            failed, minutes = _failed(outcomes), (time.monotonic() - start) / 60
            print(f"{len(outcomes)} of {wanted} inputs, {failed} failures, {minutes:.1f} minutes", flush=True)
    _print_table(outcomes)
    print(f"\nfuzz {_failed(outcomes)}", flush=True)
    return _failed(outcomes)


def make_base_runs(folder: Path) -> Path:
    """Fresh base runs below the folder."""
    base = folder.resolve() / "bench-fuzz"
    shutil.rmtree(base, ignore_errors=True)
    base.mkdir(parents=True)
    process = _SPAWN.Process(target=_make_base, args=(base,))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError("the runs whose files are to be mutated could not be made")
    return base


def _make_base(base: Path) -> None:
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        make_base(base)
    for run in base.iterdir():
        (run / "shape.json").write_text(str(shape_of(run)))


def _failed(outcomes: list[Outcome]) -> int:
    return sum(bool(outcome.fault) for outcome in outcomes)


def run_inputs(base: Path, first: int, count: int) -> Iterator[Outcome]:
    """The outcome of every seed; another process runs the commands, and a new one goes on where one ended."""
    seed, end = first, first + count
    while seed < end:
        receiver, sender = _SPAWN.Pipe(duplex=False)
        process = _SPAWN.Process(target=_worker, args=(base, seed, end, sender), daemon=True)
        process.start()
        sender.close()
        while seed < end:
            outcome = _received(receiver)
            if outcome is None:
                subject = _subject_of(seed).__name__
                if process.is_alive() and process.join(1) is None and process.exitcode is None:
                    process.kill()
                    fault = f"did not end in {TIME_LIMIT} seconds"
                else:
                    fault = f"ended its process (exit code {process.exitcode})"
                yield Outcome(seed, subject, None, fault)
                seed += 1
                break
            yield outcome
            seed += 1
        process.join(5)
        process.kill()
        receiver.close()


def _received(receiver: Connection) -> Outcome | None:
    """The next outcome; None where none comes in time or the process has ended."""
    if not receiver.poll(TIME_LIMIT):
        return None
    with suppress(EOFError):
        outcome: Outcome = receiver.recv()
        return outcome
    return None


def _worker(base: Path, first: int, end: int, sender: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    with tempfile.TemporaryDirectory(prefix="spikefold-fuzz-") as place:
        os.environ["TMPDIR"] = os.environ["TORCHINDUCTOR_CACHE_DIR"] = tempfile.tempdir = place
        work = Path(place) / "a" / "b"  # so that paths that begin with .. stay inside
        work.mkdir(parents=True)
        os.chdir(work)
        watch = Watch([Path(place), cache_folder(), base])
        for seed in range(first, end):
            sender.send(_outcome(base, seed, Path(place) / "case", watch))


def _subject_of(seed: int) -> Any:
    return random.Random(seed).choices(list(SUBJECTS), list(SUBJECTS.values()))[0]


def _outcome(base: Path, seed: int, folder: Path, watch: Watch) -> Outcome:
    subject = _subject_of(seed)
    folder.mkdir()
    try:
        command = subject(Case(folder, base, random.Random(seed)))
        before = _contents(folder)
        code, fault = _run(command, watch)
        fault = fault or _left_behind(folder, before, code)
    finally:
        shutil.rmtree(folder)
    return Outcome(seed, subject.__name__, code, fault)


def _run(command: Command, watch: Watch) -> tuple[int | None, str]:
    """Exit code of a command and what was wrong with how it ended."""
    said = StringIO()
    with watch.active() as seen, redirect_stdout(StringIO()), redirect_stderr(said):
        try:
            code = command()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        except WrongResultError as error:
            return None, str(error)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            if seen:
                return None, _FORBIDDEN + ", ".join(seen[:3])
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(where.filename).name}:{where.lineno}"
            return None, f"{type(error).__name__} at {place}: {str(error)[:200]!r}"
    if seen:
        return code, _FORBIDDEN + ", ".join(seen[:3])
    if code not in (0, USER_ERROR):
        return code, f"exit code {code}"
    errors = [line for line in said.getvalue().splitlines() if line.startswith("error: ")]
    if (code == USER_ERROR) != (len(errors) == 1) or len(errors) > 1:
        return code, f"exit code {code} with {len(errors)} sentences"
    if code == USER_ERROR and not said.getvalue().rstrip().endswith(errors[0]):
        return code, "more was said after the sentence"
    return code, ""


def _contents(folder: Path) -> dict[Path, tuple[int, int]]:
    """Size and time of change of every file."""
    return {
        path: (path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in folder.rglob("*")
        if not path.is_dir() or path.is_symlink()
    }


def _left_behind(folder: Path, before: dict[Path, tuple[int, int]], code: int | None) -> str:
    """What a command left that it should not have, or ""."""
    after = _contents(folder)
    new = [path.name for path in after.keys() - before.keys()]
    hidden = [name for name in new if name.startswith(".") and name != LOCK_FILE]
    if hidden:
        return f"left {', '.join(hidden[:3])}"
    lost = [path.name for path in before.keys() - after.keys()]
    if code == USER_ERROR and lost:
        return f"lost {', '.join(lost[:3])}"
    return ""


def _print_table(outcomes: list[Outcome]) -> None:
    inputs = Counter(outcome.subject for outcome in outcomes)
    refused = Counter(outcome.subject for outcome in outcomes if outcome.code == USER_ERROR)
    failed = Counter(outcome.subject for outcome in outcomes if outcome.fault)
    print("\n| input | inputs | refused by a sentence | failures |\n| --- | --- | --- | --- |")
    for subject in SUBJECTS:
        name = subject.__name__
        words = (subject.__doc__ or "").partition(";")[0].rstrip(".").partition("\n")[0]
        print(f"| {words} | {inputs[name]} | {refused[name]} | {failed[name]} |")
