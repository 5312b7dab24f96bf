"""The stages of a run as functions: what the command line and the Python API both call.

Each holds the run folder alone while it works, and checks first that what it reads is of the network that is there.
Tools are imported inside, so that a stage loads only its own.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from codegen.dialect import DEFAULT_FRAC_BITS
from codegen.run_folder import RunFolder, made_aside, only_stage, replace_in
from codegen.statistic import Statistic
from fpga.choices import DEFAULT_BOARD
from sca_train.files import check_writable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from codegen.export.stage import ExportSummary
    from codegen.hardware_results import SynthesisResult
    from codegen.importing.options import NirOptions
    from codegen.importing.stage import ImportOptions, ImportSummary
    from codegen.results import FoldingResult, HlsSimulationResult, RtlSimulationResult

DEFAULT_RTL_IMAGES = 32
Implementation = Literal["hls", "rtl"]
FifoDepths = Literal["auto", "planned", "measured"]
WeightPlaces = Literal["chip", "external", "auto"]
MacPlaces = Literal["lut", "dsp", "auto"]


def export(
    run: RunFolder, frac_bits: int = DEFAULT_FRAC_BITS, images: int | None = None, data: Path | None = None
) -> ExportSummary:
    """Fold, write model.onnx and measure it on the whole test set, or on its first ``images``."""
    from codegen.export.stage import WRITTEN, export_run

    with only_stage(run, *WRITTEN):
        return export_run(run, frac_bits, images, data)


def import_file(file: Path, run: Path, options: ImportOptions, nir: NirOptions) -> ImportSummary:
    """Somebody else's network, a NIR file or a model.onnx, as a run folder."""
    from codegen.importing.stage import import_file as import_into

    return import_into(file, run, options, nir)


def hls(
    run: RunFolder,
    board: str = DEFAULT_BOARD,
    target_cycles: int | None = None,
    folding: Path | None = None,
    impl: Implementation = "rtl",
    lut_share: float | None = None,
    fifo_depths: FifoDepths = "auto",
    fill: float | None = None,
    event: Statistic | None = None,
    guaranteed: int | None = None,
    data: Path | None = None,
    weights: WeightPlaces = "chip",
    mac: MacPlaces = "lut",
) -> FoldingResult:
    """FINN graph and folding, then HLS C++ and RTL; all of it takes the place of the earlier ones at once.

    ``data``: where the test set lies, of which FIFOs around event-driven cores are given some images.
    """
    from codegen.current import require_model
    from codegen.results import MEASURED, FoldingResult

    says_so = "results/folding.json", "results/sources.json"
    written = "graph.onnx", "folding.json", "hls", "rtl", *says_so
    with only_stage(run, *written):
        require_model(run)
        from codegen.dataflow.build import build_graph
        from codegen.render.render import render_sources, target_of
        from codegen.run_inputs import load_test_set
        from codegen.verify.fifo_depths import measure_depths

        target = target_of(board)
        measure = partial(measure_depths, load=lambda: load_test_set(run, data).images)
        with made_aside(run) as made:
            build_graph(
                run,
                board,
                target_cycles,
                folding,
                impl,
                lut_share,
                fifo_depths,
                measure,
                into=made,
                fill=fill,
                event=event,
                guaranteed=guaranteed,
                weights=weights,
                mac=mac,
            )
            render_sources(made, target)
            replace_in(run, made, written, stale=(*says_so, *MEASURED))
        result = FoldingResult.load(run)
    assert result is not None  # build_graph has just written it
    return result


def simulate(run: RunFolder, backend: str, images: NDArray[np.uint8], jobs: int | None = None) -> NDArray[np.int32]:
    """Logits int32 [N, classes] of images uint8 [N, H, W, C], or event frames [N, T, H, W, 2], from one backend.

    ``jobs``: most processes of csim and rtl, without it as many as there are cores.
    """
    from codegen.cli.simulate import simulate_images

    return simulate_images(run, backend, images, jobs)


def csim(
    run: RunFolder, images: int | None = None, data: Path | None = None, jobs: int | None = None
) -> HlsSimulationResult:
    """The HLS C++ on the test set, or on its first ``images``; ``jobs``: as in ``simulate``."""
    from codegen.current import require_made
    from codegen.verify.processes import check_jobs

    check_jobs(jobs)
    with only_stage(run, "results/csim.json"):
        require_made(run, "hls")
        from codegen.verify.compare import run_csim_stage

        return run_csim_stage(run, images, data, jobs)


def rtlsim(
    run: RunFolder,
    images: int = DEFAULT_RTL_IMAGES,
    data: Path | None = None,
    stall_in: float = 0.0,
    stall_out: float = 0.0,
    seed: int = 0,
    waveform: Path | None = None,
    toggles: int = 0,
    jobs: int | None = None,
) -> RtlSimulationResult:
    """The RTL in Verilator on the first ``images`` of the test set, back to back.

    ``toggles``: images over which the toggles of each core are counted too; ``jobs``: as ``run_rtlsim_stage``.
    """
    from codegen.current import require_made
    from codegen.verify.processes import check_jobs

    check_jobs(jobs)
    if waveform is not None:
        check_writable(waveform)
    results = ("rtl", "rtl_stalled", "toggles", "event_cycles")
    with only_stage(run, *(f"results/{name}.json" for name in results)):
        require_made(run, "rtl")
        from codegen.verify.compare import run_rtlsim_stage

        return run_rtlsim_stage(
            run,
            images,
            stall_in=stall_in,
            stall_out=stall_out,
            seed=seed,
            waveform=waveform,
            data=data,
            toggles=toggles,
            jobs=jobs,
        )


def synthesise(run: RunFolder, board: str = DEFAULT_BOARD) -> SynthesisResult:
    """Resources per core, against the board."""
    from codegen.current import require_made

    with only_stage(run, "results/synth.json"):
        require_made(run, "rtl")
        from codegen.synthesis import synthesise as synthesise_run

        return synthesise_run(run, board)


def report(run: RunFolder, data: Path | None = None) -> Path:
    """Everything measured, on one page; its path. ``data``: where the test set lies, for what is measured here."""
    from codegen.report.stage import MEASURED_HERE, WRITTEN, write_report

    with only_stage(run, *WRITTEN, *MEASURED_HERE):
        return write_report(run, data)
