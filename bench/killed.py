"""`python -m bench killed`: stages that are killed at any moment lose nothing, and leave nothing that is wrong.

Each stage of a tiny network starts from a run folder that has all results of an earlier folding, is killed with its
process group at a random moment, and is run again. Where it replaces what later stages stand on, a report comes in
between: it either is that of before or of after, or one sentence. The end is compared with that of a stage that ran
undisturbed from the same start: sources, logits, results without their times, and the report of all.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codegen.digests import file_digest, sources_digest
from codegen.errors import CodegenError
from sca_train.command_line import USER_ERROR
from sca_train.files import CACHE_VARIABLE

KILLS = 60
TRAINING = (
    "--model",
    "mlp",
    "--dataset",
    "digits",
    "--hidden",
    "4",
    "--timesteps",
    "4",
    "--epochs",
    "0",
    "--finetune",
    "0",
)
EARLIER: dict[str, tuple[str, ...]] = {
    "export": (),
    "hls": ("--target-cycles", "32"),
    "csim": ("--images", "20"),
    "rtlsim": ("--images", "2"),
    "synth": (),
    "report": (),
}
"""The stages in their order, with the options of the run folder that each killed one starts from."""
STAGES = {**EARLIER, "export": ("--frac-bits", "3"), "hls": ("--target-cycles", "8")}
"""The same with the options with which they are killed."""
REPLACING = ("export", "hls")
"""Stages on whose files later ones stand."""
UNTOLD = {"seconds", "images_per_second", "cycles_per_second", "cached", "graph_sha256"}
"""What differs from run to run: times, and names of tensors in graph.onnx."""
QUICK_COMPILER = """#!/bin/sh
for given do
    shift
    case "$given" in -O?|-march=native) ;; *) set -- "$@" "$given" ;; esac
done
exec {compiler} -O0 "$@"
"""

Summary = dict[str, Any]


@dataclass(frozen=True)
class Bench:
    """The folder of all runs, and the environment of their processes."""

    folder: Path
    environment: dict[str, str]

    @property
    def start(self) -> Path:
        """The run folder that every stage starts from."""
        return self.folder / "start"

    def run(self, run: Path, stage: str, options: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """A stage to its end."""
        command = _command(run, stage, options)
        return subprocess.run(
            command, env=self.environment, capture_output=True, encoding="utf-8", errors="replace", check=False
        )

    def run_killed(self, run: Path, stage: str, seconds: float) -> None:
        """A stage that is killed, with all processes that it started, after so many seconds if it has not ended."""
        with subprocess.Popen(
            _command(run, stage, STAGES[stage]),
            env=self.environment,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def copy(self, name: str) -> Path:
        """A fresh copy of the start, in the place of an earlier one."""
        run = self.folder / name
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(self.start, run)
        return run


@dataclass(frozen=True)
class Undisturbed:
    """A stage that was not killed: how long it took, what it left, and the report after it."""

    seconds: float
    left: Summary
    report: bytes


def killed(folder: Path, seed: int, kills: int, stages: Sequence[str] = tuple(STAGES)) -> int:
    """Kill stages ``kills`` times at moments drawn from ``seed``; returns how often what followed was not right.

    Prints a line for each fault, a table by stage and, last, the number of faults.
    """
    bench = prepare(folder / "bench-killed", compiled=set(stages) - set(REPLACING) - {"report"})
    chance = random.Random(seed)
    drawn = [stages[index % len(stages)] for index in range(kills)]
    undisturbed = {stage: _undisturbed(bench, stage) for stage in dict.fromkeys(drawn)}
    faults: Counter[str] = Counter()
    for number, stage in enumerate(drawn):
        after = chance.uniform(0, undisturbed[stage].seconds)
        fault = _fault(bench, stage, after, undisturbed[stage], fresh=chance.random() < 0.5)
        if fault:
            faults[stage] += 1
            print(f"kill {number}, {stage} after {after:.2f} s: {fault}", flush=True)
    print("\n| stage | kills | faults | seconds undisturbed |\n| --- | --- | --- | --- |")
    for stage, told in undisturbed.items():
        print(f"| {stage} | {drawn.count(stage)} | {faults[stage]} | {told.seconds:.1f} |")
    print(f"\nkilled FAILURES {faults.total()} of {kills}", flush=True)
    return faults.total()


def prepare(folder: Path, compiled: set[str]) -> Bench:
    """Train, and run the stages that replace something, the report, and those of ``compiled``.

    Raises CodegenError where one does not end well.
    """
    shutil.rmtree(folder, ignore_errors=True)
    tools = folder / "tools"
    tools.mkdir(parents=True)
    for name in ("g++", "c++"):
        (tools / name).write_text(QUICK_COMPILER.format(compiler=shutil.which(name) or name), encoding="utf-8")
        (tools / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    bench = Bench(folder, {**environment, CACHE_VARIABLE: str(folder / "cache")})
    train = [sys.executable, "-m", "sca_train", *TRAINING, "--run", str(bench.start)]
    done = subprocess.run(train, env=bench.environment, capture_output=True, text=True, check=False)
    _require(done.returncode == 0, done.stderr)
    for stage, options in EARLIER.items():
        if stage in compiled or stage in (*REPLACING, "report"):
            done = bench.run(bench.start, stage, options)
            _require(done.returncode == 0, done.stderr)
    return bench


def _command(run: Path, stage: str, options: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "codegen", stage, str(run), *options]


def _require(right: bool, sentence: str) -> None:
    if not right:
        raise CodegenError(sentence)


def _undisturbed(bench: Bench, stage: str) -> Undisturbed:
    run = bench.copy("undisturbed")
    _remove_programs(run, bench)
    start = time.monotonic()
    done = bench.run(run, stage, STAGES[stage])
    seconds = time.monotonic() - start
    _require(done.returncode == 0, done.stderr)
    left = summary(run)
    _require(bench.run(run, "report", ()).returncode == 0, f"no report after {stage}")
    return Undisturbed(seconds, left, (run / "report.json").read_bytes())


def _remove_programs(run: Path, bench: Bench) -> None:
    """What stages keep from one time to the next."""
    for kept in (run / "build", bench.folder / "cache" / "synth"):
        shutil.rmtree(kept, ignore_errors=True)


def _fault(bench: Bench, stage: str, after: float, undisturbed: Undisturbed, fresh: bool) -> str:
    """What is not right after a kill; nothing where all is. ``fresh``: without programs of an earlier time."""
    run = bench.copy("killed")
    if fresh:
        _remove_programs(run, bench)
    bench.run_killed(run, stage, after)
    if stage in REPLACING:
        done = bench.run(run, "report", ())
        if done.returncode == USER_ERROR:
            if done.stderr.count("\n") != 1:
                return f"the report says {done.stderr!r}"
        elif done.returncode:
            return f"the report ends with {done.returncode}: {done.stderr!r}"
        elif (run / "report.json").read_bytes() not in (
            undisturbed.report,
            (bench.start / "report.json").read_bytes(),
        ):
            return "the report is neither that of before nor of after"
    done = bench.run(run, stage, STAGES[stage])
    if done.returncode:
        return f"the same command again ends with {done.returncode}: {done.stderr!r}"
    left, right = summary(run), undisturbed.left
    differing = sorted(key for key in left.keys() | right.keys() if left.get(key) != right.get(key))
    if differing:
        return f"different from an undisturbed run: {', '.join(differing)}"
    bench.run(run, "report", ())
    same = (run / "report.json").read_bytes() == undisturbed.report
    return "" if same else "the report is not that of an undisturbed run"


def summary(run: Path) -> Summary:
    """What a run folder holds, without times: digests of files and sources, results, and whatever was left over."""
    found: Summary = {"left over": sorted(str(path.relative_to(run)) for path in run.rglob(".*"))}
    for name in ("model.onnx", "folding.json", "results/onnx_logits.npy"):
        if (run / name).exists():
            found[name] = file_digest(run / name)
    for tree in ("hls", "rtl"):
        if (run / tree).exists():
            found[tree] = sources_digest(run / tree)
    for result in sorted((run / "results").glob("*.json")):
        found[result.name] = _timeless(json.loads(result.read_text(encoding="utf-8")))
    return found


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(entry) for key, entry in value.items() if key not in UNTOLD}
    return [_timeless(entry) for entry in value] if isinstance(value, list) else value
