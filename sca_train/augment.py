"""Light augmentation of uint8 images and event frames on tensors, drawn from an explicit generator to be repeatable."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from sca_train.config import TrainConfig

USUAL = {
    "digits": "shift",
    "events-digits": "shift",
    "cifar10": "flip",
    "cifar100": "flip",
    "tiny-imagenet": "flip",
    "folder": "flip",
    "cifar10-dvs": "roll",
}
"""What ``augment = "auto"`` means for each data set. Digits, as images or as events, are never mirrored: a mirrored
digit is no digit."""

_REACH = {"shift": 1 / 16, "flip": 1 / 8, "roll": 5 / 48}
"""The farthest an image moves, as a share of its side: 4 of CIFAR's 32 pixels (``flip``) and 5 of the 48 to which
event frames are commonly brought (``roll``) are the usual values."""
_MIRRORS = ("flip", "roll")


def augmentation_for(config: TrainConfig) -> str:
    """The kind of augmentation that a configuration asks for, ``auto`` resolved by its data set."""
    return USUAL[config.dataset] if config.augment == "auto" else config.augment


def augmented(images: Tensor, kind: str, generator: torch.Generator) -> Tensor:
    """Images [N, H, W, C] or event frames [N, T, H, W, C], uint8, each moved at random in both directions.

    ``shift`` moves by at most 1/16 of the side; ``flip`` by at most 1/8 and mirrors every other image, left to right.
    What they uncover is black, as the convolutions' padding is. ``roll`` moves by at most 5/48, lets what leaves one
    side come in at the other, and mirrors too. All T frames of a sample move alike.
    """
    if kind == "none":
        return images
    frames = images if images.ndim == 5 else images[:, None]
    count, steps, height, width, channels = frames.shape
    reach = max(1, int(height * _REACH[kind]))
    draws = (torch.randint(0, 2 * reach + 1, (count, 1), generator=generator) for _ in range(2))
    rows, columns = (draw + torch.arange(side) for draw, side in zip(draws, (height, width), strict=True))
    if kind in _MIRRORS:
        mirrored = torch.rand(count, 1, generator=generator) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    if kind == "roll":
        rows, columns = (rows - reach) % height, (columns - reach) % width
    else:
        frames = F.pad(frames, (0, 0, reach, reach, reach, reach))
    pixels = (rows * frames.shape[3])[:, :, None] + columns[:, None, :]
    # One flat gather of bytes is three times as fast here as indexing pixels.
    elements = (pixels[..., None] * channels + torch.arange(channels)).reshape(count, 1, -1).to(images.device)
    moved = frames.reshape(count, steps, -1).gather(2, elements.expand(-1, steps, -1))
    return moved.view(images.shape)
