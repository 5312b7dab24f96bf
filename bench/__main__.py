"""`python -m bench [NAME ...]`: run whole pipelines (mini, mlp, vgg16, resnet20, ...), measure training, compare random
networks, cores and images with their reference, kill stages, build a bitstream by open tools; print the figures."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from bench.command import natural, positive, run_command
from bench.estimate_error import UNSEEN_COUNT, estimate_error
from bench.event_driven import event_driven
from bench.fuzz import INPUT_COUNT, fuzz
from bench.interval import interval
from bench.killed import KILLS, killed
from bench.lut_per_lane import lut_per_lane
from bench.mac_style import mac_style
from bench.machine import cpu_name, memory_gib
from bench.open_bitstream import print_bitstream
from bench.random_cores import CORE_COUNT, random_cores
from bench.random_networks import NETWORK_COUNT, random_networks
from bench.sim_speed import ROUNDS, sim_speed
from bench.soak import MINUTES, SOAK_IMAGES, soak
from bench.timing import timing
from bench.training import count_speed, sca_overhead, train_memory, train_speed
from codegen.cores.core import FIFO_DEPTHS
from codegen.run_folder import RunFolder
from fpga.boards.ecp5 import BOARDS as OPEN_BOARDS
from fpga.boards.ecp5 import Ecp5Board
from sca_train.command_line import Parser


@dataclass(frozen=True)
class Pipeline:
    """One run of the whole pipeline: a preset and options beside it, its folding target, and how many images each
    simulator gets."""

    preset: str
    board: str
    target_cycles: int | None
    csim_images: int | None
    rtl_images: int
    training: tuple[str, ...] = ()


_ON_DIGITS = (
    "--dataset=digits",
    "--image-size=16",
    "--update-every=1",
    "--regrow-fraction=0.05",
    "--lr=4e-3",
)
"""Residual presets, which are meant for a GPU and CIFAR-10, in some minutes of a CPU."""
_HARD_RESET = (*_ON_DIGITS, "--epochs=24", "--finetune=10")
_SOFT_RESET = (*_ON_DIGITS, "--epochs=40", "--finetune=16", "--reset=soft", "--v-init=0.5")

PIPELINES = {
    "mini": Pipeline("mini", "Pynq-Z2", None, None, 32),
    "mlp": Pipeline("mlp", "Pynq-Z2", 212, None, 64),
    "vgg16": Pipeline("vgg16-digits", "ZCU102", 250_000, 16, 3),
    "resnet20": Pipeline("resnet20", "Pynq-Z2", 20_000, None, 8, _SOFT_RESET),
    "preresnet20": Pipeline("preresnet20", "Pynq-Z2", 20_000, None, 8, _HARD_RESET),
    "dvs-digits": Pipeline("dvs-digits", "Pynq-Z2", 60_000, None, 8),
}


MEASUREMENTS = {
    "train-speed": train_speed,
    "sca-overhead": sca_overhead,
    "train-memory": train_memory,
    "count-speed": count_speed,
    "timing": timing,
    "lut-per-lane": lut_per_lane,
    "mac-style": mac_style,
}

COMPARISONS = {"random-networks": random_networks, "random-cores": random_cores, "fuzz": fuzz}

ESTIMATE_ERROR = "estimate-error"
KILLED = "killed"
SOAK = "soak"
OPEN_BITSTREAM = "open-bitstream"
EVENT_DRIVEN = "event-driven"
INTERVAL = "interval"
SIM_SPEED = "sim-speed"
NAMES = (
    *(*MEASUREMENTS, *PIPELINES, *COMPARISONS, ESTIMATE_ERROR, KILLED, SOAK, OPEN_BITSTREAM, EVENT_DRIVEN, INTERVAL),
    SIM_SPEED,
)


def run_stage(*arguments: str) -> float:
    """Run one command of the project and return its wall time in seconds; a failure ends the bench."""
    print("+ python -m", " ".join(arguments), flush=True)
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", *arguments], check=True)
    return time.perf_counter() - start


def make_sources(pipeline: Pipeline, run: str) -> dict[str, float]:
    """Train a pipeline's network in the folder ``run`` and generate its sources; returns the wall seconds of stages."""
    preset = f"configs/{pipeline.preset}.toml"
    target = [] if pipeline.target_cycles is None else ["--target-cycles", str(pipeline.target_cycles)]
    return {
        "train": run_stage("sca_train", "--config", preset, *pipeline.training, "--run", run),
        "export": run_stage("codegen", "export", run),
        "hls": run_stage("codegen", "hls", run, "--board", pipeline.board, *target),
    }


def run_pipeline(name: str, pipeline: Pipeline, folder: Path) -> dict[str, float]:
    """Run every stage of one pipeline in ``folder``; returns the wall seconds of each stage."""
    run = str(folder / f"bench-{name}")
    seconds = make_sources(pipeline, run)
    images = [] if pipeline.csim_images is None else ["--images", str(pipeline.csim_images)]
    seconds["csim"] = run_stage("codegen", "csim", run, *images)
    seconds["rtlsim"] = run_stage("codegen", "rtlsim", run, "--images", str(pipeline.rtl_images))
    seconds["synth"] = run_stage("codegen", "synth", run, "--board", pipeline.board)
    seconds["report"] = run_stage("codegen", "report", run)
    return seconds


def soaked_run(folder: Path) -> Path:
    """The demo network in ``folder``, trained and with its sources generated."""
    run = folder / "bench-soak"
    make_sources(PIPELINES["mini"], str(run))
    return run


def open_bitstream(folder: Path, given: Path | None, board: Ecp5Board) -> None:
    """Build the bitstream of a run that has sources, or of the demo network, trained, and print its figures."""
    run = given or folder / f"bench-{OPEN_BITSTREAM}"
    if given is None:
        make_sources(replace(PIPELINES["mini"], board=board.name), str(run))
    run_stage("fpga", "bitstream", str(run), "--board", board.name, "--restart")
    print_bitstream(RunFolder(run), board)


def load_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}


def show(value: object) -> str:
    if value is None:
        return "not measured"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def print_table(name: str, run: Path, seconds: dict[str, float]) -> None:
    """Print the figures of one run as a Markdown table."""
    report = load_json(run / "report.json")
    simulated = {stage: load_json(run / "results" / f"{stage}.json") for stage in ("onnx", "csim", "rtl")}
    rows: list[tuple[str, object]] = [
        ("model, data set", f"{report['model']}, {report['dataset']}"),
        ("ratio, T, weight bits, seed", "{ratio}, {timesteps}, {weight_bits}, {seed}".format(**report)),
        ("parameters dense, compact", "{dense:,}, {compact:,}".format(**report["params"])),
    ]
    rows += [(f"accuracy {stage}", value) for stage, value in report["accuracy"].items()]
    rows += [(f"images {stage}", value) for stage, value in report["images"].items()]
    rows += [(f"mismatches {stage}", value) for stage, value in report["mismatches"].items()]
    rows += [(f"cycles {kind}", value) for kind, value in report["cycles"].items()]
    nodes = load_json(run / "folding.json")
    depths = [max(node[FIFO_DEPTHS]) for name, node in nodes.items() if name.startswith("ResidualAdd")]
    if depths:
        rows.append(("words of the FIFOs before additions", ", ".join(map(str, depths))))
    rows += [(f"resources {kind}", report["resources"][kind]) for kind in ("lut", "ff", "bram36", "dsp", "fits")]
    rows += [
        ("ONNX Runtime images/s", simulated["onnx"].get("images_per_second")),
        ("csim images/s", simulated["csim"].get("images_per_second")),
        ("Verilator cycles/s", simulated["rtl"].get("cycles_per_second")),
        ("stage seconds", ", ".join(f"{stage} {value:.0f}" for stage, value in seconds.items())),
    ]
    print(f"\n### {name}\n\n| figure | value |\n| --- | --- |")
    for label, value in rows:
        print(f"| {label} | {show(value)} |")
    print(flush=True)


def main() -> int:
    """Run what the command line names; returns the exit status.

    That is 1 where a random network, core or image, or what a kill left, is not right.
    """
    parser = Parser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which of {', '.join(NAMES)} (default: all)")
    parser.add_argument("--folder", type=Path, default=Path("runs"), help="where the run folders go")
    parser.add_argument(
        "--first", type=natural, default=0, help="first seed of random networks, cores, inputs, images [%(default)s]"
    )
    parser.add_argument(
        "--count",
        type=positive,
        help=f"how many [{NETWORK_COUNT} networks, {CORE_COUNT} cores, {INPUT_COUNT} inputs, {UNSEEN_COUNT} estimates, "
        f"{SOAK_IMAGES} images in Verilator, {ROUNDS} turns of sim-speed]",
    )
    parser.add_argument("--run", type=Path, help="run folder with sources that is soaked, or built [the demo network]")
    parser.add_argument("--data", type=Path, help="test images of event-driven, if not where config.toml says")
    parser.add_argument("--minutes", type=positive, default=MINUTES, help="of csim in a soak [%(default)s]")
    parser.add_argument("--kills", type=positive, default=KILLS, help="how often stages are killed [%(default)s]")
    parser.add_argument("--seed", type=int, default=0, help="of the moments at which they are [%(default)s]")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(NAMES))
    if unknown:
        parser.error(f"unknown bench {', '.join(unknown)}; valid are {', '.join(NAMES)}")
    print(f"{date.today()}, {cpu_name()}, {memory_gib():.0f} GiB, Python {platform.python_version()}")
    wrong = 0
    for name in arguments.names or NAMES:
        if name in MEASUREMENTS:
            MEASUREMENTS[name]()
            continue
        if name in COMPARISONS:
            wrong += COMPARISONS[name](arguments.folder, arguments.first, arguments.count)
            continue
        if name == ESTIMATE_ERROR:
            estimate_error(arguments.first, arguments.count)
            continue
        if name == KILLED:
            wrong += killed(arguments.folder, arguments.seed, arguments.kills)
            continue
        if name == SOAK:
            run = RunFolder(arguments.run or soaked_run(arguments.folder))
            wrong += soak(run, arguments.first, arguments.minutes, arguments.count or SOAK_IMAGES)
            continue
        if name == EVENT_DRIVEN:
            event_driven(arguments.data)
            continue
        if name == INTERVAL:
            wrong += interval(arguments.folder)
            continue
        if name == SIM_SPEED:
            wrong += sim_speed(arguments.folder, arguments.count)
            continue
        if name == OPEN_BITSTREAM:
            open_bitstream(arguments.folder, arguments.run, OPEN_BOARDS[0])
            continue
        seconds = run_pipeline(name, PIPELINES[name], arguments.folder)
        print_table(name, arguments.folder / f"bench-{name}", seconds)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(run_command(main))
