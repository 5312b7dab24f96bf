"""Arguments of ``python -m codegen`` and what becomes of errors: one sentence on stderr and an exit code."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from codegen.cli import commands
from codegen.dialect import DEFAULT_FRAC_BITS, MAX_FRAC_BITS, MAX_TIMESTEPS
from codegen.errors import CodegenError
from codegen.stages import DEFAULT_BOARD, DEFAULT_RTL_IMAGES
from codegen.statistic import STATISTICS, Statistic
from sca_train.command_line import Parser, guarded
from sca_train.errors import TrainError
from sca_train.shipped import project_version

EXIT_OK = 0
EXIT_MISMATCH = 1

MOST = 2**63 - 1
"""Largest whole number that an option takes, since results keep them in 64 bits."""
MOST_PIXELS = 2**16
"""Of a side of an image, or of its channels."""
BACKENDS = ("onnx", "finn", "csim", "rtl")
CLASSIFIERS = ("onnx", "csim", "rtl")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns 0, 1 (results differ from ONNX Runtime), 2 (bad input) 130 (interrupted) or
    141 (nobody reads what it prints)."""
    return execute(_parser().parse_args(arguments))


def execute(options: argparse.Namespace) -> int:
    """Run the command that was parsed; the exit code, as ``main``."""
    return guarded(lambda: EXIT_OK if options.command(options) else EXIT_MISMATCH, (CodegenError, TrainError))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m codegen", description="From a trained compact network to FPGA sources and figures.")
    parser.add_argument("--version", action="version", version=f"spikefold {project_version()}")
    stages = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_commands(stages)
    return parser


_Stages = argparse._SubParsersAction  # argparse has no public name for what add_subparsers returns


def add_commands(stages: _Stages) -> None:
    """Add every command of this package to a parser's commands; ``execute`` runs what is parsed."""
    _add_import(stages)
    _add_export(stages)
    _add_hls(stages)
    _add_simulate(stages)
    _add_classify(stages)
    _add_csim(stages)
    _add_rtlsim(stages)
    _add_synth(stages)
    _add_report(stages)
    _add_compare(stages)
    _add_lint(stages)


def _add_export(stages: _Stages) -> None:
    stage = stages.add_parser("export", help="compact network -> integer network, model.onnx and its accuracy")
    _add_run(stage)
    _add_frac_bits(stage)
    stage.add_argument("--images", type=_whole(1), metavar="N", help="measure first N test images (default: all)")
    _add_data(stage)
    stage.set_defaults(command=commands.export)


def _add_import(stages: _Stages) -> None:
    stage = stages.add_parser(
        "import", help="somebody else's network (NIR, or ONNX in the documented form) -> run folder"
    )
    stage.add_argument(
        "file", type=Path, metavar="FILE", help="NIR file, or a model.onnx (docs/bring-your-own-onnx.md)"
    )
    stage.add_argument("--run", type=Path, metavar="RUN_DIR", help="run folder [runs/ and the name of the file]")
    stage.add_argument("--weight-bits", type=int, choices=(2, 4, 8), default=8, help="bits of a weight (default 8)")
    _add_frac_bits(stage)
    told = stage.add_argument_group("what NIR leaves open")
    told.add_argument("--dt", type=_positive, metavar="S", help="seconds of a time step [the file's, else 0.0001]")
    told.add_argument("--reset", choices=("hard", "soft", "delayed"), help="what a spike leaves of V [the file's]")
    told.add_argument("--compare", choices=("ge", "gt"), help="spike at V >= or V > threshold [the file's, else gt]")
    told.add_argument("--timesteps", type=_whole(1, MAX_TIMESTEPS), default=4, metavar="T", help="steps (default 4)")
    told.add_argument(
        "--input",
        choices=("static", "spikes", "counts"),
        default="static",
        help="one image, or a frame a step [static]",
    )
    told.add_argument("--input-scale", type=_positive, default=1.0, metavar="S", help="what one unit of a pixel is [1]")
    told.add_argument("--input-shape", type=_shape, metavar="H,W,C", help="of the images, where the file has a vector")
    tried = stage.add_argument_group("what it is tried on")
    tried.add_argument("--calibrate", type=Path, metavar="PATH", help=".npy file or folder of images to calibrate on")
    tried.add_argument(
        "--dataset", default="", metavar="NAME", help="data set of training [arrays where DATA is given]"
    )
    tried.add_argument(
        "--data", type=Path, metavar="PATH", help="where it lies; arrays: test_images.npy, test_labels.npy"
    )
    tried.add_argument("--images", type=Path, metavar="X.npy", help="test images uint8 [N, H, W, C] or [N, T, H, W, C]")
    tried.add_argument("--labels", type=Path, metavar="Y.npy", help="their labels, whole numbers [N]")
    tried.add_argument("--classes", type=_names, default=(), metavar="A,B,...", help="names in the order of the logits")
    stage.set_defaults(command=commands.import_file)


def _add_hls(stages: _Stages) -> None:
    stage = stages.add_parser("hls", help="model.onnx -> FINN graph, folding, HLS C++ and RTL sources")
    _add_run(stage)
    stage.add_argument("--board", default=DEFAULT_BOARD, help="board whose budget bounds the folding, or none")
    folding = stage.add_mutually_exclusive_group()
    folding.add_argument("--target-cycles", type=_whole(1), metavar="N", help="cycles per frame to fold for")
    folding.add_argument("--folding", type=Path, metavar="F.json", help="folding in FINN's JSON format")
    folding.add_argument(
        "--lut-share", type=_share, metavar="S", help="the fastest within this share of the board's LUTs (default 0.15)"
    )
    stage.add_argument(
        "--fill",
        type=_part,
        metavar="F",
        help="share of the board's flip-flops, BRAMs and DSPs that may be filled (default 1, and 0.8 where no slower)",
    )
    stage.add_argument(
        "--weights",
        choices=("chip", "external", "auto"),
        default="chip",
        help="where weights are: on the chip, in memory outside, or there where nothing else fits (default chip)",
    )
    stage.add_argument(
        "--mac",
        choices=("lut", "dsp", "auto"),
        default="lut",
        help="what accumulates sums: look-up tables, DSP slices, or these where they save LUTs (default lut)",
    )
    stage.add_argument(
        "--event",
        type=_statistic,
        nargs="?",
        const="mean",
        metavar="STATISTIC",
        help="cores may be event-driven where that pays; the target is met by the mean (default), p99 or worst of the "
        "cycles over test images",
    )
    stage.add_argument(
        "--guaranteed", type=_whole(1), metavar="N", help="with --event: most cycles per frame for any image at all"
    )
    _add_data(stage)
    stage.add_argument(
        "--fifo-depths",
        choices=("auto", "planned", "measured"),
        default="auto",
        help="FIFOs by formula, or measured in Verilator; auto measures where streams join (default)",
    )
    stage.add_argument("--impl", choices=("hls", "rtl"), default="rtl", help="variant FINN's graph names (default rtl)")
    stage.set_defaults(command=commands.hls)


def _add_simulate(stages: _Stages) -> None:
    stage = stages.add_parser("simulate", help="logits of an image array from one backend")
    _add_run(stage)
    stage.add_argument("--backend", choices=BACKENDS, required=True, help="which implementation computes")
    stage.add_argument(
        "--images", type=Path, required=True, metavar="X.npy", help="uint8 [N, H, W, C] or [N, T, H, W, 2]"
    )
    stage.add_argument(
        "--out", type=Path, required=True, metavar="LOGITS.npy", help="int32 [N, classes], written whole"
    )
    _add_jobs(stage)
    stage.set_defaults(command=commands.simulate)


def _add_classify(stages: _Stages) -> None:
    stage = stages.add_parser("classify", help="class names and counts of one picture from one backend")
    _add_run(stage)
    stage.add_argument(
        "--image",
        required=True,
        type=_image,
        metavar="FILE",
        help="PNG, JPEG, BMP, GIF, PPM or WebP; of another size: its middle square, resized",
    )
    stage.add_argument(
        "--backend", choices=CLASSIFIERS, default="onnx", help="which implementation computes (default onnx)"
    )
    stage.set_defaults(command=commands.classify)


def _add_csim(stages: _Stages) -> None:
    stage = stages.add_parser("csim", help="the HLS C++ on the test set, compared with ONNX Runtime")
    _add_run(stage)
    stage.add_argument("--images", type=_whole(1), metavar="N", help="first N test images (default: all)")
    _add_data(stage)
    _add_jobs(stage)
    stage.set_defaults(command=commands.csim)


def _add_rtlsim(stages: _Stages) -> None:
    stage = stages.add_parser("rtlsim", help="the whole accelerator in Verilator: exactness, latency, interval")
    _add_run(stage)
    stage.add_argument(
        "--images",
        type=_whole(1),
        default=DEFAULT_RTL_IMAGES,
        metavar="N",
        help=f"test images back to back (default {DEFAULT_RTL_IMAGES})",
    )
    _add_data(stage)
    stage.add_argument("--stall-in", type=_share, default=0.0, metavar="P", help="chance that the input pauses, [0, 1)")
    stage.add_argument(
        "--stall-out", type=_share, default=0.0, metavar="P", help="chance that the output stalls, [0, 1)"
    )
    stage.add_argument("--seed", type=_whole(0), default=0, help="of the random stalls (default 0)")
    stage.add_argument("--waveform", type=Path, metavar="FILE.fst", help="write a waveform")
    stage.add_argument(
        "--toggles", type=_whole(1), default=0, metavar="N", help="also count each core's toggles over N test images"
    )
    stage.add_argument("--stalls", action="store_true", help="only print where words moved, stalled and starved")
    _add_jobs(stage, "as many as there are cores; 1 for random stalls, --toggles and --stalls")
    stage.set_defaults(command=commands.rtlsim)


def _add_synth(stages: _Stages) -> None:
    stage = stages.add_parser("synth", help="Yosys resources per core against the board's budget")
    _add_run(stage)
    stage.add_argument("--board", default=DEFAULT_BOARD, help=f"board to compare with (default {DEFAULT_BOARD})")
    stage.set_defaults(command=commands.synth)


def _add_report(stages: _Stages) -> None:
    stage = stages.add_parser("report", help="report.json, report.html and plots/")
    _add_run(stage)
    _add_data(stage)
    stage.set_defaults(command=commands.report)


def _add_compare(stages: _Stages) -> None:
    stage = stages.add_parser("compare", help="the reports of several runs on one page: table and Pareto plots")
    stage.add_argument(
        "runs",
        type=Path,
        nargs="+",
        metavar="RUN_DIR",
        help="run folder with a report, name of one in runs/, or zoo/NAME",
    )
    stage.add_argument(
        "--out",
        type=Path,
        default=Path("runs/compare"),
        metavar="FOLDER",
        help="for compare.html (default runs/compare)",
    )
    stage.set_defaults(command=commands.compare)


def _add_lint(stages: _Stages) -> None:
    stage = stages.add_parser("lint", help="Verilator lint of the SystemVerilog cores and shells")
    stage.set_defaults(command=commands.lint)


def _add_run(stage: argparse.ArgumentParser) -> None:
    stage.add_argument(
        "run", type=Path, metavar="RUN_DIR", help="run folder, e.g. runs/mini, or a kept network, e.g. zoo/NAME"
    )


def _add_frac_bits(stage: argparse.ArgumentParser) -> None:
    stage.add_argument(
        "--frac-bits",
        type=_whole(0, MAX_FRAC_BITS),
        default=DEFAULT_FRAC_BITS,
        metavar="F",
        help=f"fractional bits (default {DEFAULT_FRAC_BITS})",
    )


def _add_data(stage: argparse.ArgumentParser) -> None:
    stage.add_argument(
        "--data",
        type=Path,
        metavar="PATH",
        help="where the data set lies, if not where config.toml says; a kept network without any takes shipped images",
    )


def _add_jobs(stage: argparse.ArgumentParser, default: str = "as many as there are cores") -> None:
    help_text = f"most processes that share the images (default: {default})"
    stage.add_argument("--jobs", type=_whole(1), metavar="N", help=help_text)


def _statistic(text: str) -> Statistic | None:
    """Of cycles over images; ``1`` is their mean and ``0`` none, as make's EVENT has them."""
    if text == "0":
        return None
    for name in STATISTICS:
        if text == name or (text == "1" and name == "mean"):
            return name
    raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(STATISTICS)}, nor 1 for the mean or 0 for none")


def _image(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("no file is named; with make, say IMAGE=cat.png")
    return Path(text)


def _whole(least: int, most: int = MOST) -> type[int]:
    """A converter for whole numbers from ``least`` up, to ``most``."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            valid = f"of {least} or more" if most == MOST and value < least else f"in {least}..{most}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number {valid}")
        return value

    return convert  # type: ignore[return-value]


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def _shape(text: str) -> tuple[int, int, int]:
    sizes = text.split(",")
    if len(sizes) != 3 or not all(size.strip().isdecimal() and 0 < int(size) <= MOST_PIXELS for size in sizes):
        raise argparse.ArgumentTypeError(f"{text!r} is not height, width and channels, such as 28,28,1")
    height, width, channels = map(int, sizes)
    return height, width, channels


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number in [0, 1)")
    return value


def _part(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number in (0, 1]")
    return value
