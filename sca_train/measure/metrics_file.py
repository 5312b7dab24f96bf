"""metrics.json as other commands read it: the figures, the report, and whatever asks how far a network is pruned."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from sca_train.errors import TrainError
from sca_train.files import METRICS_FILE
from sca_train.made_again import make_again
from sca_train.records import RecordError, read_record

_MOST = 1e30
"""More than is ever counted or scored, and far from where sums of float64 end."""
_Number = Annotated[int | float, Field(ge=0, le=_MOST)]
_Count = Annotated[int, Field(ge=0, le=2**53)]
_Score = Annotated[float, Field(ge=-_MOST, le=_MOST)]


@dataclass(frozen=True)
class Reduction:
    """A number of the network before pruning and of the compact one."""

    dense: _Number
    compact: _Number

    @property
    def left(self) -> float:
        return self.compact / self.dense if self.dense else 1.0


@dataclass(frozen=True)
class Epoch:
    """One entry of the training history; ``channels``: how many each layer keeps, empty where it was not noted."""

    epoch: _Count
    loss: float
    train_accuracy: _Number
    test_accuracy: _Number
    sparsity: _Number
    channels: dict[str, _Count] = field(default_factory=dict)


@dataclass(frozen=True)
class Imported:
    """Where an imported network came from: a file's name and SHA-256 ("" for a network in memory), what kind it is,
    and what was decided on the way, a sentence each."""

    kind: str
    file: str
    sha256: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Metrics:
    """What a training measured; accuracies are shares of 1, of ``images`` test images.

    ``accuracies``: by passage of the training. ``channels``: by layer, before pruning and after. ``scores``: the last
    score of each channel of the dense network by layer, 0.0 where the channel is removed; empty where none was scored.
    ``first_layer_macs``: products per image of what reads static pixels; None where it was not counted.
    ``init``, ``teacher``: digests of the runs that the training began from and learned from, "" without.
    ``imported``: where the network came from, if not from a training; what nobody measured of it is None.
    """

    history: tuple[Epoch, ...]
    ratio: _Number
    accuracy: _Number | None
    images: _Count
    params: Reduction | None
    synops: Reduction | None
    channels: dict[str, tuple[_Count, _Count]]
    seconds: _Number
    accuracies: dict[str, _Number] = field(default_factory=dict)
    scores: dict[str, tuple[_Score, ...]] | None = None
    first_layer_macs: _Count | None = None
    init: str = ""
    teacher: str = ""
    imported: Imported | None = None

    @model_validator(mode="after")
    def _check_measured(self) -> Self:
        missing = [name for name in ("accuracy", "params", "synops") if getattr(self, name) is None]
        if missing and self.imported is None:
            raise ValueError(f"it has no {', '.join(missing)}, which every training measures")
        return self

    @model_validator(mode="after")
    def _check_layers(self) -> Self:
        told = [set(self.scores or {}), *(set(epoch.channels) for epoch in self.history)]
        if any(layers and layers != set(self.channels) for layers in told):
            raise ValueError("its channels, scores and history are of different layers")
        return self


def read_metrics(run_dir: Path) -> Metrics:
    """What metrics.json of a run folder says; TrainError where there is none, or a damaged one."""
    file = run_dir / METRICS_FILE
    if not file.exists():
        raise TrainError(f"run folder {run_dir} has no {METRICS_FILE}: its training is not finished")
    try:
        return read_record(Metrics, file)
    except RecordError as error:
        raise TrainError(f"{error}; {make_again(run_dir)}") from None
