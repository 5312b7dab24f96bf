"""`python -m bench.ablation`: what each part of the CIFAR-10 recipe is worth, one change at a time, over seeds.

Every training is a run of its own in runs/ablation/; the same command continues, and what is finished is only read.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

from bench.command import natural, positive, run_command
from sca_train.command_line import Parser
from sca_train.files import METRICS_FILE
from sca_train.measure.metrics_file import read_metrics

BASE = (
    "--width", "0.25", "--train-images", "20000", "--epochs", "10", "--rate-epochs", "9", "--finetune", "0",
    "--batch-size", "128", "--lr", "0.1", "--eval-images", "1000",
)  # fmt: skip
"""The preset's recipe on a sixteenth of its products, for ten short epochs of which the last one spikes."""
_HALF = ("--ratio", "0.5", "--finetune", "5", "--min-channel-fraction", "0.4")

VARIANTS: dict[str, tuple[str, ...]] = {
    "recipe": (),
    "gradients in float32": ("--gradients", "exact"),
    "all epochs spiking": ("--rate-epochs", "0", "--lr", "0.02"),
    "AdamW": ("--optimizer", "adamw", "--lr", "4e-3"),
    "no Nesterov": ("--no-nesterov",),
    "cosine schedule": ("--schedule", "cosine"),
    "one-cycle schedule": ("--schedule", "one-cycle", "--warm-up", "0.3"),
    "no label smoothing": ("--label-smoothing", "0"),
    "flip by chance": ("--no-alternating-flip",),
    "black borders": ("--border", "black"),
    "no cutout": ("--cutout", "0"),
    "cutmix": ("--cutmix", "0.5"),
    "weight decay 1e-4": ("--weight-decay", "1e-4"),
    "random first layer": ("--first-init", "random"),
    "gammas from 1": ("--norm-init", "1"),
    "quantised from the start": ("--float-fraction", "0"),
    "learned scales": ("--scale-update", "learned"),
    "average of weights": ("--ema", "0.999"),
    "V(0) = 0": ("--v-init", "0"),
    "LateIF": ("--neuron", "LateIF", "--rate-epochs", "10"),
    "a teacher": ("--teacher", "zoo/cnn-dense", "--distill", "0.8"),
    "half of the channels": _HALF,
    "the same, ratio ramp": (*_HALF, "--ratio-ramp", "0.75"),
}


def parser() -> Parser:
    """Which images, how many seeds, and which variants."""
    made = Parser(prog="python -m bench.ablation", description=__doc__.splitlines()[0])
    made.add_argument("--config", type=Path, default=Path("configs/cnn.toml"), help="recipe [%(default)s]")
    made.add_argument("--data", required=True, help="train/ and test/ class folders, or a tar archive of them")
    made.add_argument("--seeds", type=positive, default=3, help="[%(default)s]")
    made.add_argument("--only", nargs="*", choices=[*VARIANTS], help="these variants only")
    made.add_argument("--threads", type=natural, default=0, help="CPU threads of a training (0: as torch chooses)")
    made.add_argument("--runs", type=Path, default=Path("runs/ablation"), help="where the runs lie [%(default)s]")
    return made


def accuracies(given: argparse.Namespace, variant: str, seed: int) -> dict[str, float]:
    """Accuracy at each passage of one training, which is run or continued if it is not finished."""
    run = given.runs / f"{variant.replace(' ', '-').lower()}-s{seed}"
    if not (run / METRICS_FILE).exists():
        options = (
            *BASE, *VARIANTS[variant], "--seed", str(seed), "--threads", str(given.threads), "--data", given.data,
            "--run-folder", str(run),
        )  # fmt: skip
        subprocess.run([sys.executable, "-m", "sca_train", "--config", given.config, *options], check=True)
    return read_metrics(run).accuracies


def main(arguments: list[str] | None = None) -> int:
    """Train all variants and print a table: mean and standard deviation over the seeds, in percent."""
    given = parser().parse_args(arguments)
    print("| variant | as rates | converted | after spiking epochs |\n| --- | --- | --- | --- |")
    for variant in given.only or VARIANTS:
        found = [accuracies(given, variant, seed) for seed in range(given.seeds)]
        cells = [_cell([entry[key] for entry in found if key in entry]) for key in ("rates", "converted", "compact")]
        print(f"| {variant} | {' | '.join(cells)} |", flush=True)
    return 0


def _cell(values: list[float]) -> str:
    if not values:
        return ""
    spread = f" ± {100 * statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{100 * statistics.mean(values):.2f}{spread}"


if __name__ == "__main__":
    raise SystemExit(run_command(main))
