"""Command line: ``python -m sca_train --config configs/mini.toml --ratio 0.5 --run runs/mini``."""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

from sca_train.command_line import Parser, guarded
from sca_train.config import add_options, apply_overrides, configured
from sca_train.errors import TrainError


def parser() -> Parser:
    """The parser with one flag per configuration option."""
    made = Parser(
        prog="python -m sca_train",
        description="Train, prune and compact a spiking network. The run folder receives config.toml, checkpoint.pt, "
        "compact.safetensors, metrics.json and tensorboard/; the same command again continues an interrupted run.",
    )
    made.add_argument("--config", type=Path, help="TOML preset, such as configs/mini.toml")
    made.add_argument(
        "--run", "--run-folder", type=Path, help="run folder [runs/<name>] (torchrun takes --run for one of its own)"
    )
    made.add_argument("--restart", action="store_true", help="forget the checkpoint in the run folder")
    made.add_argument("--stop-after", type=int, metavar="EPOCHS", help="stop after so many epochs, to be continued")
    add_options(made)
    return made


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit code is 0, 2 for a wrong request, 130 for an interrupted run."""
    # Threads that spin while they wait make training three times slower as soon as another process takes a core;
    # torch's OpenMP reads this when it is loaded, which is later.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    given = vars(parser().parse_args(arguments))
    first = os.environ.get("RANK", "0") == "0"  # of the processes that torchrun starts
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # SIGTERM ends a training as Ctrl-C does
    return guarded(
        lambda: command(given, first),
        (TrainError,),
        interrupted="\ninterrupted: the last checkpoint is kept, the same command continues from it",
        silent=not first,
    )


def command(given: dict[str, Any], first: bool) -> int:
    """Train as the options ask, and print what came of it in the first process; the exit code."""
    preset, run, restart, stop_after = (given.pop(key) for key in ("config", "run", "restart", "stop_after"))
    if stop_after is not None and stop_after < 1:
        raise TrainError(f"stop_after is {stop_after}; a training stops after 1 epoch or more")
    config = configured(preset, given)
    run = run or Path("runs") / config.name
    if "name" not in given:
        config = apply_overrides(config, {"name": run.name}, "the command line")
    # Notes of torch about itself that a user of this command can do nothing about.
    warnings.filterwarnings("ignore", message="Named tensors and all their associated APIs")
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    from sca_train.train import train  # torch takes seconds to import; wrong options need not wait for it

    metrics = train(config, run, restart, stop_after)
    if not first:
        return 0
    if metrics is None:
        print(f"stopped; the same command without --stop-after continues {run}")
        return 0
    params, synops = metrics["params"], metrics["synops"]
    print(
        f"{run}: accuracy {metrics['accuracy']:.4f} on {metrics['images']} test images, ratio {metrics['ratio']:.4f}, "
        f"parameters {params['dense']} -> {params['compact']}, "
        f"SynOps per image {synops['dense']:.0f} -> {synops['compact']:.0f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
