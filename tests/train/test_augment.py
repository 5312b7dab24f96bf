"""Augmentation: what each kind does to images and event frames, checked against one image at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from sca_train.augment import augmented, augmented_batch, cut_mixed, cut_out, first_sides, training_batch
from sca_train.config import DATASETS, TrainConfig
from sca_train.data import load_dataset
from sca_train.recipe import augmentation_for
from tests.train.conftest import small

KINDS = ["none", "shift", "flip", "roll"]
REACH_OF_48 = {"shift": 3, "flip": 6, "roll": 5}


def seeded(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def moved(image: Tensor, rows: int, columns: int, kind: str) -> Tensor:
    """One image [..., H, W, C] moved down and right by so many pixels: the reference."""
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
        "arrays": "none",
        "event-arrays": "none",
    }
    assert augmentation_for(replace(TrainConfig(), augment="none")) == "none"


def draws_as_before(images: Tensor, kind: str, generator: torch.Generator) -> Tensor:
    """Shift and flip one image at a time, with the draws in the order that presets have trained with."""
    reach = max(1, images.shape[-3] * REACH_OF_48[kind] // 48)
    rows, columns = (torch.randint(0, 2 * reach + 1, (len(images), 1), generator=generator) for _ in range(2))
    mirrored = torch.rand(len(images), 1, generator=generator) < 0.5 if kind != "shift" else torch.zeros(len(images), 1)
    after = []
    for image, row, column, flip in zip(images, rows, columns, mirrored, strict=True):
        down, right = reach - int(row), reach - int(column)
        result = moved(image, down, right, kind)
        after.append(result.flip(-2) if flip else result)
    return torch.stack(after)


@pytest.mark.parametrize("kind", ["shift", "flip", "roll"])
def test_default_options_draw_what_they_always_drew(kind: str) -> None:
    images = torch.randint(1, 256, (40, 48, 48, 3), dtype=torch.uint8, generator=seeded())
    config = small(dataset="folder", image_size=48, augment=kind)
    generator, plain = seeded(7), seeded(7)
    result = augmented_batch(images, np.arange(40), 0, config, generator)
    assert torch.equal(result, draws_as_before(images, kind, plain))
    assert torch.equal(generator.get_state(), plain.get_state())


@settings(deadline=None, max_examples=40)
@given(
    height=st.integers(2, 40), width=st.integers(2, 40), channels=st.integers(1, 3), steps=st.integers(0, 3),
    kind=st.sampled_from(["shift", "flip"]), seed=st.integers(0, 1000),
)  # fmt: skip
def test_reflected_borders_are_those_of_numpy(
    height: int, width: int, channels: int, steps: int, kind: str, seed: int
) -> None:
    shape = (5, steps, height, width, channels) if steps else (5, height, width, channels)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=seeded(seed))
    reach = max(1, int(height * {"shift": 1 / 16, "flip": 1 / 8}[kind]))
    assume(reach < min(height, width))
    plain = seeded(seed)
    rows, columns = (torch.randint(0, 2 * reach + 1, (5, 1), generator=plain) for _ in range(2))
    mirrored = torch.arange(5) % 2 == 0
    result = augmented(images, kind, seeded(seed), mirrored=mirrored, reflect=True)
    for image, after, row, column, flip in zip(images, result, rows, columns, mirrored, strict=True):
        margins = [(0, 0)] * (image.dim() - 3) + [(reach, reach), (reach, reach), (0, 0)]
        padded = np.pad(image.numpy(), margins, mode="reflect")
        expected = padded[..., row : row + height, column : column + width, :]
        if flip and kind == "flip":
            expected = expected[..., ::-1, :]
        assert np.array_equal(after.numpy(), expected)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**31), first=st.integers(0, 10**6), epoch=st.integers(0, 50))
def test_alternating_flip_shows_both_sides_in_two_epochs(seed: int, first: int, epoch: int) -> None:
    config = small(dataset="folder", augment="flip", alternating_flip=True, seed=seed)
    samples = np.arange(first, first + 200)
    images = torch.zeros(200, 8, 8, 3, dtype=torch.uint8)
    images[:, :, :4] = 200
    images[:, :, 4:] = 100
    bright = torch.stack(
        [
            augmented_batch(images, samples, later, config, seeded())[:, 4, 2, 0] == 200
            for later in (epoch, epoch + 1, epoch + 2)
        ]
    )
    assert torch.equal(bright[0], ~bright[1])
    assert torch.equal(bright[0], bright[2])
    assert 50 < int(bright[0].sum()) < 150


def test_sides_depend_on_image_and_seed_alone() -> None:
    samples = np.arange(20_000)
    sides = [first_sides(samples, seed) for seed in (0, 1, 0)]
    order = np.random.default_rng(0).permutation(samples)
    assert np.array_equal(sides[0], sides[2])
    assert np.array_equal(first_sides(order, 0), sides[0][order])
    assert abs(float(np.mean(sides[0])) - 0.5) < 0.02
    assert abs(float(np.mean(sides[0] == sides[1])) - 0.5) < 0.02
    assert abs(float(np.mean(sides[0][1:] == sides[0][:-1])) - 0.5) < 0.02


@settings(deadline=None, max_examples=40)
@given(height=st.integers(2, 24), width=st.integers(2, 24), steps=st.integers(0, 3), data=st.data())
def test_cutout_blackens_one_square_in_each_image(height: int, width: int, steps: int, data: st.DataObject) -> None:
    side = data.draw(st.integers(1, min(height, width)))
    shape = (6, steps, height, width, 2) if steps else (6, height, width, 2)
    images = torch.randint(1, 256, shape, dtype=torch.uint8, generator=seeded())
    kept = images.clone()
    result = cut_out(images, side, seeded(side))
    assert torch.equal(images, kept)
    for image, after in zip(images, result, strict=True):
        black = after == 0
        assert torch.equal(after[~black], image[~black])
        square = black[..., 0].reshape(-1, height, width)
        assert bool((black == black[..., :1]).all()) and bool((square == square[0]).all())
        rows, columns = square[0].nonzero().unbind(1)
        assert len(rows) == side * side
        assert int(rows.max() - rows.min()) == int(columns.max() - columns.min()) == side - 1


def test_cutout_goes_everywhere_behind_the_other_draws() -> None:
    images = torch.full((2000, 8, 8, 1), 255, dtype=torch.uint8)
    config = small(augment="none", cutout=3)
    result = augmented_batch(images, np.arange(2000), 0, config, seeded())
    share = (result == 0).float().mean((0, 3))
    assert float(share.min()) > 0.01
    assert float(share.sum()) == pytest.approx(9.0)
    moved_only = augmented_batch(images, np.arange(2000), 0, replace(config, augment="shift", cutout=0), seeded())
    both = augmented_batch(images, np.arange(2000), 0, replace(config, augment="shift"), seeded())
    assert torch.equal(both[both != 0], moved_only[both != 0])


@settings(deadline=None, max_examples=40)
@given(
    height=st.integers(2, 24), width=st.integers(2, 24), steps=st.integers(0, 3), share=st.sampled_from([0.5, 1.0]),
    seed=st.integers(0, 2**16),
)  # fmt: skip
def test_cutmix_puts_a_rectangle_of_one_other_image_into_each(
    height: int, width: int, steps: int, share: float, seed: int
) -> None:
    count = 12
    shape = (count, steps, height, width, 2) if steps else (count, height, width, 2)
    images = torch.arange(count, dtype=torch.uint8).reshape(-1, *[1] * (len(shape) - 1)).expand(shape).contiguous()
    classes = torch.eye(count)
    mixed, targets = cut_mixed(images, classes, share, seeded(seed))
    assert mixed.dtype == torch.uint8 and torch.equal(classes, torch.eye(count))
    for own, (image, target) in enumerate(zip(mixed, targets, strict=True)):
        assert torch.equal(image, image[..., :1].expand_as(image))  # both channels and, below, all frames alike
        maps = image[..., 0].reshape(-1, height, width)
        assert torch.equal(maps, maps[:1].expand_as(maps))
        shown = torch.bincount(maps[0].flatten().long(), minlength=count) / (height * width)
        assert torch.allclose(target, shown, atol=1e-6)
        others = (maps[0] != own).nonzero()
        if len(others):
            assert len(maps[0][maps[0] != own].unique()) == 1
            sides = others.max(0).values - others.min(0).values + 1
            assert len(others) == int(sides.prod())


def test_cutmix_mixes_its_share_of_the_images_by_areas_from_none_to_all() -> None:
    images = torch.arange(4000, dtype=torch.int32).remainder(256).to(torch.uint8).reshape(-1, 1, 1, 1)
    mixed, targets = cut_mixed(images.expand(-1, 32, 32, 1), torch.eye(4000), 0.25, seeded())
    kept = targets.diagonal()
    assert float((kept < 1).float().mean()) == pytest.approx(0.25, abs=0.03)
    # A rectangle whose centre is anywhere loses part of its even area; 0.5 without that loss.
    assert 0.5 < float(kept[kept < 1].mean()) < 0.75 and float(kept.min()) < 0.25
    unmixed = kept == 1
    assert torch.equal(mixed[unmixed], images.expand(-1, 32, 32, 1)[unmixed])
    again, _ = cut_mixed(images.expand(-1, 32, 32, 1), torch.eye(4000), 0.25, seeded())
    assert torch.equal(mixed, again)


def test_a_batch_has_class_shares_only_where_images_are_mixed() -> None:
    dataset = load_dataset(small(train_images=40))
    samples = np.arange(40)
    config = small(train_images=40)
    images, labels = training_batch(dataset, samples, 0, config, seeded(), torch.device("cpu"))
    assert torch.equal(labels, torch.from_numpy(dataset.train_labels)) and not labels.is_floating_point()
    mixed, shares = training_batch(dataset, samples, 0, replace(config, cutmix=0.5), seeded(), torch.device("cpu"))
    assert shares.shape == (40, 10) and torch.allclose(shares.sum(1), torch.ones(40))
    changed = (mixed != images).flatten(1).any(1)
    assert bool(changed.any()) and bool((shares.max(1).values[~changed] > 0.99).any())
