"""The event-driven kernels beside the reference: PyTorch's convolution and batch norm, SpikingJelly's neurons."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from spikingjelly.activation_based import neuron as sj_neuron
from spikingjelly.activation_based import surrogate
from torch import Tensor, nn

from sca_train.errors import TrainError
from sca_train.kernels import Weights, amx, functions, library, winograd
from sca_train.kernels.counts import Counts, count_spikes
from sca_train.kernels.dense import DenseWay, dense_way
from sca_train.kernels.functions import Neuron, SpikeTrains, neurons, spike_convolution

ALPHA = 4.0


def pack(spikes: Tensor) -> SpikeTrains:
    """Trains of float spikes [T, N, C, H, W], with a carrier that collects the gradient."""
    weights = torch.tensor([1 << t for t in range(len(spikes))], dtype=torch.int64)
    trains = (spikes.long() * weights.reshape(-1, 1, 1, 1, 1)).sum(0)
    kind = torch.uint8 if len(spikes) <= 8 else torch.int32
    trains = trains.to(kind).contiguous(memory_format=torch.channels_last)
    return SpikeTrains(trains, torch.zeros(spikes.shape, requires_grad=True))


def random_spikes(*shape: int, rate: float = 0.3) -> Tensor:
    return (torch.rand(*shape) < rate).float()


@pytest.mark.usefixtures("_every_vector")
@pytest.mark.parametrize(
    ("timesteps", "inputs", "outputs", "size", "kernel", "stride"),
    [
        (4, 5, 7, 6, 3, 1),
        (4, 64, 64, 4, 3, 1),
        (1, 3, 40, 5, 3, 2),
        (6, 17, 72, 4, 1, 2),
        (20, 9, 130, 3, 3, 1),
        (4, 16, 8, 7, 5, 2),
    ],
)
def test_spike_convolution_equals_pytorchs(
    timesteps: int, inputs: int, outputs: int, size: int, kernel: int, stride: int
) -> None:
    torch.manual_seed(timesteps * outputs)
    spikes = random_spikes(timesteps, 3, inputs, size, size)
    weight = torch.randn(outputs, inputs, kernel, kernel, requires_grad=True)
    packed = pack(spikes)
    found = spike_convolution(packed, Weights(weight, None), stride)
    x = spikes.flatten(0, 1).double().requires_grad_()
    plain_weight = weight.detach().double().requires_grad_()
    expected = F.conv2d(x, plain_weight, stride=stride, padding=kernel // 2)
    # Tiles round more than sums of events do; this is the error of either, against the largest sum.
    assert relative_error(found.detach(), expected.detach()) < 2e-5
    towards = torch.randn(expected.shape)
    found.backward(towards)
    expected.backward(towards.double())
    assert weight.grad is not None and plain_weight.grad is not None and x.grad is not None
    assert torch.allclose(weight.grad.double(), plain_weight.grad, rtol=1e-4, atol=1e-3)
    assert packed.carrier.grad is not None
    assert torch.allclose(packed.carrier.grad.flatten(0, 1).double(), x.grad, rtol=1e-4, atol=1e-3)
    assert torch.equal(packed.spikes(), spikes)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize(("inputs", "outputs", "rate"), [(64, 64, 0.5), (64, 48, 0.02), (5, 7, 0.5)])
def test_quantised_weights_are_convolved_exactly_whichever_way(
    inputs: int, outputs: int, rate: float, half: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Rounding to bf16 is left out where it gains nothing; here it computes on every processor.
    monkeypatch.setattr(functions, "computes_bf16_tiles", lambda: True)
    torch.manual_seed(outputs)
    spikes = random_spikes(4, 3, inputs, 8, 8, rate=rate)
    scale = 2.0 ** torch.randint(-6, 0, (outputs, 1, 1, 1)).float()
    integers = torch.randint(-7, 8, (outputs, inputs, 3, 3))
    weight = (integers * scale).requires_grad_()
    packed = pack(spikes)
    found = spike_convolution(packed, Weights(weight, scale), 1, half)
    x = spikes.flatten(0, 1).double().requires_grad_()
    plain_weight = weight.detach().double().requires_grad_()
    expected = F.conv2d(x, plain_weight, padding=1)
    assert torch.equal(found.double(), expected.detach())
    towards = torch.randn(expected.shape)
    found.backward(towards)
    expected.backward(towards.double())
    assert weight.grad is not None and plain_weight.grad is not None and x.grad is not None
    assert packed.carrier.grad is not None
    for mine, theirs in ((weight.grad, plain_weight.grad), (packed.carrier.grad.flatten(0, 1), x.grad)):
        assert float((mine.double() - theirs).norm() / theirs.norm()) < (0.01 if half else 1e-4)


def relative_error(found: Tensor, expected: Tensor) -> float:
    return float((found.double() - expected).abs().max() / expected.abs().max())


@pytest.mark.usefixtures("_every_vector")
@pytest.mark.parametrize(
    ("timesteps", "inputs", "outputs", "height", "width"),
    [(4, 5, 7, 6, 9), (12, 37, 24, 5, 4), (4, 64, 64, 8, 8), (1, 1, 1, 4, 4), (4, 130, 33, 7, 8), (3, 16, 300, 11, 3)],
)
def test_winograd_equals_pytorchs_convolution_in_float64(
    timesteps: int, inputs: int, outputs: int, height: int, width: int
) -> None:
    errors = dense_errors(winograd, timesteps, 3, inputs, outputs, height, width, 3)
    assert max(errors) < 5e-5


@pytest.mark.usefixtures("_every_vector")
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("inputs", "outputs", "height", "width"), [(5, 7, 6, 9), (64, 64, 8, 8), (1, 1, 4, 4), (130, 33, 7, 8)]
)
def test_winograds_gradients_of_counts_equal_pytorchs_in_float64(
    inputs: int, outputs: int, height: int, width: int, kind: torch.dtype
) -> None:
    torch.manual_seed(inputs * outputs)
    counts = torch.randint(0, 256, (3, inputs, height, width), dtype=torch.uint8)
    counts = counts.contiguous(memory_format=torch.channels_last)
    weight = torch.randn(outputs, inputs, 3, 3)
    gradient = torch.randn(3, outputs, height, width).to(kind).contiguous(memory_format=torch.channels_last)
    shape = library.convolution_shape(1, counts, weight, 1)
    of_counts, of_weight = (
        winograd.input_gradient(shape, gradient, weight), winograd.count_weight_gradient(shape, counts, gradient)
    )  # fmt: skip
    if kind == torch.bfloat16:
        exactly = winograd.input_gradient(shape, gradient.float(), weight)
        assert torch.equal(of_counts, exactly.bfloat16())
        of_counts = exactly
    x, plain_weight = counts.double().requires_grad_(), weight.double().requires_grad_()
    F.conv2d(x, plain_weight, padding=1).backward(gradient.double())
    for mine, theirs in zip((of_counts, of_weight), (x.grad, plain_weight.grad), strict=True):
        assert theirs is not None
        assert relative_error(mine, theirs) < 5e-5


def dense_errors(
    way: DenseWay, timesteps: int, images: int, inputs: int, outputs: int, height: int, width: int, kernel: int
) -> list[float]:
    """Relative errors of a way's sums and its gradients of inputs and weights against PyTorch's in float64."""
    torch.manual_seed(inputs * outputs)
    spikes = random_spikes(timesteps, images, inputs, height, width, rate=0.4)
    weight = torch.randn(outputs, inputs, kernel, kernel)
    gradient = torch.randn(timesteps * images, outputs, height, width).contiguous(memory_format=torch.channels_last)
    found = results(way, spikes, weight, gradient)
    expected = plain_results(spikes, weight, gradient)
    return [relative_error(one, other) for one, other in zip(found, expected, strict=True)]


def results(way: DenseWay, spikes: Tensor, weight: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sums of spikes [T, N, C, H, W] and the gradients of inputs and weights from that of the sums."""
    timesteps, images, inputs, *size = spikes.shape
    shape = library.ConvolutionShape(timesteps, images, *size, inputs, len(weight), weight.shape[2], 1, *size)
    trains = pack(spikes).trains
    return (
        way.convolution(shape, trains, weight),
        way.input_gradient(shape, gradient, weight),
        way.weight_gradient(shape, trains, gradient),
    )


def plain_results(spikes: Tensor, weight: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sums and the gradients of inputs and weights in float64, as PyTorch computes them."""
    x = spikes.flatten(0, 1).double().requires_grad_()
    plain_weight = weight.double().requires_grad_()
    sums = F.conv2d(x, plain_weight, padding=weight.shape[2] // 2)
    sums.backward(gradient.double())
    assert x.grad is not None and plain_weight.grad is not None
    return sums.detach(), x.grad, plain_weight.grad


def needs_matrix_tiles() -> None:
    if not amx.available():
        pytest.skip("this processor has no AMX tiles (Intel)")


@pytest.mark.parametrize(
    ("timesteps", "images", "inputs", "outputs", "height", "width", "kernel"),
    [
        (4, 64, 64, 64, 8, 8, 3),
        (20, 5, 13, 17, 32, 32, 3),
        (8, 5, 33, 48, 1, 1, 3),
        (4, 9, 40, 40, 6, 6, 5),
        (4, 9, 40, 40, 6, 6, 1),
        (3, 3, 16, 300, 11, 3, 3),
    ],
)
def test_matrix_tiles_equal_pytorchs_convolution_in_float64(
    timesteps: int, images: int, inputs: int, outputs: int, height: int, width: int, kernel: int
) -> None:
    needs_matrix_tiles()
    assert max(dense_errors(amx, timesteps, images, inputs, outputs, height, width, kernel)) < 2e-5


@settings(max_examples=40, deadline=None)
@given(
    timesteps=st.sampled_from([1, 2, 4, 7, 8, 9, 20, 32]),
    images=st.integers(1, 20),
    channels=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    kernel=st.sampled_from([1, 3, 5]),
)
def test_matrix_tiles_of_any_shape(
    timesteps: int, images: int, channels: tuple[int, int], size: tuple[int, int], kernel: int
) -> None:
    """Two bf16 leave out 2^-16 of a float, and what they leave out of both factors and the product of the low parts is
    3 * 2^-16 of a product of floats; the rest of the bounds is for the float32 in which products are added up."""
    needs_matrix_tiles()
    torch.manual_seed(0)
    inputs, outputs = channels
    spikes = random_spikes(timesteps, images, inputs, *size, rate=0.4)
    weight = torch.randn(outputs, inputs, kernel, kernel)
    gradient = torch.randn(timesteps * images, outputs, *size).contiguous(memory_format=torch.channels_last)
    found = results(amx, spikes, weight, gradient)
    expected, magnitudes = plain_results(spikes, weight, gradient), plain_results(spikes, weight.abs(), gradient.abs())
    bounds = (2.0**-15, 2.0**-14, 2.0**-15)
    for one, other, magnitude, bound in zip(found, expected, magnitudes, bounds, strict=True):
        assert bool(((one.double() - other).abs() <= bound * magnitude).all())


def test_counts_are_those_of_the_trains() -> None:
    spikes = random_spikes(12, 3, 5, 4, 4)
    trains = pack(spikes).trains
    assert count_spikes(trains) == Counts(int(spikes.sum()), int((trains != 0).sum()))


def test_dense_spikes_go_by_tiles_and_sparse_ones_by_events() -> None:
    shape = library.ConvolutionShape(4, 2, 8, 8, 16, 16, 3, 1, 8, 8)
    neurons_in = 2 * 8 * 8 * 16
    dense, sparse = (Counts(int(4 * neurons_in * rate), int(neurons_in * 2 * rate)) for rate in (0.4, 0.05))
    assert winograd.beats_events(shape, dense) and winograd.gradient_beats_events(shape, dense)
    assert not winograd.beats_events(shape, sparse) and not winograd.gradient_beats_events(shape, sparse)
    for kernel, stride, size in ((1, 1, 8), (3, 2, 8), (5, 1, 8), (3, 1, 2)):
        other = library.ConvolutionShape(4, 2, size, size, 16, 16, kernel, stride, size, size)
        assert not winograd.suits(other)


@pytest.mark.parametrize("there", [False, True])
def test_matrix_tiles_come_first_where_the_processor_has_them(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amx, "available", lambda: there)
    ways = [
        dense_way(library.ConvolutionShape(4, 4, 8, 8, 16, 16, kernel, stride, 8 // stride, 8 // stride))
        for kernel, stride in ((3, 1), (5, 1), (3, 2))
    ]
    assert ways == ([amx, amx, None] if there else [winograd, None, None])
    for images in (3, 1):
        shape = library.ConvolutionShape(4, images, 8, 8, 16, 16, 3, 1, 8, 8)
        assert dense_way(shape) is winograd


@pytest.mark.parametrize(("channels", "rate", "tiles"), [(128, 0.2, True), (128, 0.01, False), (16, 0.01, True)])
def test_matrix_tiles_beat_spikes_that_are_many_or_whose_outputs_are_few(
    channels: int, rate: float, tiles: bool
) -> None:
    shape = library.ConvolutionShape(4, 8, 8, 8, channels, channels, 3, 1, 8, 8)
    neurons_in = 8 * 8 * 8 * channels
    counts = Counts(int(4 * neurons_in * rate), int(4 * neurons_in * rate))
    assert amx.beats_events(shape, counts) == tiles
    assert amx.gradient_beats_events(shape, counts) == (tiles and channels > 16)


def plain_neurons(
    sums: Tensor, norm: nn.Module, node: sj_neuron.BaseNode, mask: Tensor, pool: int, timesteps: int, static: bool,
    regrow: bool, v_init: float,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """The same layer from stock parts: pooled spikes [T, N, C, H, W], potentials before reset, spikes before mask."""
    current = norm(sums)
    current = torch.stack([current] * timesteps) if static else current.unflatten(0, (timesteps, -1))
    node.reset()
    node.v = v_init
    potentials, trains = [], []
    for step in current:  # SpikingJelly step by step, to see the potential before the reset
        carried = node.v
        lif = isinstance(node, sj_neuron.LIFNode)
        potentials.append(carried + (step - carried) / node.tau if lif else carried + step)
        trains.append(node(step))
    spikes = torch.stack(trains)
    per_channel = mask.reshape(-1, 1, 1)
    masked = spikes * per_channel
    if regrow:
        masked = masked + (1 - per_channel) * (spikes - spikes.detach())
    pooled = F.max_pool2d(masked.flatten(0, 1), pool) if pool > 1 else masked.flatten(0, 1)
    return pooled.unflatten(0, (timesteps, -1)), torch.stack(potentials), spikes


@pytest.mark.usefixtures("_every_vector")
@pytest.mark.parametrize("kind", ["IF", "LIF"])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize(
    ("pool", "static", "regrow"), [(1, False, True), (2, False, False), (2, True, True), (5, False, True)]
)
@pytest.mark.parametrize(("timesteps", "channels", "v_init"), [(4, 37, 0.5), (12, 8, 0.0)])
def test_neurons_equal_spikingjellys(
    kind: str, soft: bool, pool: int, static: bool, regrow: bool, timesteps: int, channels: int, v_init: float
) -> None:
    torch.manual_seed(channels + timesteps)
    rows = 3 if static else 3 * timesteps
    side = 2 * pool if pool > 2 else 6
    sums = torch.randn(rows, channels, side, side, requires_grad=True)
    plain_sums = sums.detach().double().requires_grad_()
    norm = nn.BatchNorm2d(channels)
    nn.init.normal_(norm.weight, 1.0, 0.3)
    nn.init.normal_(norm.bias, 0.2, 0.3)
    plain_norm = copy.deepcopy(norm).double()
    mask = (torch.rand(channels) < 0.7).float()
    reset = None if soft else 0.0
    sigmoid = surrogate.Sigmoid(alpha=ALPHA)
    if kind == "IF":
        node: sj_neuron.BaseNode = sj_neuron.IFNode(1.0, reset, sigmoid, detach_reset=True)
        neuron = Neuron(1.0, 1.0, 1.0, ALPHA, soft, v_init)
    else:
        node = sj_neuron.LIFNode(4.0, True, 1.0, reset, sigmoid, detach_reset=True)
        neuron = Neuron(0.75, 0.25, 1.0, ALPHA, soft, v_init)
    packed, activity = neurons(sums, norm, neuron, mask, pool, timesteps, static, regrow=regrow)
    expected, potentials, spikes = plain_neurons(
        plain_sums, plain_norm, node, mask.double(), pool, timesteps, static, regrow, v_init
    )
    found = packed.spikes()
    # A potential within a rounding error of its threshold may spike in one precision and not in the other.
    assert float((found != expected).double().mean()) < 1e-3
    assert torch.allclose(activity.potential, potentials.abs().sum((0, 1, 3, 4)), rtol=1e-3)
    assert torch.allclose(activity.spikes, spikes.sum((0, 1, 3, 4)), atol=2)
    assert torch.allclose(norm.running_mean.double(), plain_norm.running_mean, atol=1e-5)
    assert torch.allclose(norm.running_var.double(), plain_norm.running_var, atol=1e-5)
    towards = torch.randn(found.shape)
    found.backward(towards)
    expected.backward(towards.double())
    assert sums.grad is not None and plain_sums.grad is not None
    assert torch.allclose(sums.grad.double(), plain_sums.grad, rtol=1e-3, atol=1e-4)
    for one, other in ((norm.weight, plain_norm.weight), (norm.bias, plain_norm.bias)):
        assert one.grad is not None and other.grad is not None
        assert torch.allclose(one.grad.double(), other.grad, rtol=1e-3, atol=2e-3)


def test_rate_weight_is_the_gradient_of_the_mean_firing_rate() -> None:
    torch.manual_seed(3)
    sums = torch.randn(8, 5, 4, 4, requires_grad=True)
    plain_sums = sums.detach().clone().requires_grad_()
    mask = torch.tensor([1.0, 0.0, 1.0, 1.0, 1.0])
    neuron = Neuron(1.0, 1.0, 1.0, ALPHA, False)
    packed, _ = neurons(sums, nn.BatchNorm2d(5), neuron, mask, 2, 4, False, rate_weight=0.5)
    packed.spikes().backward(torch.zeros(4, 2, 5, 2, 2))
    node = sj_neuron.IFNode(1.0, 0.0, surrogate.Sigmoid(alpha=ALPHA), detach_reset=True, step_mode="m")
    spikes = node(nn.BatchNorm2d(5)(plain_sums).unflatten(0, (4, 2)))
    (0.5 * (spikes * mask.reshape(-1, 1, 1)).sum() / spikes.numel()).backward()
    assert sums.grad is not None and plain_sums.grad is not None
    assert torch.allclose(sums.grad, plain_sums.grad, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("rate", [0.01, 0.5])
def test_results_do_not_depend_on_the_number_of_threads(threads: int, rate: float) -> None:
    before = torch.get_num_threads()
    results = []
    for count in (threads, 1):
        torch.set_num_threads(count)
        torch.manual_seed(0)
        packed = pack(random_spikes(4, 9, 16, 8, 8, rate=rate))
        weight = torch.randn(96, 16, 3, 3, requires_grad=True)
        sums = spike_convolution(packed, Weights(weight, None), 1)
        norm = nn.BatchNorm2d(96)
        out, activity = neurons(sums, norm, Neuron(1.0, 1.0, 1.0, ALPHA, False), torch.ones(96), 2, 4, False)
        out.spikes().backward(torch.randn(4, 9, 96, 4, 4))
        results.append((weight.grad, packed.carrier.grad, norm.weight.grad, activity.potential, out.trains))
    torch.set_num_threads(before)
    assert all(torch.equal(*pair) for pair in zip(*results, strict=True))  # type: ignore[arg-type]


def test_evaluation_uses_the_running_statistics() -> None:
    torch.manual_seed(1)
    norm = nn.BatchNorm2d(6)
    nn.init.uniform_(norm.running_mean)
    nn.init.uniform_(norm.running_var, 0.5, 2.0)
    norm.eval()
    sums = torch.randn(8, 6, 4, 4)
    with torch.no_grad():
        packed, _ = neurons(sums, norm, Neuron(1.0, 1.0, 1.0, ALPHA, False), torch.ones(6), 1, 4, False)
        node = sj_neuron.IFNode(1.0, 0.0, step_mode="m")
        expected = node(norm(sums).unflatten(0, (4, 2)))
        assert float((packed.spikes() != expected).float().mean()) < 1e-3


def test_a_missing_compiler_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    library.library.cache_clear()
    monkeypatch.setenv("CXX", str(tmp_path / "no-such-compiler"))
    try:
        with pytest.raises(TrainError, match=r"need a C\+\+ compiler.*--kernels off"):
            library.library()
    finally:
        library.library.cache_clear()
