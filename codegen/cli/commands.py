"""What each command does. Stages are imported inside, so that a command loads only the tools it needs."""

from __future__ import annotations

from argparse import Namespace

from codegen.zoo import open_run


def export(options: Namespace) -> bool:
    """Fold, write model.onnx and measure it on the whole test set."""
    from codegen.export.stage import export_run

    run = open_run(options.run)
    summary = export_run(run, options.frac_bits, options.images, options.data)
    print(f"{run.path / 'model.onnx'}: {summary.outcome} ({summary.images_per_second:.0f} images/s in ONNX Runtime)")
    return True


def hls(options: Namespace) -> bool:
    """FINN graph and folding, then HLS C++ and RTL."""
    run = open_run(options.run)
    run.require("model.onnx")
    from codegen.dataflow.build import build_graph
    from codegen.render.render import render_sources, target_of
    from codegen.results import FoldingResult
    from codegen.verify.fifo_depths import measure_depths

    build_graph(
        run,
        options.board,
        options.target_cycles,
        options.folding,
        options.impl,
        options.lut_share,
        options.fifo_depths,
        measure_depths,
    )
    render_sources(run, target_of(options.board))
    run.discard("results/csim.json", "results/rtl.json", "results/rtl_stalled.json", "results/synth.json")
    folding = FoldingResult.load(run)
    assert folding is not None  # build_graph has just written it
    print(f"folding: slowest layer {folding.bound} cycles a frame, {folding.estimate.lut} LUTs by estimate")
    print(f"{run.path / 'graph.onnx'}, {run.path / 'hls'} and {run.path / 'rtl'} are written")
    return True


def simulate(options: Namespace) -> bool:
    """Logits of an image file from one backend."""
    from codegen.cli.simulate import simulate_file

    simulate_file(open_run(options.run), options.backend, options.images, options.out)
    print(f"{options.out} is written")
    return True


def classify(options: Namespace) -> bool:
    """Class names and counts of one image file from one backend."""
    from codegen.cli.classify import classify, print_classified

    print_classified(classify(open_run(options.run), options.image, options.backend), options.image, options.backend)
    return True


def csim(options: Namespace) -> bool:
    """The HLS C++ on the test set."""
    from codegen.verify.compare import run_csim_stage

    return run_csim_stage(open_run(options.run), options.images, options.data)


def rtlsim(options: Namespace) -> bool:
    """The RTL in Verilator on some test images."""
    from codegen.verify.compare import print_stalls, run_rtlsim_stage

    if options.stalls:
        print_stalls(open_run(options.run), options.images, options.data)
        return True

    return run_rtlsim_stage(
        open_run(options.run),
        options.images,
        stall_in=options.stall_in,
        stall_out=options.stall_out,
        seed=options.seed,
        waveform=options.waveform,
        data=options.data,
    )


def synth(options: Namespace) -> bool:
    """Resources per core, against the board."""
    run = open_run(options.run)
    run.require("rtl")
    from codegen.synthesis import synthesise

    synthesise(run, options.board)
    return True


def report(options: Namespace) -> bool:
    """Everything measured, on one page."""
    from codegen.report.stage import write_report

    print(f"report: {write_report(open_run(options.run))}")
    return True


def lint(options: Namespace) -> bool:
    """Verilator over the SystemVerilog cores."""
    from codegen.cli.lint import lint_cores

    print(f"Verilator has no complaint about {lint_cores()} rendered modules")
    return True
