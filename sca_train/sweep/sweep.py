"""Many trainings side by side on Ray: ``python -m sca_train.sweep --ratios "0.2 0.5 0.8" --seeds 3``."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import logging
import math
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from pathlib import Path
from typing import Any

from sca_train.cli import SWEEP, add_sweep
from sca_train.command_line import Parser, guarded
from sca_train.config import TrainConfig, changed_options, config_to_dict, config_to_toml
from sca_train.configured import apply_overrides, configured, load_config
from sca_train.errors import TrainError
from sca_train.files import write_text
from sca_train.measure.metrics_file import Metrics, read_metrics
from sca_train.sweep.trial import LOG_FILE, TrialRequest, run_trial

TRIALS_FAILED = 1
MOST_SEEDS = 10_000
MOST_JOBS = 1024
SUMMARY_JSON = "sweep.json"
SUMMARY_CSV = "sweep.csv"
OBJECT_STORE_BYTES = 100 * 1024 * 1024
"""Ray's shared memory: trials exchange nothing, and the default would take a third of the machine's memory."""

_QUIET_AND_LOCAL = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    # A worker that dies takes the training that it started with it.
    "RAY_kill_child_processes_on_worker_exit": "1",
}


@dataclass(frozen=True)
class Trial:
    """One training of the sweep; ``config.name`` is the name of its folder."""

    config: TrainConfig
    folder: Path

    @property
    def name(self) -> str:
        return self.config.name


@dataclass(frozen=True)
class Outcome:
    """A row of the summary; values that the trial did not reach are None. ``ratio`` is what was pruned."""

    trial: str
    state: str
    ratio: float | None
    structure: str
    score: str
    seed: int
    accuracy: float | None = None
    params: float | None = None
    synops: float | None = None
    seconds: float | None = None
    error: str | None = None


def parser() -> Parser:
    """The parser: what to sweep over, and one flag per training option."""
    made = Parser(prog="python -m sca_train.sweep", description=SWEEP)
    add_sweep(made)
    return made


def main(arguments: list[str] | None = None) -> int:
    """Run the command line: 0 when every trial finished, 1 when one failed, 2 for a wrong request, 130 interrupted."""
    return run_sweep(vars(parser().parse_args(arguments)))


def run_sweep(given: dict[str, Any]) -> int:
    """Run the sweep that the parsed options ask for; the exit code, as ``main``."""
    return guarded(
        lambda: command(given),
        (TrainError,),
        interrupted="\ninterrupted: the checkpoints are kept, the same command continues from them",
    )


def command(given: dict[str, Any]) -> int:
    """Run the sweep that the options ask for and print its table; the exit code."""
    preset, out, ratios, seeds, structures, scores, jobs, restart = (
        given.pop(key) for key in ("config", "out", "ratios", "seeds", "structures", "scores", "jobs", "restart")
    )
    require_ray()
    base = configured(preset, given)
    out = out or Path("runs") / f"{base.name}-sweep"
    trials = plan(base, out.resolve(), _numbers(ratios), structures.split(), scores.split(), seeds)
    if jobs is not None and not 1 <= jobs <= MOST_JOBS:
        raise TrainError(f"jobs is {jobs}; it must be from 1 to {MOST_JOBS}")
    done = set() if restart else {trial.name for trial in trials if is_finished(trial)}
    out.mkdir(parents=True, exist_ok=True)  # fails, where it does, before anything is trained
    outcomes = run(trials, done, jobs, restart)
    write_summary(out, outcomes)
    print(table(outcomes))
    failed = [outcome for outcome in outcomes if outcome.error]
    for outcome in failed:
        print(f"error: {outcome.trial}: {outcome.error} (see {out / outcome.trial / LOG_FILE})", file=sys.stderr)
    return TRIALS_FAILED if failed else 0


def require_ray() -> None:
    """Raise TrainError when the extra that sweeps need is not installed."""
    if importlib.util.find_spec("ray") is None:
        raise TrainError("sweeps run on Ray, which is not installed; install it with: pip install 'spikefold[sweep]'")


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split()]
    except ValueError:
        raise TrainError(f"ratios is {text!r}; it must list numbers such as '0.2 0.5 0.8'") from None


def plan(
    base: TrainConfig, out: Path, ratios: list[float], structures: list[str], scores: list[str], seeds: int
) -> list[Trial]:
    """The trials, one per combination that differs: nothing is chosen at ratio 0, and nothing is scored at random.

    Raises TrainError when an option could not be used by any training.
    """
    if not 1 <= seeds <= MOST_SEEDS:
        raise TrainError(f"seeds is {seeds}; it must be from 1 to {MOST_SEEDS}")
    if base.budget and ratios:
        raise TrainError(f"budget {base.budget} decides the ratio; give ratios or a budget, not both")
    trials: dict[str, Trial] = {}
    first_structure, first_score = (structures or [base.structure])[0], (scores or [base.score])[0]
    for ratio, structure, score, seed in product(
        ratios or [base.ratio], structures or [base.structure], scores or [base.score], range(seeds)
    ):
        if ratio == 0.0 and not base.budget:
            structure, score = first_structure, first_score
        if structure == "random":
            score = first_score
        amount = base.budget or f"ratio{ratio:g}"
        name = f"{amount}-{structure}-{score}-seed{base.seed + seed}"
        options = {"name": name, "ratio": ratio, "structure": structure, "score": score, "seed": base.seed + seed}
        trials.setdefault(name, Trial(apply_overrides(base, options, "the sweep"), out / name))
    return list(trials.values())


def is_finished(trial: Trial) -> bool:
    """Whether the trial's folder holds the metrics of just this training.

    Raises TrainError when the folder is that of a training with other options.
    """
    if not (trial.folder / "config.toml").exists():
        return False
    try:
        found = load_config(trial.folder / "config.toml")
    except TrainError as error:
        raise TrainError(f"{error}; --restart trains all trials anew") from None
    differing = changed_options(config_to_dict(found), trial.config)
    if differing:
        raise TrainError(
            f"{trial.folder} was trained with other values of {', '.join(differing)}; "
            "use another folder, or --restart to train all trials anew"
        )
    metrics = _metrics(trial)
    if metrics is None:
        return False
    for option in ("teacher", "init"):
        if getattr(metrics, option) != _digest_of(option, getattr(trial.config, option)):
            raise TrainError(
                f"{trial.folder} was trained with another {option}; "
                "use another folder, or --restart to train all trials anew"
            )
    return True


def _digest_of(option: str, given: str) -> str:
    if not given:
        return ""
    from sca_train.finished_run import digest_of_runs  # which imports torch, and takes seconds

    return digest_of_runs(option, given)


def _metrics(trial: Trial) -> Metrics | None:
    """What the finished training measured; None when it is not there, or not whole."""
    try:
        return read_metrics(trial.folder)
    except (TrainError, OSError):
        return None


def run(trials: list[Trial], done: set[str], jobs: int | None, restart: bool) -> list[Outcome]:
    """Train what is not finished, and return the outcome of every trial in the order of ``trials``."""
    pending = [trial for trial in trials if trial.name not in done]
    print(f"{len(trials)} trials, {len(done)} of them finished before", flush=True)
    errors = run_on_ray(pending, jobs, restart) if pending else {}
    return [outcome_of(trial, trial.name in done, errors.get(trial.name)) for trial in trials]


def run_on_ray(pending: list[Trial], jobs: int | None, restart: bool) -> dict[str, str]:
    """Train on a Ray of our own that lives as long as this call; what went wrong, by the name of the trial."""
    started = time.monotonic()
    errors: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="sweep-") as scratch, local_ray(Path(scratch)) as (cores, gpus):
        import ray

        gpus = 0 if pending[0].config.device == "cpu" else gpus
        jobs = min(jobs or gpus or cores, len(pending))
        threads = pending[0].config.threads or max(1, cores // jobs)
        # No CPUs asked of Ray: it gives whole ones only, and ``jobs`` already bounds what runs at the same time.
        task = ray.remote(num_cpus=0, num_gpus=1 / math.ceil(jobs / gpus) if gpus else 0, max_retries=0)(run_trial)
        waiting, ended = list(pending), 0
        running: dict[Any, Trial] = {}
        while waiting or running:
            while waiting and len(running) < jobs:
                trial = waiting.pop(0)
                options = Path(scratch) / f"{trial.name}.toml"
                options.write_text(config_to_toml(replace(trial.config, threads=threads)))
                request = TrialRequest(options, trial.folder, Path.cwd(), threads, restart)
                running[task.remote(request)] = trial
            (reference,), _ = ray.wait(list(running), num_returns=1)
            trial = running.pop(reference)
            try:
                error = ray.get(reference)
            except ray.exceptions.RayError as failure:
                error = f"its Ray worker failed: {str(failure).strip().splitlines()[-1]}"
            if error:
                errors[trial.name] = error
            ended += 1
            how, spent = "failed" if error else "trained", time.monotonic() - started
            print(f"[{ended}/{len(pending)}] {trial.name}: {how} after {spent:.0f} s", flush=True)
    return errors


@contextmanager
def local_ray(scratch: Path) -> Iterator[tuple[int, int]]:
    """A quiet Ray on this machine alone, without dashboard, telemetry or files that stay; yields CPU cores and GPUs."""
    # The token keeps other users of the machine out; given here, Ray leaves the home folder alone.
    os.environ.update(_QUIET_AND_LOCAL, RAY_AUTH_TOKEN=secrets.token_hex(32))
    import ray

    logging.getLogger("ray").setLevel(logging.ERROR)
    cores = len(os.sched_getaffinity(0))
    ray.init(
        address="local",
        num_cpus=cores,
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
        object_store_memory=OBJECT_STORE_BYTES,
        _temp_dir=str(scratch / "ray"),
    )
    try:
        yield cores, int(ray.cluster_resources().get("GPU", 0))
    finally:
        ray.shutdown()


def outcome_of(trial: Trial, before: bool, error: str | None) -> Outcome:
    """The summary of one trial from what is in its folder."""
    config, metrics = trial.config, _metrics(trial)
    if error is None and metrics is None:
        error = "the training ended without metrics.json"
    ratio = None if config.budget else config.ratio
    outcome = Outcome(trial.name, "failed", ratio, config.structure, config.score, config.seed, error=error)
    if error is not None or metrics is None or metrics.params is None or metrics.synops is None:
        return outcome
    return replace(
        outcome,
        state="finished before" if before else "trained",
        ratio=metrics.ratio if config.budget else config.ratio,
        accuracy=metrics.accuracy,
        params=metrics.params.compact,
        synops=metrics.synops.compact,
        seconds=metrics.seconds,
    )


def write_summary(out: Path, outcomes: list[Outcome]) -> None:
    """sweep.json and sweep.csv, one row per trial."""
    rows = [asdict(outcome) for outcome in outcomes]
    write_text(out / SUMMARY_JSON, json.dumps({"trials": rows}, indent=2) + "\n")
    text = io.StringIO()
    writer = csv.DictWriter(text, [entry.name for entry in fields(Outcome)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(out / SUMMARY_CSV, text.getvalue())


def table(outcomes: list[Outcome]) -> str:
    """The trials in columns, for the terminal."""
    shown: list[tuple[str, Callable[[Outcome], str]]] = [
        ("trial", lambda row: row.trial),
        ("state", lambda row: row.state),
        ("accuracy", lambda row: "" if row.accuracy is None else f"{row.accuracy:.4f}"),
        ("params", lambda row: "" if row.params is None else f"{row.params:,}"),
        ("seconds", lambda row: "" if row.seconds is None else f"{row.seconds:.0f}"),
    ]
    lines = [[title for title, _ in shown], *([cell(row) for _, cell in shown] for row in outcomes)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(shown))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
