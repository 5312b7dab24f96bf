"""What a training tells while it runs: a progress bar per epoch and TensorBoard's files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sca_train.parallel import rank
from sca_train.telling import Bar

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

TENSORBOARD_FOLDER = "tensorboard"
_SCALARS = {
    "loss": "loss/train",
    "train_accuracy": "accuracy/train",
    "test_accuracy": "accuracy/test",
    "lr": "lr",
    "sparsity": "sparsity",
    "synops": "synops",
    "images_per_second": "images_per_second",
}
_PER_LAYER = {"channels": "channels", "firing": "firing_rate"}


def progress(images: int, title: str) -> Bar:
    """A bar that counts images, with images per second and the time left; only the first process shows it."""
    return Bar(title, images, "image", hidden=True if rank() else None)


@contextmanager
def tensorboard(run: Path, epoch: int) -> Iterator[SummaryWriter | None]:
    """Writer of the run's TensorBoard files, continued behind ``epoch``; None in all processes but the first.

    TensorBoard hides what an interrupted training wrote for a later epoch; a new training starts with no files.
    """
    if rank() > 0:
        yield None
        return
    from torch.utils.tensorboard import SummaryWriter  # a second of imports that only a training needs

    folder = run / TENSORBOARD_FOLDER
    if epoch == 0:
        for stale in folder.glob("events.out.tfevents.*"):
            stale.unlink()
    with SummaryWriter(str(folder), purge_step=epoch + 1) as writer:
        yield writer


def log_epoch(writer: SummaryWriter | None, values: dict[str, Any]) -> None:
    """Write one epoch: single values, and those of each layer under the layer's name."""
    if writer is None:
        return
    step = values["epoch"]
    for key, tag in _SCALARS.items():
        writer.add_scalar(tag, values[key], step)
    for key, tag in _PER_LAYER.items():
        for layer, value in values[key].items():
            writer.add_scalar(f"{tag}/{layer}", value, step)
    writer.flush()
