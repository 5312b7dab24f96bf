"""A ratio that rises over the search: how much each update prunes, for each structure, and for budgets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sca_train.config import STRUCTURES, TrainConfig
from sca_train.pruning import budget
from sca_train.pruning.sca import Pruner, ramp_after, sparsity
from sca_train.train import METRICS_FILE, train
from tests.train.conftest import make_network, small
from tests.train.test_sca import masks_of, recorded
from tests.train.test_train import straight_and_paused

CHANNELS = 112


@given(ramp=st.floats(0.0, 1.0), epochs=st.integers(1, 50), data=st.data())
def test_ramp_rises_to_one_by_the_end_of_the_search(ramp: float, epochs: int, data: st.DataObject) -> None:
    finetune = data.draw(st.integers(0, epochs - 1))
    config = small(epochs=epochs, finetune=finetune, ratio_ramp=ramp)
    search = epochs - finetune
    shares = [ramp_after(config, epoch) for epoch in range(search + 1)]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert shares[0] == (0.0 if ramp > 0.0 else 1.0)
    assert all(share == 1.0 for epoch, share in enumerate(shares) if epoch >= ramp * search)
    assert ramp_after(small(ratio=0.0, finetune=0, ratio_ramp=ramp), 1) == 1.0


@pytest.mark.parametrize("structure", STRUCTURES)
def test_updates_prune_the_share_of_the_ramp(structure: str) -> None:
    config = small(structure=structure, ratio=0.75, regrow_fraction=0.1, ratio_ramp=1.0)
    network = make_network(config)
    if structure == "random":
        Pruner(network, config).choose_randomly(0.0)
    assert sparsity(network, network.specs) == 0.0
    before = masks_of(network)
    for step, ramp in enumerate((0.25, 0.5, 1.0)):
        recorded(network, config, seed=step).update(ramp)
        assert int((masks_of(network) == 0.0).sum()) == round(ramp * round(0.75 * CHANNELS))
        if structure != "prune-regrow":
            assert not (masks_of(network) > before).any()
        before = masks_of(network)
    if structure == "random":
        at_once = make_network(config)
        Pruner(at_once, config).choose_randomly()
        assert torch.equal(masks_of(at_once), before)


def test_budgets_rise_to_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    config = small(budget="Pynq-Z2", regrow_fraction=0.0)
    network = make_network(config)
    # A board whose memory takes half of the weights.
    blocks = budget.weight_blocks(network)
    half = budget.weight_bits(blocks, [spec.channels for spec in network.specs]) // 2
    monkeypatch.setattr(budget, "board_memory_bits", lambda _board: half)
    same = make_network(config)
    recorded(same, config).update()
    needed = int((masks_of(same) == 0.0).sum())
    assert needed > 10
    pruner = recorded(network, config)
    pruner.update(0.5)
    assert int((masks_of(network) == 0.0).sum()) == round(0.5 * needed)
    recorded(network, config).update()
    kept = [int(layer.mask.sum()) for layer in network.spiking_layers()]
    assert budget.weight_bits(blocks, kept) <= half


RAMPED: dict[str, object] = {"epochs": 6, "finetune": 2, "ratio_ramp": 0.75}


@pytest.mark.parametrize("structure", STRUCTURES)
def test_resume_is_bit_identical(structure: str, tmp_path: Path) -> None:
    config: TrainConfig = small(structure=structure, **RAMPED)
    straight, _ = straight_and_paused(config, tmp_path, range(1, 6))
    metrics = json.loads((straight / METRICS_FILE).read_text())
    expected = [round(share * 56) / CHANNELS for share in (1 / 3, 2 / 3, 1.0, 1.0, 1.0, 1.0)]
    assert [entry["sparsity"] for entry in metrics["history"]] == pytest.approx(expected)


def test_rare_updates_still_reach_the_ratio(tmp_path: Path) -> None:
    metrics = train(small(epochs=5, finetune=2, ratio_ramp=1.0, update_every=2), tmp_path)
    assert metrics is not None
    assert [entry["sparsity"] for entry in metrics["history"]] == pytest.approx([0.0, 37 / 112, 0.5, 0.5, 0.5])
