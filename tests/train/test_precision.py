"""Weights in full precision first: which epochs, what is computed in them, and the scales behind them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from brevitas.core.function_wrapper import TensorClamp
from brevitas.nn import QuantLinear
from hypothesis import given, settings
from hypothesis import strategies as st

from sca_train.config import prunes, search_epochs
from sca_train.network import Network
from sca_train.precision import float_epochs, follow_weights, quant_modules, set_precision, spread_scales
from sca_train.pruning.compact import load_compact
from sca_train.quantizers import (
    BEST_STEP,
    ChannelWeightQuant,
    FixedScale,
    computed_weights,
    fixed_scale,
    set_scale_from_spread,
)
from sca_train.train import train
from tests.train.conftest import make_network, small
from tests.train.test_train import straight_and_paused


@settings(deadline=None)
@given(
    fraction=st.floats(0.0, 1.0, exclude_max=True), epochs=st.integers(0, 60), data=st.data(), ratio=st.floats(0.0, 0.9)
)
def test_some_epochs_stay_for_quantised_weights(
    fraction: float, epochs: int, data: st.DataObject, ratio: float
) -> None:
    config = small(
        float_fraction=fraction, epochs=epochs, finetune=data.draw(st.integers(0, epochs)), update_every=1, ratio=ratio
    )
    available = search_epochs(config) if prunes(config) else epochs
    count = float_epochs(config)
    assert 0 <= count <= max(0, available - 1)
    assert abs(count - fraction * available) <= 1.0
    if fraction == 0.0:
        assert count == 0


@pytest.mark.parametrize("kernels", [False, True])
@pytest.mark.parametrize("model", ["mini", "resnet20"])
def test_weights_are_used_as_they_are_and_then_quantised(model: str, kernels: bool) -> None:
    config = small(model=model, width=0.25 if model != "mini" else 1.0, float_fraction=0.5, weight_bits=2)
    network = make_network(config)
    network.use_kernels(kernels)
    images = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    quantised = network(images)
    assert set_precision(network, config, 0)
    assert not set_precision(network, config, 0)
    assert all(torch.equal(computed_weights(module).values, module.weight) for module in quant_modules(network))
    full = network(images)
    assert not torch.allclose(quantised, full)
    torch.nn.functional.cross_entropy(network(images), torch.arange(6)).backward()
    assert all(value.grad is not None for value in network.parameters() if value.requires_grad)
    assert float_epochs(config) == 1
    assert set_precision(network, config, 1)
    assert not torch.equal(network(images), full)
    for module in quant_modules(network):
        weights = module.quant_weight()
        integers = weights.value / weights.scale
        assert torch.allclose(integers, integers.round(), atol=1e-4)
        assert float(integers.detach().abs().max()) <= 2 ** (float(weights.bit_width) - 1) - 1 + 1e-4
    network.zero_grad()
    torch.nn.functional.cross_entropy(network(images), torch.arange(6)).backward()
    assert all(value.grad is not None for value in network.parameters())


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_scales_suit_the_spread_of_each_channel(bits: int) -> None:
    network = make_network(small(weight_bits=bits))
    with torch.no_grad():
        for module in quant_modules(network):
            module.weight.mul_(torch.rand(len(module.weight), *[1] * (module.weight.dim() - 1)) + 0.1)
    spread_scales(network)
    for module in quant_modules(network):
        weights = module.quant_weight()
        axes = list(range(1, module.weight.dim()))
        spread = module.weight.square().mean(axes if weights.scale.numel() > 1 else None).sqrt()
        expected = BEST_STEP[round(float(weights.bit_width))] * spread
        assert torch.allclose(weights.scale.flatten(), expected.flatten(), rtol=1e-5)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_integers_and_gradients_are_those_of_brevitas(bits: int) -> None:
    """Its own clamp is in place of ours; some weights are outside the range, and some on its ends."""

    class Plain(ChannelWeightQuant):
        tensor_clamp_impl = TensorClamp

    weights = torch.randn(6, 40, generator=torch.Generator().manual_seed(bits))
    towards = torch.randn(6, 40, generator=torch.Generator().manual_seed(bits + 1))
    found = []
    for quantizer in (ChannelWeightQuant, Plain):
        module = QuantLinear(40, 6, bias=False, weight_quant=quantizer, weight_bit_width=bits)
        with torch.no_grad():
            module.weight.copy_(weights)
            set_scale_from_spread(module)
            scale = computed_weights(module).scale
            assert scale is not None
            module.weight[:, :3] = scale.reshape(-1, 1) * torch.tensor([1.0, -1.0, 2.0]) * (2 ** (bits - 1) - 1)
        values = computed_weights(module).values
        values.backward(towards)
        of_weight, of_scale = (value.grad for value in module.parameters())
        assert of_weight is not None
        assert of_scale is not None
        assert 0 < (of_weight == 0.0).sum() < of_weight.numel()
        found.append((values.detach(), of_weight, of_scale))
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(*found, strict=True))


def test_spread_scales_have_less_error_than_the_largest_weights() -> None:
    """What the passage to 4 bits is about: the squared error of weights that are normally distributed."""
    network = make_network(small(image_size=16))

    def errors() -> list[float]:
        return [
            float((computed_weights(module).values - module.weight).square().mean())
            for module in quant_modules(network)
        ]

    before = errors()
    spread_scales(network)
    # The first layer has 8 bits and nine weights a channel, of which the largest decides well too.
    assert all(now < then for now, then in zip(errors()[1:-1], before[1:-1], strict=True))


def test_channels_of_zeros_get_a_scale() -> None:
    network = make_network(small())
    for module in quant_modules(network):
        torch.nn.init.zeros_(module.weight)
    spread_scales(network)
    assert torch.isfinite(network(torch.rand(2, 1, 8, 8))).all()


def test_shared_scales_follow_the_weights_at_the_passage() -> None:
    config = small(model="resnet20", width=0.25, float_fraction=0.5)
    network = make_network(config)
    shared = [m for m in quant_modules(network) if isinstance(m.weight_quant.tensor_quant.scaling_impl, FixedScale)]
    assert shared
    before = [float(fixed_scale(module).scale) for module in shared]
    set_precision(network, config, 0)
    with torch.no_grad():
        for module in shared:
            module.weight.mul_(4.0)
    assert [float(fixed_scale(module).scale) for module in shared] == before
    set_precision(network, config, 1)
    assert [float(fixed_scale(module).scale) for module in shared] == [4.0 * scale for scale in before]


@pytest.mark.parametrize("ratio", [0.0, 0.5])
def test_resume_is_bit_identical_around_the_passage(ratio: float, tmp_path: Path) -> None:
    config = small(float_fraction=0.5, ratio=ratio, epochs=5, finetune=1, optimizer="sgd", lr=0.05)
    assert float_epochs(config) == 2
    straight, _ = straight_and_paused(config, tmp_path, (1, 2, 3))
    _, network = load_compact(straight)
    assert all(module.weight_quant.is_quant_enabled for module in quant_modules(network))


def test_scales_start_as_configured(tmp_path: Path) -> None:
    results = []
    for scale_init in ("max", "std"):
        run = tmp_path / scale_init
        train(small(scale_init=scale_init, epochs=0, finetune=0, ratio=0.0), run)
        results.append(load_compact(run)[1])
    for module, other in zip(*map(quant_modules, results), strict=True):
        assert torch.equal(module.weight, other.weight)
        assert not torch.equal(module.quant_weight().scale, other.quant_weight().scale)


def scales(network: Network) -> list[torch.Tensor]:
    """What decides the quantizers' scales, of all weights in order."""
    return [
        torch.cat([value.detach().flatten().clone() for value in module.weight_quant.state_dict().values()])
        for module in quant_modules(network)
    ]


def test_scales_follow_the_weights_of_every_step(tmp_path: Path) -> None:
    config = small(scale_update="std", ratio=0.0, finetune=0, epochs=2, optimizer="sgd", lr=0.05)
    train(config, tmp_path)
    _, network = load_compact(tmp_path)
    before = scales(network)
    spread_scales(network)
    assert all(map(torch.equal, scales(network), before))
    set_precision(network, config, 0)
    assert not any(value.requires_grad for m in quant_modules(network) for value in m.weight_quant.parameters())
    for module in quant_modules(network):
        step = module.quant_weight().scale.detach().clone()
        module.weight.data.mul_(0.5)
        follow_weights(network, config)
        assert torch.allclose(module.quant_weight().scale, 0.5 * step, rtol=1e-5)


@pytest.mark.parametrize("scale_update", ["learned", "std"])
def test_learned_scales_and_those_of_additions_stay(scale_update: str) -> None:
    config = small(model="resnet20", width=0.25, scale_update=scale_update)
    network = make_network(config)
    set_precision(network, config, 0)
    modules = quant_modules(network)
    shared = [isinstance(module.weight_quant.tensor_quant.scaling_impl, FixedScale) for module in modules]
    before = scales(network)
    with torch.no_grad():
        for module in modules:
            module.weight.mul_(0.25)
    follow_weights(network, config)
    moved = [not torch.equal(new, old) for new, old in zip(scales(network), before, strict=True)]
    assert any(shared) and not all(shared)
    assert moved == [scale_update == "std" and not fixed for fixed in shared]


def test_resume_is_bit_identical_where_scales_follow_the_weights(tmp_path: Path) -> None:
    config = small(scale_update="std", float_fraction=0.5, epochs=4, finetune=2, optimizer="sgd", lr=0.05)
    straight_and_paused(config, tmp_path, (1, 2, 3))
