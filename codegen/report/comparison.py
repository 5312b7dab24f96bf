"""Several reports beside each other: what their report.json says, and which of them no other one beats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from codegen.errors import RunFolderError
from codegen.report.origin import changed_since
from codegen.run_folder import RUNS, RunFolder
from codegen.zoo import ZOO, open_run
from sca_train.records import RecordError, read_record

REPORT_FILE = "report.json"
CIFAR10_CLASSES = frozenset(("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"))
_OWN_DATA = ("folder", "arrays", "event-arrays")
"""Data sets that are anybody's, and are told apart by their classes."""
_TOLD_CLASSES = 3


@dataclass(frozen=True)
class _Reduction:
    dense: float
    compact: float


@dataclass(frozen=True)
class _Accuracy:
    onnx: float | None


@dataclass(frozen=True)
class _Images:
    onnx: int | None


@dataclass(frozen=True)
class _Mismatches:
    csim: int | None
    rtl: int | None


@dataclass(frozen=True)
class _Cycles:
    latency: int | None
    interval: int | None
    clock_mhz: float | None
    fps: float | None


@dataclass(frozen=True)
class _Resources:
    lut: float | None
    ff: float | None
    bram36: float | None
    dsp: float | None
    board: str | None
    fits: bool | None


@dataclass(frozen=True)
class _Energy:
    nj: float | None


@dataclass(frozen=True)
class ReportRecord:
    """The part of report.json (``codegen.report.content.Report``) that a comparison reads."""

    model: str
    dataset: str
    ratio: float
    timesteps: int
    weight_bits: int
    params: _Reduction | None
    synops: _Reduction | None
    accuracy: _Accuracy
    images: _Images
    mismatches: _Mismatches
    cycles: _Cycles
    resources: _Resources
    energy: _Energy
    classes: tuple[str, ...] | None
    made_of: dict[str, str]


@dataclass(frozen=True)
class ComparedRun:
    """One row. ``accuracy``: of the integer network on the whole test set, 0..1. None is what was not measured.

    ``dataset``: runs of the same one are compared; of one of the user's, it has the classes.
    """

    name: str
    model: str
    dataset: str
    ratio: float
    timesteps: int
    weight_bits: int
    accuracy: float | None
    images: int | None
    params: float | None
    synops: float | None
    energy_nj: float | None
    cycles: int | None
    latency: int | None
    clock_mhz: float | None
    fps: float | None
    lut: float | None
    ff: float | None
    bram36: float | None
    dsp: float | None
    board: str | None
    fits: bool | None
    csim_mismatches: int | None
    rtl_mismatches: int | None


@dataclass(frozen=True)
class Published:
    """A network that others published; ``source`` says where each figure is from, and none was measured here."""

    name: str
    dataset: str
    accuracy: float
    cycles: int
    lut: int
    source: str


_ESTIMATED = "cycles and LUTs: FINN's own estimators on finn-examples' published folding for xc7z020, no synthesis"
PUBLISHED = (
    Published(
        "FINN CNV-w2a2", "cifar10", 0.8903, 115_200, 20_250, f"accuracy: README of Brevitas' bnn_pynq; {_ESTIMATED}"
    ),
    Published(
        "FINN CNV-w1a1", "cifar10", 0.8422, 32_768, 24_175, f"accuracy: README of Brevitas' bnn_pynq; {_ESTIMATED}"
    ),
)
"""FINN's CIFAR-10 networks, on the original images; shown where a run is of that data set, and on no front."""


@dataclass(frozen=True)
class Front:
    """Runs of one data set that no other of it beats in accuracy and ``cost`` (a field of ComparedRun) together."""

    dataset: str
    cost: str
    runs: tuple[str, ...]


def find_run(given: Path) -> RunFolder:
    """The run folder of a path, of a name in runs/, or of a kept network, zoo/NAME.

    Raises RunFolderError where there is none, ZooError for a kept network that is none.
    """
    named = Path(RUNS) / given
    if not given.is_dir() and not given.is_absolute() and named.is_dir():
        return open_run(named)
    if given.parts[:1] == (ZOO.name,) or given.is_dir():
        return open_run(given)
    raise RunFolderError(
        f"there is neither a run folder {given} nor {named}; train or import one, and run the stages after it"
    )


def read_run(run: RunFolder) -> ComparedRun:
    """What a run's report.json says.

    Raises RunFolderError where there is none, where it is damaged, and where the run folder holds something else by now
    than it was made of.
    """
    again = f"run `{run.command('report')}` again"
    file = run.require(REPORT_FILE)
    try:
        report = read_record(ReportRecord, file)
    except RecordError as error:
        raise RunFolderError(f"{error}; {again}") from None
    changed = changed_since(run, report.made_of)
    if changed is not None:
        raise RunFolderError(f"{file} is older than the {changed} that is there now; {again}")
    cycles, used = report.cycles, report.resources
    return ComparedRun(
        name=run.name,
        model=report.model,
        dataset=_dataset(report),
        ratio=report.ratio,
        timesteps=report.timesteps,
        weight_bits=report.weight_bits,
        accuracy=report.accuracy.onnx,
        images=report.images.onnx,
        params=report.params.compact if report.params else None,
        synops=report.synops.compact if report.synops else None,
        energy_nj=report.energy.nj,
        cycles=cycles.interval,
        latency=cycles.latency,
        clock_mhz=cycles.clock_mhz,
        fps=cycles.fps,
        lut=used.lut,
        ff=used.ff,
        bram36=used.bram36,
        dsp=used.dsp,
        board=used.board,
        fits=used.fits,
        csim_mismatches=report.mismatches.csim,
        rtl_mismatches=report.mismatches.rtl,
    )


def _dataset(report: ReportRecord) -> str:
    """The data set; one of the user's is that of its classes, since its path says nothing of another machine's."""
    if report.dataset not in _OWN_DATA or not report.classes:
        return report.dataset
    if set(report.classes) == CIFAR10_CLASSES:
        return "cifar10"
    first = ", ".join(report.classes[:_TOLD_CLASSES])
    more = ", ..." if len(report.classes) > _TOLD_CLASSES else ""
    return f"{report.dataset} of {len(report.classes)} classes ({first}{more})"


COSTS: dict[str, Callable[[ComparedRun], float | None]] = {"lut": lambda run: run.lut, "cycles": lambda run: run.cycles}
"""By field: what is paid for accuracy."""


def pareto_fronts(runs: Sequence[ComparedRun]) -> tuple[Front, ...]:
    """The fronts of each data set and cost, cheapest run first; only of runs of which both were measured."""
    fronts = []
    for dataset in dict.fromkeys(run.dataset for run in runs):
        for cost in COSTS:
            names = tuple(name for name, _, _ in front_of(points(runs, dataset, cost)))
            fronts.append(Front(dataset, cost, names))
    return tuple(fronts)


def points(runs: Sequence[ComparedRun], dataset: str, cost: str) -> list[tuple[str, float, float]]:
    """Name, cost and accuracy of the runs of a data set of which both were measured."""
    found = ((run.name, COSTS[cost](run), run.accuracy) for run in runs if run.dataset == dataset)
    return [(name, paid, accuracy) for name, paid, accuracy in found if paid is not None and accuracy is not None]


def front_of(measured: Sequence[tuple[str, float, float]]) -> list[tuple[str, float, float]]:
    """Those (name, cost, accuracy) of which no other costs no more and is no less accurate, one of both strictly."""

    def beaten(mine: tuple[str, float, float]) -> bool:
        return any(
            other[1] <= mine[1] and other[2] >= mine[2] and (other[1] < mine[1] or other[2] > mine[2])
            for other in measured
        )

    return sorted((point for point in measured if not beaten(point)), key=lambda point: (point[1], point[0]))
