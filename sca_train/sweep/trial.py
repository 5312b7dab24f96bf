"""One training of a sweep in a process of its own: what a Ray worker does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from dataclasses import dataclass
from pathlib import Path

LOG_FILE = "train.log"
_PROGRESS_BARS = "\r"


@dataclass(frozen=True)
class TrialRequest:
    """What a worker is told: the options of the training, its folder, and its share of the machine."""

    options: Path
    folder: Path
    working_folder: Path
    threads: int
    restart: bool


def run_trial(request: TrialRequest) -> str | None:
    """Train as ``python -m sca_train`` does; returns the sentence that says why it failed, None when it did not.

    The training's own output goes to train.log in its folder.
    """
    request.folder.mkdir(parents=True, exist_ok=True)
    log = request.folder / LOG_FILE
    threads = str(request.threads)
    command = [sys.executable, "-m", "sca_train", "--config", str(request.options), "--run", str(request.folder)]
    command += ["--threads", threads] + (["--restart"] if request.restart else [])
    with log.open("w") as output:
        code = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=request.working_folder,
            env={**os.environ, "OMP_NUM_THREADS": threads, "OMP_WAIT_POLICY": "PASSIVE"},
            check=False,
        ).returncode
    return None if code == 0 else failure(log, code)


def failure(log: Path, code: int) -> str:
    """The sentence a training ended with; without one, how the process ended and the last line that it wrote."""
    with log.open(errors="replace", newline="\n") as lines:
        last = [line.rstrip("\n").split(_PROGRESS_BARS)[-1].strip() for line in deque(lines, maxlen=50)]
    for line in reversed(last):
        if line.startswith("error: "):
            return line.removeprefix("error: ")
    ending = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    return f"the training {ending}; its last line: {next((line for line in reversed(last) if line), 'none')}"
