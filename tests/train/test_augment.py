"""Augmentation: what each kind does to images and event frames, checked against one image at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from sca_train.augment import augmentation_for, augmented
from sca_train.config import DATASETS, TrainConfig

KINDS = ["none", "shift", "flip", "roll"]
REACH_OF_48 = {"shift": 3, "flip": 6, "roll": 5}


def seeded(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def moved(image: Tensor, rows: int, columns: int, kind: str) -> Tensor:
    """One image [..., H, W, C] moved down and right by so many pixels, the plain way."""
    rolled = image.roll((rows, columns), (-3, -2))
    if kind != "roll":
        height, width = image.shape[-3:-1]
        outside = torch.ones(height, width, dtype=torch.bool)
        outside[max(0, rows) : height + min(0, rows), max(0, columns) : width + min(0, columns)] = False
        rolled[..., outside, :] = 0
    return rolled


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(48, 16, 16, 1), (24, 32, 48, 3), (12, 4, 48, 48, 2)])
def test_every_image_is_moved_within_reach(kind: str, shape: tuple[int, ...]) -> None:
    images = torch.randint(1, 256, shape, dtype=torch.uint8, generator=seeded())
    kept = images.clone()
    result, again = (augmented(images, kind, seeded()) for _ in range(2))
    assert torch.equal(result, again) and torch.equal(images, kept)
    assert result.dtype == torch.uint8
    assert result.shape == images.shape
    reach = 0 if kind == "none" else max(1, shape[-3] * REACH_OF_48[kind] // 48)
    seen = set()
    for image, after in zip(images, result, strict=True):
        moves = [
            (rows, columns, mirrored)
            for rows in range(-reach, reach + 1)
            for columns in range(-reach, reach + 1)
            for mirrored in ([False, True] if kind in ("flip", "roll") else [False])
            if torch.equal(after, moved(image.flip(-2) if mirrored else image, rows, columns, kind))
        ]
        assert len(moves) == 1
        seen.add(moves[0])
    if kind != "none":
        assert len({move[:2] for move in seen}) > 4
        assert {move[2] for move in seen} == ({False, True} if kind in ("flip", "roll") else {False})


def test_auto_is_what_is_usual_for_the_data() -> None:
    kinds = {name: augmentation_for(TrainConfig(dataset=name)) for name in DATASETS}
    assert kinds == {
        "digits": "shift",
        "cifar10": "flip",
        "cifar100": "flip",
        "tiny-imagenet": "flip",
        "folder": "flip",
        "cifar10-dvs": "roll",
        "events-digits": "shift",
    }
    assert augmentation_for(replace(TrainConfig(), augment="none")) == "none"
