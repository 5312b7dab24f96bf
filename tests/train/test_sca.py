"""The rules of SCA: score, global prune, regrowth, one survivor per layer, L1 on gammas."""

from __future__ import annotations

import pytest
import torch
from spikingjelly.activation_based import neuron as sj_neuron
from torch import Tensor

from sca_train.errors import TrainError
from sca_train.sca import (
    StructureLearner,
    channel_scores,
    lowest_channels,
    new_masks,
    pruned_count,
    regrow_channels,
    sparsity,
)
from tests.train.conftest import make_network, small


def stepwise_score(layer: object, current: Tensor) -> Tensor:
    """Eq. 4 read literally: step the neuron, take |V| before it resets, sum the map, average samples and steps."""
    node = type(layer.neuron)  # type: ignore[attr-defined]
    kwargs = {"tau": layer.neuron.tau} if node is sj_neuron.LIFNode else {}  # type: ignore[attr-defined]
    single = node(v_threshold=1.0, v_reset=layer.neuron.v_reset, step_mode="s", **kwargs)  # type: ignore[attr-defined]
    total = torch.zeros(current.shape[2], dtype=torch.float64)
    for step in current:
        before = single.v
        potential = before + (step - before) / kwargs["tau"] if kwargs else before + step
        single(step)
        total += potential.abs().double().transpose(0, 1).flatten(1).sum(1)
    return total / (current.shape[0] * current.shape[1])


@pytest.mark.parametrize("neuron", ["IF", "LIF"])
@pytest.mark.parametrize("reset", ["hard", "soft"])
def test_score_is_the_mean_potential_before_reset(neuron: str, reset: str) -> None:
    network = make_network(small(neuron=neuron, reset=reset))
    layer = network.spiking_layers()[1]
    x = (torch.rand(4, 6, 16, 4, 4) < 0.5).float()
    layer.record = True
    with torch.no_grad():
        layer(layer.sums({"conv1": x[:, :2]}))
        layer(layer.sums({"conv1": x[:, 2:]}))  # two iterations count as one larger one
        expected = stepwise_score(layer, layer.currents(layer.sums({"conv1": x})))
    assert torch.allclose(channel_scores(layer, "sum", 16), expected, rtol=1e-5)
    assert torch.allclose(channel_scores(layer, "mean", 16), expected / 16, rtol=1e-5)


def test_all_channels_of_the_network_are_sorted_together() -> None:
    scores = [torch.tensor([5.0, 1.0, 6.0]), torch.tensor([2.0, 7.0]), torch.tensor([0.5, 0.4, 0.3, 9.0])]
    keep = lowest_channels(scores, 5)
    assert [mask.tolist() for mask in keep] == [[True, False, True], [False, True], [False, False, False, True]]


def test_the_best_channel_of_each_layer_survives() -> None:
    scores = [torch.tensor([0.1, 0.2, 0.3]), torch.tensor([7.0, 8.0, 9.0])]
    keep = lowest_channels(scores, 4)
    assert [mask.tolist() for mask in keep] == [[False, False, True], [False, False, True]]


def test_regrowth_takes_the_largest_gamma_gradients_of_pruned_channels() -> None:
    keep = [torch.tensor([True, False, False]), torch.tensor([False, True])]
    gradients = [torch.tensor([9.0, -4.0, 1.0]), torch.tensor([2.0, 8.0])]
    grown = regrow_channels(keep, gradients, 2)
    assert [mask.tolist() for mask in grown] == [[True, True, False], [True, True]]


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.33, 0.5, 0.9, 0.97])
@pytest.mark.parametrize("exchange", [0.0, 0.05, 0.3])
def test_sparsity_is_exactly_the_target(ratio: float, exchange: float) -> None:
    generator = torch.Generator().manual_seed(1)
    widths = [16, 32, 64]
    scores = [torch.rand(width, generator=generator) for width in widths]
    gradients = [torch.rand(width, generator=generator) for width in widths]
    masks = new_masks(scores, gradients, ratio, exchange)
    assert sum(int((~mask).sum()) for mask in masks) == round(ratio * 112)
    assert all(mask.any() for mask in masks)


def test_a_ratio_that_empties_a_layer_is_refused() -> None:
    with pytest.raises(TrainError, match=r"leaves 1 of 112 channels for 3 layers.*at most 0\.9732 can be removed"):
        pruned_count(0.99, [16, 32, 64])


def test_pruned_channels_are_silent_but_their_gamma_has_a_gradient() -> None:
    network = make_network(small())
    network.train()
    learner = StructureLearner(network, 0.5, 0.1, "sum")
    layer = network.spiking_layers()[1]
    layer.mask[:10] = 0.0
    learner.start()
    images, labels = torch.rand(8, 1, 8, 8), torch.arange(8)
    outputs: list[Tensor] = []
    handle = layer.register_forward_hook(lambda _module, _inputs, output: outputs.append(output.detach()))
    torch.nn.functional.cross_entropy(network(images), labels).backward()
    handle.remove()
    assert not outputs[0][:, :, :10].any()
    assert outputs[0][:, :, 10:].any()
    gradient = layer.norm.weight.grad.clone()
    assert bool((gradient[:10] != 0).any())
    learner.after_backward(l1=0.01)
    assert torch.allclose(layer.gamma_gradient, gradient.abs().double())
    assert torch.allclose(layer.norm.weight.grad, gradient + 0.01 * layer.norm.weight.sign())
    learner.stop()
    network.zero_grad()
    torch.nn.functional.cross_entropy(network(images), labels).backward()
    assert not layer.norm.weight.grad[:10].any()


def test_update_sets_masks_and_forgets_what_was_recorded() -> None:
    network = make_network(small())
    network.train()
    learner = StructureLearner(network, 0.5, 0.1, "sum")
    learner.start()
    torch.nn.functional.cross_entropy(network(torch.rand(8, 1, 8, 8)), torch.arange(8)).backward()
    learner.after_backward(0.0)
    learner.update()
    assert sparsity(network) == pytest.approx(0.5)
    assert all(float(layer.potential.abs().sum() + layer.samples) == 0.0 for layer in network.spiking_layers())
