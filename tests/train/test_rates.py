"""Rate-equivalent layers: plain against the spiking neurons they stand for, and the kernels against the plain ones."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from spikingjelly.activation_based import neuron as sj_neuron
from torch import Tensor, nn

from sca_train.config import TrainConfig
from sca_train.configured import apply_overrides
from sca_train.errors import TrainError
from sca_train.kernels import Neuron, SpikeCounts, Weights, count_convolution, count_neurons
from sca_train.kernels import integers as integer_kernels
from sca_train.models import model_layers
from sca_train.network import Network
from sca_train.neurons.rates import mean_potential, spike_rates
from sca_train.neurons.spiking import potential_before_reset

SOFT = {"reset": "soft", "v_init": 0.5, "ratio": 0.0}


def network(model: str = "mini", **options: object) -> Network:
    config = apply_overrides(TrainConfig(), {"model": model, **SOFT, **options}, "the test")
    torch.manual_seed(config.seed)
    return Network(model_layers(config), config, (config.image_size, config.image_size, 1), 10)


def randomise_norms(made: Network) -> None:
    for layer in made.spiking_layers():
        norm = layer.norm
        for value, low, high in ((norm.weight, 0.5, 1.5), (norm.bias, -0.2, 0.6)):
            assert isinstance(value, Tensor)
            nn.init.uniform_(value, low, high)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 32), st.sampled_from([0.0, 0.5]), st.sampled_from([0.5, 1.0, 2.0]), st.integers(0, 2**31))
def test_rates_are_those_of_soft_reset_neurons_under_constant_current(
    timesteps: int, v_init: float, threshold: float, seed: int
) -> None:
    # Currents on a lattice that floats hold exactly, so that no comparison hangs on a rounding.
    torch.manual_seed(seed)
    current = torch.randint(-400, 800, (50,)) * (threshold / 256)
    node = sj_neuron.IFNode(threshold, None, detach_reset=True, step_mode="m", store_v_seq=True)
    node.v = v_init * threshold
    drive = current.expand(timesteps, -1)
    spikes = node(drive)
    assert torch.equal(spikes.mean(0), spike_rates(current, threshold, v_init, timesteps))
    before = potential_before_reset(node, drive, node.v_seq, v_init * threshold)
    assert torch.allclose(before.abs().mean(0), mean_potential(current, threshold, v_init, timesteps), atol=1e-5)


def test_the_gradient_passes_rounding_straight_through_inside_the_range_only() -> None:
    current = torch.tensor([-0.1, 0.0, 0.3, 1.9, 2.0, 2.1], requires_grad=True)
    spike_rates(current, 2.0, 0.5, 4).sum().backward()
    assert current.grad is not None
    assert current.grad.tolist() == [0.0, 0.5, 0.5, 0.5, 0.5, 0.0]


@pytest.mark.parametrize("model", ["mini", "preresnet20"])
@pytest.mark.parametrize("kernels", [False, True])
def test_late_neurons_spike_as_the_rates_that_they_are_trained_as(model: str, kernels: bool) -> None:
    made = network(model, neuron="LateIF", width=0.25 if model != "mini" else 1.0, timesteps=3)
    randomise_norms(made)
    made.eval().use_kernels(kernels)
    images = torch.rand(6, 1, 16, 16)
    with torch.no_grad():
        rates, spiking = (made.use_rates(enabled) or made(images) for enabled in (True, False))
    assert torch.equal(rates, spiking)
    assert len(torch.unique(rates, dim=0)) > 1


def test_late_neurons_fire_on_the_mean_over_event_frames() -> None:
    """The order of the frames does not matter, and the logits are those of their mean at every step."""
    config = apply_overrides(
        TrainConfig(),
        {"model": "dvs", "dataset": "events-digits", "image_size": 32, "width": 0.125, **SOFT, "neuron": "LateIF"},
        "the test",
    )
    torch.manual_seed(0)
    made = Network(model_layers(config), config, (32, 32, 2), 10)
    randomise_norms(made)
    made.double().eval()
    frames = torch.randint(0, 4, (4, 2, 2, 32, 32)).double()
    with torch.no_grad():
        logits, reversed_ = made(frames), made(frames.flip(0))
        constant = made(frames.mean(0, keepdim=True).expand(4, -1, -1, -1, -1))
    assert torch.allclose(logits, reversed_) and torch.allclose(logits, constant)


@pytest.mark.parametrize("record", [False, True])
def test_fused_rates_equal_the_plain_ones(record: bool) -> None:
    """What torch.compile makes of a layer has its values, gradients and records."""
    results = []
    for fused in (False, True):
        made = network("cnn", stages="4 P 6", image_size=8, kernels="off")
        randomise_norms(made)
        made.train().use_rates(True)
        made.fuse(fused)
        for layer in made.spiking_layers():
            layer.record = layer.regrow = record
            layer.mask[1] = 0.0
        torch.manual_seed(1)
        logits = made(torch.rand(4, 1, 8, 8))
        logits.square().sum().backward()
        gradients = [value.grad for value in made.parameters() if value.grad is not None]
        assert all(gradient.abs().max() > 0 for gradient in gradients)
        recorded = [layer.potential for layer in made.spiking_layers()]
        results.append([logits.detach(), *gradients, *recorded])
    for plain_value, fused_value in zip(*results, strict=True):
        assert torch.allclose(plain_value, fused_value, rtol=1e-4, atol=1e-5)


def plain(
    sums: Tensor, norm: nn.Module, neuron: Neuron, mask: Tensor, pool: int, timesteps: int, average: bool, regrow: bool
) -> tuple[Tensor, Tensor]:
    """Rates behind mask and pooling, and the current."""
    current = norm(sums)
    rates = spike_rates(current, neuron.threshold, neuron.v_init, timesteps)
    cut = mask.reshape(-1, 1, 1)
    sent = rates * cut
    if regrow:
        sent = sent + (1.0 - cut) * (rates - rates.detach())
    return (F.avg_pool2d if average else F.max_pool2d)(sent, pool), current


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 40), st.integers(1, 4), st.sampled_from([1, 2, 3]), st.integers(1, 20), st.sampled_from([0.0, 0.5]),
    st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.integers(0, 2**31),
)  # fmt: skip
def test_kernels_equal_the_plain_layer(
    channels: int, side: int, pool: int, timesteps: int, v_init: float, average: bool, regrow: bool, training: bool,
    half: bool, seed: int,
) -> None:  # fmt: skip
    torch.manual_seed(seed)
    neuron = Neuron(1.0, 1.0, 2.0, 4.0, True, v_init)
    norm = nn.BatchNorm2d(channels).train(training)
    nn.init.uniform_(norm.weight, 0.5, 2.0)
    nn.init.uniform_(norm.bias, -0.5, 1.5)
    other = copy.deepcopy(norm).double()
    mask = (torch.rand(channels) < 0.7).float()
    sums = (torch.randn(3, channels, side * pool, side * pool) * 3.0).contiguous(memory_format=torch.channels_last)
    mine, theirs = sums.clone().requires_grad_(), sums.double().requires_grad_()
    sent, activity = count_neurons(mine, norm, neuron, mask, pool, timesteps, average=average, regrow=regrow, half=half)
    expected, current = plain(theirs, other, neuron, mask.double(), pool, timesteps, average, regrow)
    # Currents within a float's rounding of a step may round to either side of it.
    levels = current.detach() * timesteps / neuron.threshold + v_init
    assume(float((levels - levels.round()).abs().min()) > 1e-5)
    rates = sent.rates()
    assert torch.equal(sent.counts, (expected.detach() / sent.unit).round().to(torch.uint8))
    assert torch.allclose(rates[0], expected.detach().float())
    potential = mean_potential(current.detach(), neuron.threshold, v_init, timesteps)
    assert torch.allclose(activity.potential, potential.sum((0, 2, 3)), rtol=1e-4)
    assert torch.allclose(
        activity.spikes, spike_rates(current.detach(), neuron.threshold, v_init, timesteps).sum((0, 2, 3))
    )
    towards = torch.randn(expected.shape).bfloat16().float()
    rates.backward(towards.unsqueeze(0))
    expected.backward(towards.double())
    assert mine.grad is not None and theirs.grad is not None
    assert torch.allclose(mine.grad.double(), theirs.grad, rtol=1e-3, atol=1e-4)
    for found, right in ((norm.weight, other.weight), (norm.bias, other.bias)):
        assert found.grad is not None and right.grad is not None
        assert torch.allclose(found.grad.double(), right.grad, rtol=1e-3, atol=1e-4)
    assert torch.allclose(norm.running_var, other.running_var.float(), rtol=1e-4)  # type: ignore[union-attr]


def random_counts(images: int, inputs: int, side: int, most: int) -> SpikeCounts:
    counts = torch.randint(0, most + 1, (images, inputs, side, side), dtype=torch.uint8)
    carrier = torch.zeros((1, *counts.shape), requires_grad=True)
    return SpikeCounts(counts.contiguous(memory_format=torch.channels_last), 1.0 / most, carrier)


@pytest.mark.parametrize(("int8", "bf16"), [(True, True), (False, True), (True, False)])
@pytest.mark.parametrize(
    ("inputs", "outputs", "kernel", "stride", "most", "largest"),
    [
        (5, 7, 3, 1, 4, 7), (64, 40, 3, 2, 4, 7), (17, 9, 1, 1, 20, 1), (8, 16, 1, 2, 4, 7), (8, 16, 5, 1, 255, 7),
        (8, 16, 3, 1, 255, 127),
    ],
)  # fmt: skip
def test_convolutions_of_counts_are_exact_and_their_gradients_as_precise_as_asked(
    inputs: int, outputs: int, kernel: int, stride: int, most: int, largest: int, int8: bool, bf16: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """On processors with and without products of bf16 in hardware."""
    monkeypatch.setattr(integer_kernels, "computes_int8", lambda: int8)
    if not bf16:
        monkeypatch.setattr(integer_kernels, "computes_bf16", lambda: False)
    torch.manual_seed(inputs)
    spikes = random_counts(3, inputs, 6, most)
    scale = 2.0 ** torch.randint(-6, 0, (outputs, 1, 1, 1)).float()
    weight = torch.randint(-largest, largest + 1, (outputs, inputs, kernel, kernel)) * scale
    x = (spikes.counts.double() / most).requires_grad_()
    right = weight.double().requires_grad_()
    expected = F.conv2d(x, right, stride=stride, padding=kernel // 2)
    towards = torch.randn(expected.shape).contiguous(memory_format=torch.channels_last)
    expected.backward(towards.double())
    for half, error in ((False, 1e-5), (True, 0.01)):
        values = weight.clone().requires_grad_()
        spikes.carrier.grad = None
        found = count_convolution(spikes, Weights(values, scale), stride, half).values()[0]
        assert torch.allclose(found.double(), expected, rtol=1e-5, atol=1e-5 * float(expected.detach().abs().max()))
        found.backward(towards)
        assert values.grad is not None and right.grad is not None
        assert spikes.carrier.grad is not None and x.grad is not None
        assert relative(values.grad, right.grad) < error
        assert relative(spikes.carrier.grad[0], x.grad) < error


@pytest.mark.parametrize(("inputs", "outputs", "side"), [(8, 16, 8), (40, 72, 16), (4, 8, 16)])
def test_strided_convolutions_of_one_pixel_are_the_same_each_time_in_several_threads(
    inputs: int, outputs: int, side: int
) -> None:
    """The shortcuts of residual networks: oneDNN's own are not, on processors with AVX2 and no more."""
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        spikes = random_counts(7, inputs, side, 4)
        scale = torch.full((outputs, 1, 1, 1), 0.25)
        weights = Weights(torch.randint(-7, 8, (outputs, inputs, 1, 1)) * scale, scale)
        x, right = (spikes.counts.double() / 4).requires_grad_(), weights.values.double().requires_grad_()
        expected = F.conv2d(x, right, stride=2)
        towards = torch.randn(expected.shape).contiguous(memory_format=torch.channels_last)
        expected.backward(towards.double())
        assert x.grad is not None and right.grad is not None
        for _ in range(30):
            found = integer_kernels.integer_convolution(spikes.counts, spikes.unit, weights, 2)
            assert torch.equal(found.double(), expected.detach())
            gradients = integer_kernels.gradients(towards, spikes.counts, spikes.unit, weights, 2, (True, True))
            for mine, theirs in zip(gradients, (x.grad, right.grad), strict=True):
                assert mine is not None
                assert relative(mine, theirs) < 1e-5
    finally:
        torch.set_num_threads(threads)


def test_weights_before_their_quantisation_are_computed_with_in_8_bits_where_gradients_are_bf16() -> None:
    torch.manual_seed(0)
    spikes = random_counts(3, 16, 8, 4)
    weight = torch.randn(24, 16, 3, 3)
    weight[5] = 0.0
    x = (spikes.counts.float() / 4).requires_grad_()
    right = weight.clone().requires_grad_()
    expected = F.conv2d(x, right, padding=1)
    towards = torch.randn(expected.shape).contiguous(memory_format=torch.channels_last)
    expected.backward(towards)
    errors = []
    for half in (False, True):
        values = weight.clone().requires_grad_()
        spikes.carrier.grad = None
        found = count_convolution(spikes, Weights(values, None), 1, half).values()[0]
        found.backward(towards)
        assert values.grad is not None and right.grad is not None
        assert spikes.carrier.grad is not None and x.grad is not None
        assert not found[:, 5].any()
        errors.append(relative(found, expected))
        assert relative(values.grad, right.grad) < 0.01
        assert relative(spikes.carrier.grad[0], x.grad) < 0.02
    assert errors[0] < 1e-6 < errors[1] < 0.02


def relative(found: Tensor, right: Tensor) -> float:
    return float((found.double() - right).norm() / right.norm())


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("mini", {}),
        ("vgg7", {"width": 0.125, "image_size": 16}),
        ("resnet20", {"width": 0.25, "image_size": 16}),
        ("preresnet20", {"width": 0.25, "image_size": 16}),
        ("mlp", {"hidden": [32, 16]}),
        ("vgg11", {"width": 0.125, "image_size": 32, "weight_bits": 8}),
    ],
)
def test_networks_by_kernels_equal_the_plain_ones(model: str, options: dict[str, object]) -> None:
    made = network(model, gradients="exact", **options)
    randomise_norms(made)
    other = copy.deepcopy(made).double()
    other.use_rates(True)
    made.use_rates(True)
    made.use_kernels(True)
    side = made.input_shape[0]
    torch.manual_seed(1)
    images = torch.rand(6, 1, side, side)
    labels = torch.arange(6)
    found, right = made(images), other(images.double())
    # A current within rounding of a step changes a count; a few of many thousands do.
    assert relative(found.detach(), right.detach()) < 0.02
    F.cross_entropy(found, labels).backward()
    F.cross_entropy(right, labels).backward()
    for (name, mine), (_, theirs) in zip(made.named_parameters(), other.named_parameters(), strict=True):
        if mine.grad is not None and theirs.grad is not None and theirs.grad.norm() > 1e-6:
            assert relative(mine.grad, theirs.grad) < 0.1, name


def test_recorded_activity_of_kernels_equals_that_of_plain_rates() -> None:
    made = network("mini", image_size=16)
    other = copy.deepcopy(made).double()
    for one in (made, other):
        one.use_rates(True)
        for layer in one.spiking_layers():
            layer.record = True
    made.use_kernels(True)
    torch.manual_seed(1)
    images = torch.rand(8, 1, 16, 16)
    made(images)
    other(images.double())
    for mine, theirs in zip(made.spiking_layers(), other.spiking_layers(), strict=True):
        assert torch.allclose(mine.potential, theirs.potential, rtol=1e-3)
        assert torch.allclose(mine.spike_count, theirs.spike_count, rtol=0.01, atol=0.5)
        assert float(mine.samples) == float(theirs.samples) == 8


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"rate_epochs": 41}, "from 0 to the 40 epochs"),
        ({"rate_epochs": -1}, "rate_epochs is -1; it must be"),
        ({"rate_epochs": 3, "reset": "hard"}, "IF with hard reset"),
        ({"rate_epochs": 3, "neuron": "LIF"}, "LIF with soft reset"),
        ({"neuron": "LateIF", "reset": "hard"}, "LateIF neurons keep .*; use --reset soft"),
        ({"rate_epochs": 3, "dataset": "events-digits", "model": "dvs", "image_size": 32}, "step by step"),
        ({"rate_epochs": 3, "spiking_lr": 0.0}, "spiking_lr"),
    ],
)
def test_rates_that_no_training_could_use_are_rejected(options: dict[str, object], reason: str) -> None:
    with pytest.raises(TrainError, match=reason):
        apply_overrides(TrainConfig(), {**SOFT, **options}, "the test")
