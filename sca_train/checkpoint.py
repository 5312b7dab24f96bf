"""The state of a training between two epochs, and the file it is kept in."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sca_train.config import TrainConfig, changed_options, config_to_dict
from sca_train.data import Dataset
from sca_train.errors import TrainError
from sca_train.files import check_readable, sealed, unsealed, write_bytes
from sca_train.measure.measurement import Measurement
from sca_train.models import model_layers
from sca_train.network import Network
from sca_train.optimizer import make_optimizer
from sca_train.parallel import rank
from sca_train.pruning.sca import activity
from sca_train.specs import with_channels
from sca_train.teacher import Teacher


@dataclass
class TrainState:
    """What a checkpoint holds: the training after ``epoch`` epochs.

    ``ratio`` is the share of the model's channels that the compact network lacks; ``dense`` and ``masked`` were
    measured just before it, ``scores`` at the last structure update. ``rates`` and ``converted`` are the rate-
    equivalent network at the end of its epochs and the spiking one of the same parameters. ``average`` is the moving
    average of the network over ``averaged_steps`` steps, and ``teacher`` what is learned from beside the labels, where
    there is one; ``init`` is the SHA-256 of the network that the first weights come from. History and measurements are
    those of the first process only.
    """

    network: Network
    optimizer: torch.optim.Optimizer
    epoch: int = 0
    seconds: float = 0.0
    compacted: bool = False
    ratio: float = 0.0
    peak_memory_mib: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    scores: dict[str, list[float]] = field(default_factory=dict)
    dense: Measurement | None = None
    masked: Measurement | None = None
    rates: Measurement | None = None
    converted: Measurement | None = None
    average: Network | None = None
    averaged_steps: int = 0
    teacher: Teacher | None = None
    init: str = ""

    @property
    def measured(self) -> Network:
        """The network that is measured and kept: the average where there is one."""
        return self.average or self.network

    def networks(self) -> list[Network]:
        """The network that is trained, and its average."""
        return [self.network, *([self.average] if self.average else [])]


# Those of TrainState's fields that are plain values, and of which kind.
_PLAIN_FIELDS = {
    "init": str, "epoch": int, "seconds": float, "compacted": bool, "ratio": float, "peak_memory_mib": float,
    "history": list, "scores": dict, "averaged_steps": int,
}  # fmt: skip
_MEASUREMENTS = ("dense", "masked", "rates", "converted")
_NOTHING = type(None)
_KINDS: dict[str, type | tuple[type, ...]] = {
    "config": dict, "channels": list, "network": dict, "average": (dict, _NOTHING), "teacher": str, "optimizer": dict,
    "random": Tensor, **_PLAIN_FIELDS, **dict.fromkeys(_MEASUREMENTS, (dict, _NOTHING)),
}  # fmt: skip


def save_checkpoint(state: TrainState, config: TrainConfig, path: Path) -> None:
    """Write all that the rest of the training depends on, as tensors and plain values; whole or not at all.

    The file ends with the SHA-256 of the rest.
    """
    content: dict[str, Any] = {
        "config": config_to_dict(config),
        "channels": [spec.channels for spec in state.network.specs],
        "network": state.network.state_dict(),
        "average": state.average.state_dict() if state.average else None,
        "teacher": state.teacher.digest if state.teacher else "",
        "optimizer": state.optimizer.state_dict(),
        "random": torch.get_rng_state(),
        **{key: getattr(state, key) for key in _PLAIN_FIELDS},
    }
    for key in _MEASUREMENTS:
        measured = getattr(state, key)
        content[key] = asdict(measured) if measured else None
    stream = io.BytesIO()
    torch.save(content, stream)
    write_bytes(path, sealed(stream.getvalue()))


def load_checkpoint(path: Path, config: TrainConfig) -> dict[str, Any]:
    """A checkpoint of the same configuration; TrainError when it is damaged or of another one.

    What does not match its checksum is not unpickled; of what does, tensors and plain values only.
    """
    check_readable(path)
    written = path.read_bytes()
    try:
        content = unsealed(written)
        saved = torch.load(io.BytesIO(content or written), weights_only=True, map_location="cpu")
    except Exception as error:  # the unpickler raises whatever damaged bytes lead it to
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise TrainError(f"checkpoint {path} cannot be read ({reason}); --restart trains anew") from None
    missing = sorted(_KINDS.keys() - saved.keys()) if isinstance(saved, dict) else sorted(_KINDS)
    if content is None:
        missing.append("checksum")
    if missing:
        raise TrainError(
            f"checkpoint {path} was written by another version (it has no {', '.join(missing)}); "
            "use another run folder, or --restart to train anew"
        )
    wrong = [key for key, kind in _KINDS.items() if not isinstance(saved[key], kind)]
    if wrong:
        raise TrainError(f"checkpoint {path} has {', '.join(wrong)} of another kind; --restart trains anew")
    differing = changed_options(saved["config"], config)
    if differing:
        raise TrainError(
            f"checkpoint {path} was trained with other values of {', '.join(differing)}; "
            "use another run folder, or --restart to train anew"
        )
    return saved


def restore(saved: dict[str, Any], config: TrainConfig, dataset: Dataset, device: torch.device) -> TrainState:
    """The training state a checkpoint holds; TrainError where it does not fit the data, or itself."""
    try:
        return _restored(saved, config, dataset, device)
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise TrainError(
            f"the checkpoint holds fields that do not belong together ({reason}); use another run folder, or --restart "
            "to train anew"
        ) from None


def _restored(saved: dict[str, Any], config: TrainConfig, dataset: Dataset, device: torch.device) -> TrainState:
    specs = with_channels(model_layers(config), saved["channels"])
    network, average = (
        Network(specs, config, dataset.input_shape, len(dataset.classes)) if saved[key] else None
        for key in ("network", "average")
    )
    assert network is not None
    try:
        network.load_state_dict(saved["network"])
        if average:
            average.load_state_dict(saved["average"])
    except RuntimeError:
        raise TrainError(
            f"the checkpoint was trained on images or classes other than the {len(dataset.classes)} classes of "
            f"{dataset.input_shape} images found now; give the same data, or --restart to train anew"
        ) from None
    network.to(device)
    if average:
        average.to(device)
    if rank() > 0:
        # What was recorded is the sum over all processes: the first one holds it.
        for layer in network.spiking_layers():
            for record in activity(layer):
                record.zero_()
    optimizer = make_optimizer(network, config)
    optimizer.load_state_dict(saved["optimizer"])
    torch.set_rng_state(saved["random"])
    state = TrainState(network, optimizer, average=average, **{key: saved[key] for key in _PLAIN_FIELDS})
    for key in _MEASUREMENTS:
        setattr(state, key, Measurement(**saved[key]) if saved[key] else None)
    return state
