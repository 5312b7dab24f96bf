"""What each command does. Stages are imported inside, so that a command loads only the tools it needs."""

from __future__ import annotations

from argparse import Namespace

from codegen.run_folder import made_aside, only_stage, replace_in
from codegen.zoo import open_run
from sca_train.files import check_writable


def export(options: Namespace) -> bool:
    """Fold, write model.onnx and measure it on the whole test set."""
    from codegen.export.stage import WRITTEN, export_run

    run = open_run(options.run)
    with only_stage(run, *WRITTEN):
        summary = export_run(run, options.frac_bits, options.images, options.data)
    print(f"{run.path / 'model.onnx'}: {summary.outcome} ({summary.images_per_second:.0f} images/s in ONNX Runtime)")
    return True


def hls(options: Namespace) -> bool:
    """FINN graph and folding, then HLS C++ and RTL; all of it takes the place of the earlier ones at once."""
    from codegen.current import require_model
    from codegen.results import MEASURED, FoldingResult

    run = open_run(options.run)
    says_so = "results/folding.json", "results/sources.json"
    written = "graph.onnx", "folding.json", "hls", "rtl", *says_so
    with only_stage(run, *written):
        require_model(run)
        from codegen.dataflow.build import build_graph
        from codegen.render.render import render_sources, target_of
        from codegen.verify.fifo_depths import measure_depths

        target = target_of(options.board)
        with made_aside(run) as made:
            build_graph(
                run,
                options.board,
                options.target_cycles,
                options.folding,
                options.impl,
                options.lut_share,
                options.fifo_depths,
                measure_depths,
                into=made,
            )
            render_sources(made, target)
            replace_in(run, made, written, stale=(*says_so, *MEASURED))
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
    from codegen.current import require_made

    run = open_run(options.run)
    with only_stage(run, "results/csim.json"):
        require_made(run, "hls")
        from codegen.verify.compare import run_csim_stage

        return run_csim_stage(run, options.images, options.data)


def rtlsim(options: Namespace) -> bool:
    """The RTL in Verilator on some test images."""
    from codegen.current import require_made

    run = open_run(options.run)
    if options.stalls:
        require_made(run, "rtl")
        from codegen.verify.compare import print_stalls

        print_stalls(run, options.images, options.data)
        return True

    if options.waveform is not None:
        check_writable(options.waveform)
    with only_stage(run, "results/rtl.json", "results/rtl_stalled.json", "results/toggles.json"):
        require_made(run, "rtl")
        from codegen.verify.compare import run_rtlsim_stage

        return run_rtlsim_stage(
            run,
            options.images,
            stall_in=options.stall_in,
            stall_out=options.stall_out,
            seed=options.seed,
            waveform=options.waveform,
            data=options.data,
            toggles=options.toggles,
        )


def synth(options: Namespace) -> bool:
    """Resources per core, against the board."""
    from codegen.current import require_made

    run = open_run(options.run)
    with only_stage(run, "results/synth.json"):
        require_made(run, "rtl")
        from codegen.synthesis import synthesise

        synthesise(run, options.board)
    return True


def report(options: Namespace) -> bool:
    """Everything measured, on one page."""
    from codegen.report.stage import MEASURED_HERE, WRITTEN, write_report

    run = open_run(options.run)
    with only_stage(run, *WRITTEN, *MEASURED_HERE):
        print(f"report: {write_report(run, options.data)}")
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
