"""Light augmentation of uint8 images and event frames on their device, drawn on the CPU to be the same everywhere."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from sca_train.config import TrainConfig
from sca_train.recipe import MIRRORS, augmentation_for

_REACH = {"shift": 1 / 16, "flip": 1 / 8, "roll": 5 / 48}
"""The farthest an image moves, as a share of its side: 4 of CIFAR's 32 pixels (``flip``) and 5 of the 48 to which
event frames are commonly brought (``roll``) are the usual values."""
# Constants of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
_STRIDE, _FIRST_FACTOR, _SECOND_FACTOR = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_WORD = 1 << 64


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
    count, device, (height, width) = len(images), images.device, images.shape[-3:-1]
    first_rows, first_columns = (
        torch.randint(0, length - side + 1, (count, 1), generator=generator).to(device) for length in (height, width)
    )
    rows = torch.arange(height, device=device) - first_rows
    columns = torch.arange(width, device=device) - first_columns
    inside = ((rows >= 0) & (rows < side))[:, :, None] & ((columns >= 0) & (columns < side))[:, None, :]
    shape = (count, *[1] * (images.dim() - 4), height, width, 1)
    return images.masked_fill(inside.reshape(shape), 0)
