"""What a data set is to the rest of the training, and how one is divided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

SPLITS = ("train", "test")


@dataclass(frozen=True)
class Dataset:
    """Both splits: images [N, H, W, C] or event frames [N, T, H, W, 2], uint8, and labels [N] int64.

    ``classes`` are the names of the labels. Large sets are memory-mapped files: index them with the samples that are
    wanted, and only those are read. ``left_out``: how many files of the source are no part of it, by kind.
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    classes: tuple[str, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image or of one event frame."""
        height, width, channels = self.test_images.shape[-3:]
        return height, width, channels

    @property
    def static_input(self) -> bool:
        """Whether a sample is one image, the same at every time step, and not one frame per step."""
        return self.test_images.ndim == 4


MOST_NAMED_CLASSES = 20
"""More are told as a range."""


def summary(dataset: Dataset) -> str:
    """How many images each class has in both splits, and what was left out, in one or two lines."""
    counts = [
        np.bincount(labels, minlength=len(dataset.classes)) for labels in (dataset.train_labels, dataset.test_labels)
    ]
    if len(dataset.classes) <= MOST_NAMED_CLASSES:
        each = ", ".join(f"{name} {train} + {test}" for name, train, test in zip(dataset.classes, *counts, strict=True))
        lines = [f"images of each class (training + test): {each}"]
    else:
        train, test = (f"{count.min()} to {count.max()}" for count in counts)
        lines = [f"images of each of {len(dataset.classes)} classes: {train} for training, {test} for the test"]
    if dataset.left_out:
        lines.append(f"left out: {listed(dataset.left_out)}")
    return "\n".join(lines)


def listed(left_out: Mapping[str, int]) -> str:
    """Numbers of files by kind, in words."""
    return ", ".join(f"{count} {kind}" for kind, count in sorted(left_out.items()))


def balanced_subset(labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Indices of ``count`` images, as evenly over the classes as the data allows; always the same ones."""
    rank = np.zeros(len(labels), dtype=np.int64)
    order = np.random.default_rng(0).permutation(len(labels))
    for label in np.unique(labels):
        members = order[labels[order] == label]
        rank[members] = np.arange(len(members))
    return np.sort(np.lexsort((labels, rank))[:count])


def fixed_split(labels: NDArray[np.int64], share: float) -> NDArray[np.bool_]:
    """Which samples are the test set of a data set that has none: ``share`` of every class, by a fixed shuffle."""
    test = np.zeros(len(labels), dtype=bool)
    shuffle = np.random.default_rng(0)
    for label in np.unique(labels):
        members = shuffle.permutation(np.flatnonzero(labels == label))
        test[members[: round(len(members) * share)]] = True
    return test
