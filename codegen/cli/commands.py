"""What each command does. Stages are imported inside, so that a command loads only the tools it needs."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from codegen import stages
from codegen.run_folder import RUNS
from codegen.zoo import open_run


def export(options: Namespace) -> bool:
    """Fold, write model.onnx and measure it on the whole test set."""
    run = open_run(options.run)
    summary = stages.export(run, options.frac_bits, options.images, options.data)
    print(f"{run.path / 'model.onnx'}: {summary.outcome} ({summary.images_per_second:.0f} images/s in ONNX Runtime)")
    return True


def import_file(options: Namespace) -> bool:
    """Somebody else's network as a run folder, with its accuracy beside that of the integers."""
    from codegen.importing.options import NirOptions
    from codegen.importing.stage import ImportOptions, tell
    from codegen.importing.user_data import DataOptions
    from sca_train.cli import quiet_torch

    run = options.run or Path(RUNS) / options.file.stem
    given = DataOptions(
        options.dataset, options.data, options.images, options.labels, options.calibrate, options.classes
    )
    nir = NirOptions(
        dt=options.dt,
        reset=options.reset,
        compare=options.compare,
        timesteps=options.timesteps,
        input=options.input,
        input_scale=options.input_scale,
        input_shape=options.input_shape,
        classes=options.classes,
    )
    with quiet_torch():
        tell(stages.import_file(options.file, run, ImportOptions(options.weight_bits, options.frac_bits, given), nir))
    return True


def hls(options: Namespace) -> bool:
    """FINN graph and folding, then HLS C++ and RTL; all of it takes the place of the earlier ones at once."""
    run = open_run(options.run)
    folding = stages.hls(
        run,
        options.board,
        options.target_cycles,
        options.folding,
        options.impl,
        options.lut_share,
        options.fifo_depths,
        options.fill,
        options.event,
        options.guaranteed,
        options.data,
        options.weights,
        options.mac,
    )
    print(f"folding: slowest layer {folding.told}, {folding.estimate.lut} LUTs by estimate")
    print(f"{run.path / 'graph.onnx'}, {run.path / 'hls'} and {run.path / 'rtl'} are written")
    return True


def simulate(options: Namespace) -> bool:
    """Logits of an image file from one backend."""
    from codegen.cli.simulate import simulate_file

    simulate_file(open_run(options.run), options.backend, options.images, options.out, options.jobs)
    print(f"{options.out} is written")
    return True


def classify(options: Namespace) -> bool:
    """Class names and counts of one image file from one backend."""
    from codegen.cli.classify import classify, print_classified

    print_classified(classify(open_run(options.run), options.image, options.backend), options.image, options.backend)
    return True


def csim(options: Namespace) -> bool:
    """The HLS C++ on the test set."""
    return stages.csim(open_run(options.run), options.images, options.data, options.jobs).mismatches == 0


def rtlsim(options: Namespace) -> bool:
    """The RTL in Verilator on some test images."""
    run = open_run(options.run)
    if options.stalls:
        from codegen.current import require_made

        require_made(run, "rtl")
        from codegen.verify.compare import print_stalls

        print_stalls(run, options.images, options.data, options.jobs)
        return True
    result = stages.rtlsim(
        run,
        options.images,
        options.data,
        options.stall_in,
        options.stall_out,
        options.seed,
        options.waveform,
        options.toggles,
        options.jobs,
    )
    return result.mismatches == 0


def synth(options: Namespace) -> bool:
    """Resources per core, against the board."""
    stages.synthesise(open_run(options.run), options.board)
    return True


def report(options: Namespace) -> bool:
    """Everything measured, on one page."""
    print(f"report: {stages.report(open_run(options.run), options.data)}")
    return True


def compare(options: Namespace) -> bool:
    """The reports of several runs, on one page."""
    from codegen.report.compare import compare_runs

    print(f"compare: {compare_runs(options.runs, options.out)}")
    return True


def lint(options: Namespace) -> bool:
    """Verilator over the SystemVerilog cores and shells."""
    from codegen.cli.lint import lint_cores, lint_shells

    print(f"Verilator has no complaint about {lint_cores()} rendered modules and {lint_shells()} shells")
    return True
