"""Light augmentation of uint8 images on tensors, drawn from an explicit generator so that it can be repeated."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

_SHIFT_PARTS = {"shift": 16, "flip": 8}


def augmented(images: Tensor, kind: str, generator: torch.Generator) -> Tensor:
    """Images [N, H, W, C] uint8, each shifted by at most 1/16 ("shift") or 1/8 of its side and mirrored ("flip").

    What a shift uncovers is black, as the convolutions' padding is.
    """
    if kind == "none":
        return images
    count, height, width, _ = images.shape
    reach = max(1, height // _SHIFT_PARTS[kind])
    padded = F.pad(images, (0, 0, reach, reach, reach, reach))
    rows = torch.randint(0, 2 * reach + 1, (count, 1), generator=generator) + torch.arange(height)
    columns = torch.randint(0, 2 * reach + 1, (count, 1), generator=generator) + torch.arange(width)
    if kind == "flip":
        mirrored = torch.rand(count, 1, generator=generator) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    return padded[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
