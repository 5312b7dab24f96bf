"""The stages as Python calls: each works in a run folder, prints nothing, and returns a frozen result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from codegen import stages
from codegen.dialect import DEFAULT_FRAC_BITS
from codegen.run_folder import RunFolder
from codegen.statistic import Statistic
from codegen.zoo import open_run
from fpga.choices import DEFAULT_BOARD
from sca_train.config import TrainConfig
from sca_train.telling import ProgressCallback, SayCallback, listening

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from codegen.hardware_results import SynthesisResult
    from codegen.results import FoldingResult, HlsSimulationResult, OnnxResult, RtlSimulationResult
    from sca_train.measure.metrics_file import Metrics

AnyPath = str | PathLike[str]
Backend = Literal["onnx", "finn", "csim", "rtl"]


@dataclass(frozen=True)
class TrainedRun:
    """A training: its run folder, and what it measured; ``metrics`` is None where it stopped before its end."""

    run: Path
    metrics: Metrics | None

    @property
    def finished(self) -> bool:
        """Whether it was trained to the end, so that ``export`` takes it."""
        return self.metrics is not None


@dataclass(frozen=True)
class ReportFiles:
    """What a report wrote: the page for people, and the same figures as JSON."""

    page: Path
    data: Path


@dataclass(frozen=True, eq=False)
class Logits:
    """What a backend computed: ``logits`` int32 [N, classes], and the classes' names, empty where it has none."""

    backend: str
    logits: NDArray[np.int32]
    class_names: tuple[str, ...]

    @property
    def labels(self) -> NDArray[np.int64]:
        """The class of each image, int64 [N]; of equal logits the first."""
        return self.logits.argmax(axis=1)


def train(
    config: AnyPath | TrainConfig | None = None,
    *,
    run: AnyPath | None = None,
    options: Mapping[str, Any] | None = None,
    restart: bool = False,
    stop_after: int | None = None,
    progress: ProgressCallback | None = None,
    say: SayCallback | None = None,
) -> TrainedRun:
    """Train with quantized weights, prune by spiking activity and compact, as ``spikefold train``.

    Continues an interrupted run of the same configuration in the same folder.

    Args:
        config: a preset by name (``"mini"``), a TOML file of options, or a configuration; None: the defaults.
        run: the run folder; by default ``runs/`` and the configuration's name.
        options: options that replace the configuration's, by their names in ``config.toml``.
        restart: forget the checkpoint in the run folder.
        stop_after: stop after so many epochs, to be continued.
        progress: told the images of each epoch.
        say: told a line for each epoch.

    Raises:
        TrainError: for an option that does not exist, data that is not there, or a loss that is no number any more.
    """
    from sca_train.cli import check_stop_after, chosen, prepare_threads, quiet_torch
    from sca_train.configured import apply_overrides

    check_stop_after(stop_after)
    given, folder = dict(options or {}), None if run is None else Path(run)
    if isinstance(config, TrainConfig):
        made = apply_overrides(config, given, "options")
        folder = folder or Path("runs") / made.name
    else:
        made, folder = chosen(None if config is None else Path(config), given, folder)
    prepare_threads()
    with listening(progress, say), quiet_torch():
        from sca_train.measure.metrics_file import read_metrics
        from sca_train.train import train as train_run

        finished = train_run(made, folder, restart, stop_after) is not None
        return TrainedRun(folder, read_metrics(folder) if finished else None)


def export(
    run: AnyPath,
    *,
    frac_bits: int = DEFAULT_FRAC_BITS,
    images: int | None = None,
    data: AnyPath | None = None,
    progress: ProgressCallback | None = None,
    say: SayCallback | None = None,
) -> OnnxResult:
    """Fold batch norm into integers, write ``model.onnx`` and measure it in ONNX Runtime, as ``spikefold export``.

    Args:
        run: the run folder of a finished training.
        frac_bits: fractional bits of biases and thresholds, F.
        images: measure the first so many test images; None: all.
        data: where the data set lies, if not where the configuration says.

    Raises:
        ExportError: for a network that cannot be folded.
        RunFolderError: where the run has not been trained.
    """
    with listening(progress, say):
        return stages.export(_opened(run), frac_bits, images, _path(data)).result


def generate(
    run: AnyPath,
    *,
    board: str = DEFAULT_BOARD,
    target_cycles: int | None = None,
    folding: AnyPath | None = None,
    lut_share: float | None = None,
    fill: float | None = None,
    fifo_depths: stages.FifoDepths = "auto",
    impl: stages.Implementation = "rtl",
    event: Statistic | None = None,
    guaranteed: int | None = None,
    data: AnyPath | None = None,
    weights: stages.WeightPlaces = "chip",
    mac: stages.MacPlaces = "lut",
    progress: ProgressCallback | None = None,
    say: SayCallback | None = None,
) -> FoldingResult:
    """Make FINN's graph, fold it, and render HLS C++ and RTL, as ``spikefold hls``.

    Args:
        run: the run folder of an exported network.
        board: whose budget bounds the folding, or ``"none"``.
        target_cycles: cycles per frame to fold for; at most one of this, ``folding`` and ``lut_share``.
        folding: a JSON file in FINN's format.
        lut_share: the fastest within this share of the board's LUTs; 0.15 where nothing else is given.
        fill: share of its flip-flops, block RAMs and DSP slices that may be filled; without it all of them,
            and 0.8 where that is no slower.
        fifo_depths: by formula, measured in Verilator, or measured where streams join (``"auto"``).
        impl: the variant that FINN's graph names.
        event: cores may be event-driven where that pays; cycles are then the ``"mean"``, the 99th percentile
            (``"p99"``) or the ``"worst"`` of those over test images, which ``export`` has measured.
        guaranteed: the most cycles per frame that any image at all may take, where ``event`` is given.
        data: where the data set lies, if not where the configuration says, for FIFOs measured around event-driven
            cores.
        weights: on the chip, outside in memory (``"external"``), or there where nothing else fits (``"auto"``).
        mac: what accumulates sums, look-up tables, DSP slices (``"dsp"``), or these where they save LUTs (``"auto"``).

    Raises:
        FoldingError: where no folding meets the target.
        RunFolderError: where ``event`` is given and the export has measured no densities.
        MappingError: for an operator that no core implements.
    """
    if sum(choice is not None for choice in (target_cycles, folding, lut_share)) > 1:
        from codegen.errors import FoldingError

        raise FoldingError("target_cycles, folding and lut_share exclude each other; give one of them")
    with listening(progress, say):
        return stages.hls(
            _opened(run),
            board,
            target_cycles,
            _path(folding),
            impl,
            lut_share,
            fifo_depths,
            fill,
            event,
            guaranteed,
            _path(data),
            weights,
            mac,
        )


def simulate(
    run: AnyPath,
    images: NDArray[np.uint8],
    *,
    backend: Backend = "onnx",
    jobs: int | None = None,
    progress: ProgressCallback | None = None,
    say: SayCallback | None = None,
) -> Logits:
    """Logits of images from one backend, all of which compute the same, as ``spikefold simulate``.

    Args:
        run: the run folder; ``onnx`` needs its export, the others what ``generate`` makes.
        images: uint8 [N, H, W, C], event frames [N, T, H, W, 2].
        backend: ONNX Runtime, FINN's execution, the HLS C++ or the RTL in Verilator.
        jobs: most processes of the last two that share the images; None: as many as there are cores.

    Raises:
        SimulationError: for images of another shape or type than the network takes.
    """
    with listening(progress, say):
        folder = _opened(run)
        logits = stages.simulate(folder, backend, images, jobs)
        from codegen.export.onnx_reader import read_model

        return Logits(backend, logits, read_model(folder.require("model.onnx")).properties.class_names)


def csim(
    run: AnyPath,
    *,
    images: int | None = None,
    data: AnyPath | None = None,
    jobs: int | None = None,
    progress: ProgressCallback | None = None,
    say: SayCallback | None = None,
) -> HlsSimulationResult:
    """Run the HLS C++ on the test set and compare every logit with ONNX Runtime's, as ``spikefold csim``.

    The result's ``mismatches`` counts the images that differ.

    Args:
        run: the run folder, with what ``generate`` makes.
        images: the first so many test images; None: all.
        data: where the data set lies, if not where the configuration says.
        jobs: most processes that share the images; None: as many as there are cores.

    Raises:
        SimulationError: where the C++ does not build or stops.
    """
    with listening(progress, say):
        return stages.csim(_opened(run), images, _path(data), jobs)


def rtlsim(
    run: AnyPath,
    *,
    images: int = stages.DEFAULT_RTL_IMAGES,
    data: AnyPath | None = None,
    stall_in: float = 0.0,
    stall_out: float = 0.0,
    seed: int = 0,
    waveform: AnyPath | None = None,
    toggles: int = 0,
    jobs: int | None = None,
    progress: ProgressCallback | None = None,
    say: SayCallback | None = None,
) -> RtlSimulationResult:
    """Run the whole accelerator in Verilator, cycle by cycle, as ``spikefold rtlsim``.

    The result's ``latency`` and ``interval`` are in clock cycles; ``mismatches`` counts the images that differ.

    Args:
        run: the run folder, with what ``generate`` makes.
        images: so many test images back to back.
        data: where the data set lies, if not where the configuration says.
        stall_in: chance in [0, 1) that the input pauses in a cycle.
        stall_out: chance in [0, 1) that the output stalls in a cycle.
        seed: of the random stalls.
        waveform: an FST file to write.
        toggles: so many test images over which each core's toggles are counted too, for the report.
        jobs: most processes that share the images, each of which fills the pipeline anew; None: as many as there are
            cores, but one for random stalls and toggles, so that they are the same on every machine.

    Raises:
        SimulationError: where the simulator does not build or stops.
        DeadlockError: where words stop moving.
    """
    with listening(progress, say):
        return stages.rtlsim(
            _opened(run), images, _path(data), stall_in, stall_out, seed, _path(waveform), toggles, jobs
        )


def synthesise(
    run: AnyPath,
    *,
    board: str = DEFAULT_BOARD,
    progress: ProgressCallback | None = None,
    say: SayCallback | None = None,
) -> SynthesisResult:
    """Synthesise every core with Yosys and compare their sum with a board's budget, as ``spikefold synth``.

    Raises:
        UnknownBoardError: for a board that is not known.
        SynthesisError: where Yosys rejects a core or, after the result was saved, the network does not fit.
    """
    with listening(progress, say):
        return stages.synthesise(_opened(run), board)


def report(
    run: AnyPath,
    *,
    data: AnyPath | None = None,
    progress: ProgressCallback | None = None,
    say: SayCallback | None = None,
) -> ReportFiles:
    """Write everything measured into ``report.html`` and ``report.json``, as ``spikefold report``.

    Args:
        run: the run folder, at least trained.
        data: where the data set lies, if not where the configuration says, for images that no stage was shown.

    Raises:
        RunFolderError: where the run has not been trained, or a result is of another network than the one there.
    """
    with listening(progress, say):
        page = stages.report(_opened(run), _path(data))
        return ReportFiles(page, page.with_suffix(".json"))


def compare(
    runs: Sequence[AnyPath],
    out: AnyPath,
    *,
    progress: ProgressCallback | None = None,
    say: SayCallback | None = None,
) -> Path:
    """Put the reports of several runs on one page in a folder, as ``spikefold compare``; returns the page's path.

    Args:
        runs: run folders with a report, names of some in ``runs/``, or kept networks as ``zoo/NAME``.
        out: the folder, for ``compare.html`` and ``compare.json``.

    Raises:
        RunFolderError: where a report is missing, damaged, or older than its run.
    """
    from codegen.report.compare import compare_runs

    with listening(progress, say):
        return compare_runs([Path(run) for run in runs], Path(out))


def _opened(run: AnyPath) -> RunFolder:
    """The run folder, of a kept network its copy."""
    return open_run(Path(run))


def _path(path: AnyPath | None) -> Path | None:
    return None if path is None else Path(path)
