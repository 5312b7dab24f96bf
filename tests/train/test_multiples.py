"""Channel counts in multiples: none left that a folding cannot divide, and as near to the ratio as that allows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sca_train.config import TrainConfig
from sca_train.errors import TrainError
from sca_train.pruning.multiples import least_channels, rounded_counts, rounded_masks
from sca_train.pruning.sca import Pruner, pruned_count, sparsity
from sca_train.train import train
from tests.train.conftest import make_network, small
from tests.train.test_sca import recorded


@st.composite
def layers(draw: st.DrawFn) -> tuple[int, list[int], list[int]]:
    multiple = draw(st.integers(1, 9))
    widths = draw(st.lists(st.integers(1, 70), min_size=1, max_size=8))
    kept = [
        draw(st.integers(least, width))
        for least, width in zip(least_channels(widths, 0.0, multiple), widths, strict=True)
    ]
    return multiple, widths, kept


@given(layers())
def test_counts_are_multiples_or_whole_layers_and_their_sum_stays(case: tuple[int, list[int], list[int]]) -> None:
    multiple, widths, kept = case
    counts = rounded_counts(kept, widths, widths, multiple)
    for count, before, width in zip(counts, kept, widths, strict=True):
        assert count == width or count % multiple == 0
        assert 0 < count <= width and abs(count - before) < multiple
    assert 2 * abs(sum(counts) - sum(kept)) <= multiple


@given(layers(), st.booleans(), st.integers(0, 2**31))
def test_masks_change_by_the_given_orders(case: tuple[int, list[int], list[int]], more: bool, seed: int) -> None:
    multiple, widths, kept = case
    generator = torch.Generator().manual_seed(seed)
    masks, leave, come_back = [], [], []
    for width, count in zip(widths, kept, strict=True):
        mask = torch.zeros(width, dtype=torch.bool)
        mask[torch.randperm(width, generator=generator)[:count]] = True
        masks.append(mask)
        leave.append(torch.rand(width, generator=generator))
        back = torch.rand(width, generator=generator)
        come_back.append(back.masked_fill(torch.rand(width, generator=generator) < 0.3, -torch.inf))
    found = rounded_masks(masks, leave, come_back, multiple, more=more)
    for mask, old, lost, back in zip(found, masks, leave, come_back, strict=True):
        assert int(mask.sum()) % multiple == 0 or bool(mask.all())
        gone, came = old & ~mask, mask & ~old
        assert not (gone.any() and came.any())
        assert not came.any() or more
        assert not gone.any() or lost[gone].max() <= lost[old & mask].min()
        assert not came.any() or back[came].min() > -torch.inf
        assert not came.any() or not (~mask).any() or back[came].min() >= back[~mask].max()


def test_a_layer_keeps_its_first_multiple() -> None:
    assert least_channels([64, 5, 20], 0.0, 8) == [8, 5, 8]
    assert least_channels([64, 5, 20], 0.5, 8) == [32, 5, 16]
    with pytest.raises(
        TrainError, match=r"leaves 22 of 112 .* at least one, in multiples of 16, so at most 0\.5714 can"
    ):
        pruned_count(0.8, [16, 32, 64], 0.0, 16)


@pytest.mark.parametrize("structure", ["prune-regrow", "prune-only", "random"])
@pytest.mark.parametrize("ratio_ramp", [0.0, 0.6])
def test_every_update_leaves_multiples(structure: str, ratio_ramp: float) -> None:
    config = small(structure=structure, ratio=0.6, channel_multiple=4, regrow_fraction=0.1, ratio_ramp=ratio_ramp)
    network = make_network(config)
    pruner: Pruner | None = None
    for step, ramp in enumerate((0.3, 0.7, 1.0, 1.0)):
        pruner = recorded(network, config, step)
        if structure == "random" and step == 0:
            pruner.choose_randomly(ramp if ratio_ramp else 1.0)
        before = [layer.mask.clone() for layer in network.spiking_layers()]
        pruner.update(ramp if ratio_ramp else 1.0)
        kept = [int(layer.mask.sum()) for layer in network.spiking_layers()]
        assert all(count % 4 == 0 and count > 0 for count in kept)
        if structure == "prune-only":
            assert all(
                bool((layer.mask <= old).all()) for layer, old in zip(network.spiking_layers(), before, strict=True)
            )
    assert abs(sparsity(network, network.specs) - 0.6) * 112 <= 2.5


def test_a_budget_is_kept_in_multiples() -> None:
    config = small(ratio=0.0, budget="Pynq-Z2", channel_multiple=8)
    network = make_network(config)
    pruner = recorded(network, config)
    assert pruner.budget is not None
    pruner.budget.capacity //= 600
    pruner.update()
    masks = [layers[0].mask.bool() for layers in pruner.groups.values()]
    assert pruner.budget.fits(masks)
    assert all(int(mask.sum()) % 8 == 0 for mask in masks) and not all(bool(mask.all()) for mask in masks)


def test_a_training_ends_in_multiples(tmp_path: Path) -> None:
    config: TrainConfig = replace(small(ratio=0.5, channel_multiple=4, epochs=2, finetune=0), train_images=64)
    metrics = train(config, tmp_path / "run")
    assert all(after % 4 == 0 for _, after in metrics["channels"].values())
