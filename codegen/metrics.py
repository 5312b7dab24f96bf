"""metrics.json: what a training measured, as far as codegen tells it."""

from __future__ import annotations

from dataclasses import dataclass, field

from codegen.errors import RunFolderError
from codegen.records import RecordError, read_record
from codegen.run_folder import RunFolder

METRICS_FILE = "metrics.json"


@dataclass(frozen=True)
class Parameters:
    """Those of the network before pruning and of the compact one."""

    dense: int | None
    compact: int | None


@dataclass(frozen=True)
class Reduction:
    """What an image takes before pruning and in the compact network."""

    dense: float | None
    compact: float | None


@dataclass(frozen=True)
class EpochMetrics:
    """One epoch of the training."""

    epoch: int
    loss: float
    train_accuracy: float
    test_accuracy: float
    sparsity: float
    channels: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Metrics:
    """A training; what an older one did not measure is None or empty."""

    ratio: float | None = None
    accuracy: float | None = None
    images: int | None = None
    params: Parameters = Parameters(None, None)
    synops: Reduction = Reduction(None, None)
    channels: dict[str, tuple[int, int]] = field(default_factory=dict)
    history: tuple[EpochMetrics, ...] = ()
    scores: dict[str, tuple[float, ...]] | None = None
    seconds: float | None = None
    accuracies: dict[str, float] = field(default_factory=dict)


def read_metrics(run: RunFolder) -> Metrics:
    """metrics.json of a run; raises RunFolderError where it is missing or damaged."""
    try:
        return read_record(Metrics, run.require(METRICS_FILE))
    except RecordError as error:
        raise RunFolderError(f"{error}; run `make train {run.make_option}` again") from None
