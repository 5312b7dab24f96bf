"""What a data set is to the rest of the training, and how one is divided."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SPLITS = ("train", "test")


@dataclass(frozen=True)
class Dataset:
    """Both splits: images [N, H, W, C] or event frames [N, T, H, W, 2], uint8, and labels [N] int64.

    ``classes`` are the names of the labels. Large sets are memory-mapped files: index them with the samples that are
    wanted, and only those are read.
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    classes: tuple[str, ...]

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image or of one event frame."""
        height, width, channels = self.test_images.shape[-3:]
        return height, width, channels

    @property
    def static_input(self) -> bool:
        """Whether a sample is one image, the same at every time step, and not one frame per step."""
        return self.test_images.ndim == 4


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
