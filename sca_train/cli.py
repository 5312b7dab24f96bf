"""The commands train, sweep and figures: their arguments, which import nothing slow, and what starts them."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sca_train.command_line import Parser, guarded
from sca_train.config import CONFIG_FILE, IMPORTED, SCORES, STRUCTURES, TrainConfig
from sca_train.config_flags import add_options
from sca_train.configured import apply_overrides, configured
from sca_train.errors import TrainError
from sca_train.shipped import run_folders

TRAIN = (
    "Train, prune and compact a spiking network. The run folder receives config.toml, checkpoint.pt, "
    "compact.safetensors, metrics.json and tensorboard/; the same command again continues an interrupted run."
)
SWEEP = (
    "Train once for every combination of ratio, structure, score and seed, each in its own process and "
    "folder. The same command again skips what is finished and continues the rest from its checkpoints."
)
FIGURES = (
    "Draw the paper's figures and its table from finished trainings. The folder receives fig*.png, table.md and "
    "report.html, which holds them all."
)
_CONFIG_HELP = "TOML preset, such as configs/mini.toml, or the name of one that comes along, such as mini"


def add_commands(stages: Any) -> None:
    """Add the commands to those of a parser (what ``add_subparsers`` returned); ``execute`` runs what is parsed."""
    for name, text, description, add, run in (
        ("train", "quantization-aware training with activity pruning", TRAIN, add_train, run_train),
        ("sweep", "one training for each of several ratios, seeds, structures and scores", SWEEP, add_sweep, _sweep),
        ("figures", "the paper's figures and table of a sweep or of runs", FIGURES, add_figures, _figures),
    ):
        parser = stages.add_parser(name, help=text, description=description)
        add(parser)
        parser.set_defaults(command=run)


def execute(options: argparse.Namespace) -> int:
    """Run the command that was parsed; its exit code."""
    given = vars(options)
    return int(given.pop("command")(given))


def add_train(parser: argparse.ArgumentParser) -> None:
    """The arguments of a training: one flag per configuration option, and where and how far to train."""
    parser.add_argument("--config", type=Path, help=_CONFIG_HELP)
    parser.add_argument(
        "--run", "--run-folder", type=Path, help="run folder [runs/<name>] (torchrun takes --run for one of its own)"
    )
    parser.add_argument("--restart", action="store_true", help="forget the checkpoint in the run folder")
    parser.add_argument("--stop-after", type=int, metavar="EPOCHS", help="stop after so many epochs, to be continued")
    add_options(parser)


def add_sweep(parser: argparse.ArgumentParser) -> None:
    """The arguments of a sweep: what to sweep over, and one flag per training option."""
    parser.add_argument("--config", type=Path, help=_CONFIG_HELP)
    parser.add_argument("--out", type=Path, help="folder of the trials [runs/<name>-sweep]")
    parser.add_argument("--ratios", default="", metavar='"R R"', help="pruning ratios [the ratio option]")
    parser.add_argument("--seeds", type=int, default=1, help="seeds of each combination, counted from the seed option")
    parser.add_argument("--structures", default="", metavar='"S S"', help=f"of {', '.join(STRUCTURES)}")
    parser.add_argument("--scores", default="", metavar='"S S"', help=f"of {', '.join(SCORES)}")
    parser.add_argument("--jobs", type=int, help="trials at the same time [one per GPU, else one per CPU core]")
    parser.add_argument("--restart", action="store_true", help="forget every checkpoint and train all trials anew")
    add_options(parser)


def add_figures(parser: argparse.ArgumentParser) -> None:
    """The arguments of the figures."""
    parser.add_argument("folders", type=Path, nargs="+", metavar="RUN_OR_SWEEP", help="folders of runs or of sweeps")
    parser.add_argument("--out", type=Path, required=True, help="folder of the figures")


def train_parser() -> Parser:
    """The parser of ``python -m sca_train``."""
    made = Parser(prog="python -m sca_train", description=TRAIN)
    add_train(made)
    return made


def run_train(given: dict[str, Any]) -> int:
    """Train as the parsed options ask; the exit code is 0, 2 for a wrong request, 130 for an interrupted run."""
    prepare_threads()
    first = os.environ.get("RANK", "0") == "0"  # of the processes that torchrun starts
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # SIGTERM ends a training as Ctrl-C does
    return guarded(
        lambda: _command(given, first),
        (TrainError,),
        interrupted="\ninterrupted: the last checkpoint is kept, the same command continues from it",
        silent=not first,
    )


def prepare_threads() -> None:
    """Threads that spin while they wait make training three times slower as soon as another process takes a core;
    torch's OpenMP reads this when it is loaded, so it counts before that."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@contextmanager
def quiet_torch() -> Iterator[None]:
    """Without the notes of torch about itself that a user of a training can do nothing about."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Named tensors and all their associated APIs")
        logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
        yield


def chosen(preset: Path | None, given: dict[str, Any], run: Path | None) -> tuple[TrainConfig, Path]:
    """The configuration of a preset with options, and the run folder, each of which names the other where it is absent.

    Raises TrainError, one sentence, for an option or a preset that is not there.
    """
    config = configured(preset, given, _of_init(given) if preset is None and "model" not in given else None)
    run = run or Path("runs") / config.name
    if "name" not in given:
        config = apply_overrides(config, {"name": run.name}, "the command line")
    return config, run


def _of_init(given: dict[str, Any]) -> TrainConfig | None:
    """What a training that starts from a finished run takes over where it is told nothing else: that run's options.

    A network that was pruned is not pruned once more unless a ratio or a budget is given.
    """
    if not given.get("init"):
        return None
    folder = run_folders(given["init"])[0]
    if not (folder / CONFIG_FILE).is_file():
        return None  # what is missing is said where it is opened
    from sca_train.run_config import load_run_config

    config = load_run_config(folder)
    if config.epochs == 0 and config.model != IMPORTED and "epochs" not in given:
        raise TrainError(
            f"init {folder} was made without an epoch of training, so it does not say how many; give --epochs, "
            "and --rate-epochs and --finetune as wanted"
        )
    config = replace(config, init="", teacher="", teacher_flip=False)
    if "ratio" in given or "budget" in given:
        return config
    return replace(config, ratio=0.0, budget="", finetune=0)


def _command(given: dict[str, Any], first: bool) -> int:
    """Train as the options ask, and print what came of it in the first process; the exit code."""
    preset, run, restart, stop_after = (given.pop(key) for key in ("config", "run", "restart", "stop_after"))
    check_stop_after(stop_after)
    config, run = chosen(preset, given, run)
    with quiet_torch():
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


def check_stop_after(epochs: int | None) -> None:
    """Raise TrainError for a number of epochs after which no training can stop."""
    if epochs is not None and epochs < 1:
        raise TrainError(f"stop_after is {epochs}; a training stops after 1 epoch or more")


def _sweep(given: dict[str, Any]) -> int:
    from sca_train.sweep.sweep import run_sweep

    return run_sweep(given)


def _figures(given: dict[str, Any]) -> int:
    from sca_train.figures.__main__ import run_figures

    return run_figures(given["folders"], given["out"])
