"""Pruning to a board's memory: weights counted exactly, the fewest channels pruned, and networks that cannot fit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from fpga.boards import BOARDS
from sca_train.config import TrainConfig
from sca_train.describe import describe, describe_run
from sca_train.description import NetworkDescription
from sca_train.errors import TrainError
from sca_train.pruning.budget import MemoryBudget, weight_bits, weight_blocks
from sca_train.pruning.compact import compact
from sca_train.pruning.memory import board_memory_bits
from sca_train.pruning.sca import Pruner, lowest_channels, pruning_groups
from sca_train.train import train
from tests.train.conftest import make_network, small

BOARD = "Pynq-Z2"


def described_bits(description: NetworkDescription) -> int:
    """The weights of a network as later stages read them."""
    weights = [
        (entry.weights, entry.weight_bits) for layer in description.layers for entry in layer.inputs
    ]  # fmt: skip
    return sum(int(np.prod(values.shape)) * bits for values, bits in weights if values is not None)


@pytest.mark.parametrize(
    "changes",
    [{}, {"model": "mlp", "hidden": (20, 30)}, {"model": "vgg9", "width": 0.1}, {"model": "resnet20", "width": 0.4},
     {"model": "preresnet18", "width": 0.1, "image_size": 16}, {"model": "dvs", "width": 0.1, "image_size": 32}],
    ids=lambda changes: changes.get("model", "mini"),
)  # fmt: skip
def test_weights_are_counted_as_the_compact_network_has_them(changes: dict[str, object]) -> None:
    config = small(**changes)
    network = make_network(config)
    groups = pruning_groups(network)
    scores = [torch.rand(layers[0].spec.channels) for layers in groups.values()]
    masks = lowest_channels(scores, sum(map(len, scores)) // 3)
    for layers, mask in zip(groups.values(), masks, strict=True):
        for layer in layers:
            layer.mask.copy_(mask)
    counted = weight_bits(weight_blocks(network), [int(mask.sum()) for mask in masks])
    assert counted == described_bits(describe(compact(network).eval()))


def test_boards_hold_what_their_blocks_hold() -> None:
    assert board_memory_bits("pynq-z2") == 140 * 36_864 * 3 // 4
    assert board_memory_bits("ZCU104") == (312 * 36_864 + 96 * 294_912) * 3 // 4
    assert [board_memory_bits(board.name) > 2_800_000 for board in BOARDS] == [True] * len(BOARDS)


@pytest.mark.parametrize("structure", ["prune-regrow", "prune-only", "random"])
@pytest.mark.parametrize("share", [0.9, 0.5, 0.1])
def test_no_pruning_that_removes_fewer_channels_fits(structure: str, share: float) -> None:
    config = small(structure=structure, regrow_fraction=0.1)
    network = make_network(config)
    blocks = weight_blocks(network)
    capacity = int(weight_bits(blocks, [16, 32, 64]) * share)
    pruner = Pruner(network, config)
    pruner.budget = MemoryBudget(network, BOARD, capacity=capacity)
    for layer in network.spiking_layers():
        layer.potential.uniform_()
        layer.spike_count.uniform_()
        layer.samples.fill_(1.0)
        layer.gamma_gradient.uniform_()
    offered: list[tuple[int, bool]] = []
    fits = pruner.budget.fits

    def noting(masks: list[torch.Tensor]) -> bool:
        offered.append((sum(int((mask == 0).sum()) for mask in masks), fits(masks)))
        return offered[-1][1]

    pruner.budget.fits = noting  # type: ignore[method-assign]
    if structure == "random":
        pruner.choose_randomly()
    else:
        pruner.update()
    kept = [int(layer.mask.sum()) for layer in network.spiking_layers()]
    assert weight_bits(blocks, kept) <= capacity
    assert (112 - sum(kept) - 1, False) in offered  # one channel fewer was tried and is too much


def test_pruned_channels_stay_pruned_when_more_would_fit() -> None:
    config = small(structure="prune-only", score="gamma")
    network = make_network(config)
    pruner = Pruner(network, config)
    pruner.update()
    before = [layer.mask.clone() for layer in network.spiking_layers()]
    pruner.budget = MemoryBudget(network, BOARD)
    pruner.update()
    for layer, mask in zip(network.spiking_layers(), before, strict=True):
        assert torch.equal(layer.mask, mask)


def test_a_network_that_fits_no_way_is_rejected() -> None:
    network = make_network(small())
    least = weight_bits(weight_blocks(network), [1, 1, 1])
    MemoryBudget(network, BOARD, capacity=least).check_possible()
    with pytest.raises(TrainError) as caught:
        MemoryBudget(network, BOARD, capacity=least - 1).check_possible()
    assert str(caught.value) == (
        f"the weights do not fit Pynq-Z2: with one channel in each layer they still take {least} bits, "
        f"and its memory takes {least - 1}"
    )


def test_shares_of_layers_that_do_not_fit_are_rejected() -> None:
    network = make_network(small())
    least = weight_bits(weight_blocks(network), [4, 8, 16])
    with pytest.raises(TrainError, match=rf"with the least channels, \[4, 8, 16\] .* they still take {least} bits"):
        MemoryBudget(network, BOARD, [4, 8, 16], least - 1).check_possible()


def test_trained_network_fits_its_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With boards of a hundredth of the memory, so that a small network has to be pruned for one."""
    monkeypatch.setattr("sca_train.pruning.memory.USABLE_MEMORY_SHARE", 0.0075)
    config: TrainConfig = small(budget=BOARD, ratio=0.0, regrow_fraction=0.05)
    metrics = train(config, tmp_path / "run")
    assert metrics is not None
    bits = described_bits(describe_run(tmp_path / "run"))
    assert 0.9 * board_memory_bits(BOARD) < bits <= board_memory_bits(BOARD)
    removed = 1.0 - sum(left for _, left in metrics["channels"].values()) / 112
    assert metrics["ratio"] == pytest.approx(removed)
    assert 0.0 < removed < 1.0
    saved = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert [entry["sparsity"] for entry in saved["history"][2:]] == pytest.approx([removed] * 2)
