"""Light augmentation of uint8 images and event frames on their device, drawn on the CPU to be the same everywhere."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from sca_train.config import TrainConfig
from sca_train.data import Dataset
from sca_train.recipe import MIRRORS, augmentation_for

_REACH = {"shift": 1 / 16, "flip": 1 / 8, "roll": 5 / 48}
"""The farthest an image moves, as a share of its side: 4 of CIFAR's 32 pixels (``flip``) and 5 of the 48 to which
event frames are commonly brought (``roll``) are the usual values."""
# Constants of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
_STRIDE, _FIRST_FACTOR, _SECOND_FACTOR = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_WORD = 1 << 64


def training_batch(
    dataset: Dataset,
    samples: NDArray[np.int64],
    epoch: int,
    config: TrainConfig,
    generator: torch.Generator,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Augmented training images [N, H, W, C] (or frames [N, T, H, W, C]), uint8, and what they show: the labels [N],
    or with ``cutmix`` the share of each class [N, classes]; ``samples`` [N] are their numbers in the set."""
    images = torch.from_numpy(dataset.train_images[samples]).to(device)
    labels = torch.from_numpy(dataset.train_labels[samples]).to(device)
    images = augmented_batch(images, samples, epoch, config, generator)
    if not config.cutmix:
        return images, labels
    classes = F.one_hot(labels, len(dataset.classes)).to(torch.get_default_dtype())
    return cut_mixed(images, classes, config.cutmix, generator)


def augmented_batch(
    images: Tensor, samples: NDArray[np.int64], epoch: int, config: TrainConfig, generator: torch.Generator
) -> Tensor:
    """Training images of a batch as the configuration augments them; ``samples`` [N] are their numbers in the set."""
    mirrored = None
    if config.alternating_flip:
        mirrored = torch.from_numpy(first_sides(samples, config.seed) ^ (epoch % 2 == 1))
    kind = augmentation_for(config)
    moved = augmented(images, kind, generator, mirrored=mirrored, reflect=config.border == "reflect")
    return cut_out(moved, config.cutout, generator) if config.cutout else moved


def first_sides(samples: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """Which images [N] are mirrored in the first of every two epochs: a hash of their numbers and the seed.

    Every image is mirrored in every other epoch, so that two epochs show both of its sides (K. Jordan, "94% on CIFAR-10
    in 3.29 seconds on a single GPU", 2024).
    """
    word = samples.astype(np.uint64) * np.uint64(_STRIDE)
    word += np.uint64(_mixed(seed))
    word = (word ^ (word >> np.uint64(30))) * np.uint64(_FIRST_FACTOR)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(_SECOND_FACTOR)
    sides: NDArray[np.bool_] = (word ^ (word >> np.uint64(31))) >> np.uint64(63) == 1
    return sides


def _mixed(seed: int) -> int:
    """Neighbouring seeds as words that have nothing in common, so that their images do not alternate alike."""
    word = (seed + 1) * _STRIDE % _WORD
    word = (word ^ (word >> 30)) * _FIRST_FACTOR % _WORD
    return (word ^ (word >> 27)) * _SECOND_FACTOR % _WORD


def augmented(
    images: Tensor, kind: str, generator: torch.Generator, *, mirrored: Tensor | None = None, reflect: bool = False
) -> Tensor:
    """Images [N, H, W, C] or event frames [N, T, H, W, C], uint8, each moved at random in both directions.

    ``shift`` moves by at most 1/16 of the side; ``flip`` by at most 1/8 and mirrors every other image, left to right.
    What they uncover is black, as the convolutions' padding is, or with ``reflect`` the image mirrored in its border.
    ``roll`` moves by at most 5/48, lets what leaves one side come in at the other, and mirrors too. ``mirrored`` [N]
    says which images are, instead of chance. All T frames of a sample move alike.
    """
    if kind == "none":
        return images
    frames = images if images.ndim == 5 else images[:, None]
    count, steps, height, width, channels = frames.shape
    reach = max(1, int(height * _REACH[kind]))
    device = images.device
    draws = (torch.randint(0, 2 * reach + 1, (count, 1), generator=generator).to(device) for _ in range(2))
    rows, columns = (
        draw + torch.arange(side, device=device) for draw, side in zip(draws, (height, width), strict=True)
    )
    if kind in MIRRORS:
        if mirrored is None:
            mirrored = torch.rand(count, 1, generator=generator) < 0.5
        columns = torch.where(mirrored.reshape(-1, 1).to(device), columns.flip(1), columns)
    if kind == "roll":
        rows, columns = (rows - reach) % height, (columns - reach) % width
    elif reflect:
        rows, columns = _reflected(rows - reach, height), _reflected(columns - reach, width)
    else:
        frames = F.pad(frames, (0, 0, reach, reach, reach, reach))
    pixels = (rows * frames.shape[3])[:, :, None] + columns[:, None, :]
    # One flat gather of bytes is three times as fast here as indexing pixels.
    elements = (pixels[..., None] * channels + torch.arange(channels, device=device)).reshape(count, 1, -1)
    moved = frames.reshape(count, steps, -1).gather(2, elements.expand(-1, steps, -1))
    return moved.view(images.shape)


def _reflected(positions: Tensor, side: int) -> Tensor:
    """Positions beyond 0 or ``side`` - 1, by less than the side, mirrored in that first or last pixel."""
    return side - 1 - (side - 1 - positions.abs()).abs()


def cut_out(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """The images with a black square of that side each, anywhere inside of them and in all frames of a sample alike.

    T. DeVries and G. W. Taylor, "Improved regularization of convolutional neural networks with cutout", 2017; black as
    the convolutions' padding is.
    """
    device, (height, width) = images.device, images.shape[-3:-1]
    rows, columns = (
        torch.randint(0, length - side + 1, (len(images), 1), generator=generator).to(device)
        for length in (height, width)
    )
    return images.masked_fill(_box(images, (rows, rows + side), (columns, columns + side)), 0)


def cut_mixed(images: Tensor, classes: Tensor, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Images of which about that share have a rectangle of another image of the batch, and their shares of classes.

    The rectangle has the sides' ratio of the image, an area drawn evenly from none to all of it, and its centre
    anywhere; what lies outside is lost. ``classes`` [N, classes] are mixed by the area that is left (S. Yun et al.,
    "CutMix: regularization strategy to train strong classifiers with localizable features", ICCV 2019).
    """
    count, device, (height, width) = len(images), images.device, images.shape[-3:-1]
    partner = torch.randperm(count, generator=generator).to(device)
    mixed = torch.rand(count, 1, generator=generator) < share
    half = torch.rand(count, 1, generator=generator).sqrt() * mixed / 2
    bounds = []
    for length in (height, width):
        centre = torch.rand(count, 1, generator=generator)
        first, end = (((centre + sign * half) * length).round().clamp(0, length).to(device) for sign in (-1, 1))
        bounds.append((first, end))
    rows, columns = bounds
    area = (rows[1] - rows[0]) * (columns[1] - columns[0]) / (height * width)
    return (
        torch.where(_box(images, rows, columns), images[partner], images),
        torch.lerp(classes, classes[partner], area),
    )


def _box(images: Tensor, rows: tuple[Tensor, Tensor], columns: tuple[Tensor, Tensor]) -> Tensor:
    """Which pixels [N, 1.., H, W, 1] of each image lie in its box; first [N, 1] and end [N, 1] of both directions."""
    height, width = images.shape[-3:-1]
    down, across = (
        (first <= places) & (places < end)
        for (first, end), places in (
            (rows, torch.arange(height, device=images.device)),
            (columns, torch.arange(width, device=images.device)),
        )
    )
    shape = (len(images), *[1] * (images.dim() - 4), height, width, 1)
    return (down[:, :, None] & across[:, None, :]).reshape(shape)
