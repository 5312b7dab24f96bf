"""The rules of SCA: scores, global prune, regrowth, groups, one survivor per layer, L1 on gammas; the ablations."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from spikingjelly.activation_based import neuron as sj_neuron
from torch import Tensor

from sca_train.config import TrainConfig
from sca_train.errors import TrainError
from sca_train.network import Network
from sca_train.pruning.multiples import least_channels
from sca_train.pruning.sca import (
    Pruner,
    channel_scores,
    lowest_channels,
    pruned_count,
    pruning_groups,
    regrow_channels,
    regrown_masks,
    sparsity,
)
from sca_train.specs import IMAGE, ConnectionSpec, LayerSpec
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
    assert torch.allclose(channel_scores(layer, "membrane", "sum", 16), expected, rtol=1e-5)
    assert torch.allclose(channel_scores(layer, "membrane", "mean", 16), expected / 16, rtol=1e-5)


def test_all_channels_of_the_network_are_sorted_together() -> None:
    scores = [torch.tensor([5.0, 1.0, 6.0]), torch.tensor([2.0, 7.0]), torch.tensor([0.5, 0.4, 0.3, 9.0])]
    keep = lowest_channels(scores, 5)
    assert [mask.tolist() for mask in keep] == [[True, False, True], [False, True], [False, False, False, True]]


def test_the_best_channel_of_each_layer_survives() -> None:
    scores = [torch.tensor([0.1, 0.2, 0.3]), torch.tensor([7.0, 8.0, 9.0])]
    keep = lowest_channels(scores, 4)
    assert [mask.tolist() for mask in keep] == [[False, False, True], [False, False, True]]


def test_each_layer_keeps_its_share() -> None:
    scores = [torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5]), torch.tensor([7.0, 8.0, 9.0, 10.0])]
    keep = lowest_channels(scores, 4, least_channels([5, 4], 0.5))
    assert [mask.tolist() for mask in keep] == [[False, False, True, True, True], [False, False, True, True]]


def test_regrowth_takes_the_largest_gamma_gradients_of_pruned_channels() -> None:
    keep = [torch.tensor([True, False, False]), torch.tensor([False, True])]
    gradients = [torch.tensor([9.0, -4.0, 1.0]), torch.tensor([2.0, 8.0])]
    grown = regrow_channels(keep, gradients, 2)
    assert [mask.tolist() for mask in grown] == [[True, True, False], [True, True]]


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.33, 0.5, 0.9, 0.97])
@pytest.mark.parametrize("regrow_fraction", [0.0, 0.05, 0.3])
def test_sparsity_is_exactly_the_target(ratio: float, regrow_fraction: float) -> None:
    scores, gradients = random_scores([16, 32, 64])
    pruned = pruned_count(ratio, [16, 32, 64])
    masks = regrown_masks(scores, gradients, pruned, regrow_fraction)
    assert sum(int((~mask).sum()) for mask in masks) == pruned == round(ratio * 112)
    assert all(mask.any() for mask in masks)


@pytest.mark.parametrize("regrow_fraction", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("structure", ["prune-regrow", "prune-only", "random"])
def test_updates_leave_each_layer_its_share(structure: str, regrow_fraction: float) -> None:
    """By the summed score, which ranks the last layer's small map far below the others."""
    config = small(structure=structure, regrow_fraction=regrow_fraction, ratio=0.7, min_channel_fraction=0.2)
    network = make_network(config)
    pruner = Pruner(network, config)
    if structure == "random":
        pruner.choose_randomly()
    for _ in range(3):
        for pixels, layer in zip((64, 16, 4), network.spiking_layers(), strict=True):
            layer.samples += 1.0
            layer.potential += pixels * (1.0 + torch.rand(layer.spec.channels, dtype=torch.float64))
        pruner.update()
        kept = [int(layer.mask.sum()) for layer in network.spiking_layers()]
        assert sum(kept) == 112 - round(0.7 * 112)
        assert all(count >= least for count, least in zip(kept, (4, 7, 13), strict=True))


@pytest.mark.parametrize("regrow_fraction", [0.0, 0.05, 0.3])
def test_more_pruning_keeps_no_channel_that_less_prunes(regrow_fraction: float) -> None:
    """What the bisection of a budget rests on."""
    scores, gradients = random_scores([5, 20, 15])
    masks = [torch.cat(regrown_masks(scores, gradients, pruned, regrow_fraction)) for pruned in range(38)]
    assert all(not (fewer & ~more).any() for more, fewer in pairwise(masks))


def random_scores(widths: list[int]) -> tuple[list[Tensor], list[Tensor]]:
    generator = torch.Generator().manual_seed(1)
    scores = [torch.rand(width, generator=generator) for width in widths]
    return scores, [torch.rand(width, generator=generator) for width in widths]


def test_a_ratio_that_empties_a_layer_is_rejected() -> None:
    with pytest.raises(TrainError, match=r"leaves 1 of 112 channels for 3 layers.*at most 0\.9732 can be removed"):
        pruned_count(0.99, [16, 32, 64])


def test_a_ratio_that_takes_a_layers_share_is_rejected() -> None:
    assert pruned_count(0.78, [16, 32, 64], 0.2) == 87
    with pytest.raises(TrainError, match=r"leaves 22 of 112 .* each layer keeps at least 0\.2 .* at most 0\.7857 can"):
        pruned_count(0.8, [16, 32, 64], 0.2)


def test_pruned_channels_are_silent_but_their_gamma_has_a_gradient() -> None:
    network = make_network(small())
    network.train()
    pruner = Pruner(network, small(regrow_fraction=0.1))
    layer = network.spiking_layers()[1]
    layer.mask[:10] = 0.0
    pruner.start()
    images, labels = torch.rand(8, 1, 8, 8), torch.arange(8)
    outputs: list[Tensor] = []
    handle = layer.register_forward_hook(lambda _module, _inputs, output: outputs.append(output.detach()))
    torch.nn.functional.cross_entropy(network(images), labels).backward()
    handle.remove()
    assert not outputs[0][:, :, :10].any()
    assert outputs[0][:, :, 10:].any()
    gradient = layer.norm.weight.grad.clone()
    assert bool((gradient[:10] != 0).any())
    pruner.after_backward(l1=0.01)
    assert torch.allclose(layer.gamma_gradient, gradient.abs().double())
    assert torch.allclose(layer.norm.weight.grad, gradient + 0.01 * layer.norm.weight.sign())
    pruner.stop()
    network.zero_grad()
    torch.nn.functional.cross_entropy(network(images), labels).backward()
    assert not layer.norm.weight.grad[:10].any()


def recorded(network: Network, config: TrainConfig, seed: int = 0) -> Pruner:
    """A pruner that has seen one training step."""
    network.train()
    pruner = Pruner(network, config)
    pruner.start()
    images = torch.rand(8, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
    network.zero_grad()
    torch.nn.functional.cross_entropy(network(images), torch.arange(8)).backward()
    pruner.after_backward(0.0)
    pruner.stop()
    return pruner


def masks_of(network: Network) -> Tensor:
    return torch.cat([layer.mask for layer in network.spiking_layers()])


@pytest.mark.parametrize("score", ["membrane", "spikes", "gamma", "weight-l1"])
def test_update_sets_masks_and_forgets_what_was_recorded(score: str) -> None:
    network = make_network(small())
    scores = recorded(network, small(score=score, regrow_fraction=0.1)).update()
    assert sparsity(network, network.specs) == pytest.approx(0.5)
    for layer in network.spiking_layers():
        assert float(layer.potential.abs().sum() + layer.spike_count.sum() + layer.samples) == 0.0
        assert not layer.gamma_gradient.any()
        kept = torch.tensor(scores[layer.spec.name])
        assert len(kept) == layer.spec.channels
        assert not kept[layer.mask == 0.0].any()


def test_scores_beside_the_papers() -> None:
    network = make_network(small())
    layer = network.spiking_layers()[1]
    x = (torch.rand(4, 6, 16, 4, 4) < 0.5).float()
    layer.record = True
    layer.mask[:4] = 0.0
    with torch.no_grad():
        spikes = layer.neuron(layer.currents(layer.sums({"conv1": x})))
        layer(layer.sums({"conv1": x}))
    count = spikes.double().sum((0, 1, 3, 4)) / (4 * 6)
    assert torch.allclose(channel_scores(layer, "spikes", "sum", 16), count)
    assert torch.allclose(channel_scores(layer, "spikes", "mean", 16), count / 16)
    assert torch.equal(channel_scores(layer, "gamma", "sum", 16), layer.norm.weight.detach().abs().double())
    weights = layer.connections["conv2"].weight.detach().double()
    assert torch.allclose(channel_scores(layer, "weight-l1", "sum", 16), weights.abs().sum((1, 2, 3)))


def residual(config: TrainConfig) -> Network:
    """A block whose second convolution meets its input in an addition."""
    specs = (
        LayerSpec("stem", 6, (ConnectionSpec("stem", IMAGE),), group="stage"),
        LayerSpec("inner", 9, (ConnectionSpec("inner", "stem"),)),
        LayerSpec("outer", 6, (ConnectionSpec("outer", "inner"), ConnectionSpec("skip", "stem", "identity")),
                  group="stage"),
    )  # fmt: skip
    torch.manual_seed(0)
    return Network(specs, config, (8, 8, 1), 8)


def test_layers_of_a_group_share_a_mask_by_mean_score_and_summed_gradient() -> None:
    config = small(score="gamma", ratio=0.4, regrow_fraction=0.15)
    network = residual(config)
    assert {name: len(layers) for name, layers in pruning_groups(network).items()} == {"stage": 2, "inner": 1}
    stem, inner, outer = network.spiking_layers()
    with torch.no_grad():
        stem.norm.weight.copy_(torch.tensor([1.0, 0.9, 0.1, 0.2, 5.0, 6.0]))
        outer.norm.weight.copy_(torch.tensor([0.1, 3.1, 0.1, 6.0, 5.0, 6.0]))
        inner.norm.weight.copy_(torch.tensor([9.0, 9.0, 9.0, 9.0, 0.5, 0.6, 0.7, 0.8, 3.5]))
    # The means are 0.55, 2, 0.1, 3.1, 5, 6. Of 15 channels 6 go and 2 more: 0.1 .5 .55 .6 .7 .8 2 3.1, and the two
    # with the largest gradients come back.
    stem.gamma_gradient.copy_(torch.tensor([1.0, 0.0, 0.0, 3.0, 9.0, 9.0]))
    outer.gamma_gradient.copy_(torch.tensor([1.0, 0.0, 2.5, 1.0, 9.0, 9.0]))
    inner.gamma_gradient.copy_(torch.tensor([9.0, 9.0, 9.0, 9.0, 0.0, 3.0, 0.0, 0.0, 0.0]))
    Pruner(network, config).update()
    assert stem.mask.tolist() == outer.mask.tolist() == [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]
    assert inner.mask.tolist() == [1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0]
    assert sparsity(network, network.specs) == pytest.approx(6 / 15)


def test_prune_only_never_brings_a_channel_back() -> None:
    config = small(structure="prune-only", regrow_fraction=0.3)
    network = make_network(config)
    pruner = recorded(network, config)
    assert not any(layer.regrow for layer in network.spiking_layers())
    pruner.update()
    first = masks_of(network)
    assert sparsity(network, network.specs) == pytest.approx(0.5)
    assert torch.equal(first, masks_of(network))
    for layer in network.spiking_layers():
        torch.nn.init.normal_(layer.norm.bias, 0.0, 1.0)
    recorded(network, config, seed=1).update()
    assert torch.equal(first, masks_of(network))
    recorded(network, replace(config, ratio=0.7), seed=2).update()
    assert sparsity(network, network.specs) == pytest.approx(0.7, abs=0.005)
    assert not (masks_of(network) > first).any()


def test_random_masks_come_from_the_seed_and_never_change() -> None:
    config = small(structure="random", ratio=0.8)
    networks = [make_network(small()) for _ in range(3)]
    for network, seed in zip(networks, (1, 1, 2), strict=True):
        Pruner(network, replace(config, seed=seed)).choose_randomly()
        assert sparsity(network, network.specs) == pytest.approx(0.8, abs=0.005)
        assert all(layer.mask.any() for layer in network.spiking_layers())
    first, again, other = map(masks_of, networks)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    pruner = recorded(networks[0], config)
    pruner.update()
    assert torch.equal(first, masks_of(networks[0]))


def test_random_pruning_is_as_likely_in_every_layer() -> None:
    config = small(structure="random")
    shares = torch.zeros(3)
    network = make_network(small())
    for seed in range(60):
        Pruner(network, replace(config, seed=seed)).choose_randomly()
        shares += torch.tensor([float(layer.mask.mean()) for layer in network.spiking_layers()]) / 60
    assert torch.allclose(shares, torch.full((3,), 0.5), atol=0.06)


def test_only_regrowth_brings_pruned_channels_back() -> None:
    """After the first update each further one exchanges the share q, whatever scores the pruned channels have."""
    config = small(ratio=0.5, regrow_fraction=0.05)
    network = make_network(config)
    network.train()
    pruner = Pruner(network, config)
    total = sum(spec.channels for spec in network.specs)
    before: list[Tensor] | None = None
    for step in range(3):
        pruner.start()
        torch.manual_seed(step)
        torch.nn.functional.cross_entropy(network(torch.rand(8, 1, 8, 8)), torch.arange(8)).backward()
        pruner.after_backward(0.0)
        for layer in network.spiking_layers():
            layer.potential *= torch.rand(len(layer.mask)) * 100  # an order of scores that changes from step to step
        pruner.stop()
        pruner.update()
        after = [layer.mask.clone() for layer in network.spiking_layers()]
        if before is not None:
            revived = sum(int(((old == 0) & (new == 1)).sum()) for old, new in zip(before, after, strict=True))
            assert 0 < revived <= round(0.05 * total)
        assert sparsity(network, network.specs) == pytest.approx(0.5)
        before = after


def test_relative_scores_compare_channels_with_their_own_layer() -> None:
    layer = make_network(small()).spiking_layers()[1]
    layer.potential.copy_(torch.arange(len(layer.potential)))
    layer.samples.fill_(4.0)
    scores = channel_scores(layer, "membrane", "relative", 16)
    assert float(scores.mean()) == pytest.approx(1.0)
    assert torch.allclose(scores * float(layer.potential.mean()), layer.potential)
