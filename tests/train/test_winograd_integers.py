"""Winograd's tiles in integers beside PyTorch's convolution in float64: equal to the last bit."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sca_train.kernels import Weights, integers, library, winograd
from sca_train.kernels.functions import SpikeTrains, spike_convolution


def channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def random_weights(outputs: int, inputs: int, largest: int) -> Tensor:
    return torch.randint(-largest, largest + 1, (outputs, inputs, 3, 3), dtype=torch.int8)


def random_trains(timesteps: int, images: int, inputs: int, height: int, width: int) -> tuple[SpikeTrains, Tensor]:
    """Spike trains and the same spikes one by one, float64 [T * N, C, H, W]."""
    spikes = (torch.rand(timesteps, images, inputs, height, width) < 0.4).long()
    bits = (spikes << torch.arange(timesteps).reshape(-1, 1, 1, 1, 1)).sum(0)
    trains = channels_last(bits.to(torch.uint8 if timesteps <= 8 else torch.int32))
    return SpikeTrains(trains, torch.zeros(1).expand(spikes.shape)), spikes.flatten(0, 1).double()


def assert_exact(found: Tensor, maps: Tensor, weights: Tensor, scales: Tensor) -> None:
    """The sums' only rounding is that of a sum to float32 and of its product with the scale."""
    sums = F.conv2d(maps.double(), weights.double(), padding=1)
    assert torch.equal(found, sums.float() * scales.reshape(-1, 1, 1))


SIZES = {
    "images": st.integers(1, 5), "inputs": st.integers(1, 70), "outputs": st.integers(1, 70),
    "height": st.integers(1, 13), "width": st.integers(1, 13), "largest": st.sampled_from([1, 7, 127]),
}  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(most=st.sampled_from([1, 4, 16]), **SIZES)
def test_sums_of_counts_are_exact(
    images: int, inputs: int, outputs: int, height: int, width: int, largest: int, most: int
) -> None:
    torch.manual_seed(inputs * outputs)
    counts = channels_last(torch.randint(0, most + 1, (images, inputs, height, width), dtype=torch.uint8))
    weights, scales = random_weights(outputs, inputs, largest), torch.rand(outputs)
    shape = library.convolution_shape(1, counts, weights, 1)
    assert_exact(winograd.integer_convolution(shape, counts, weights, scales), counts, weights, scales)


@settings(max_examples=60, deadline=None)
@given(timesteps=st.sampled_from([1, 2, 4, 7, 8, 9, 20, 32]), **SIZES)
def test_sums_of_spikes_are_exact(
    images: int, inputs: int, outputs: int, height: int, width: int, largest: int, timesteps: int
) -> None:
    torch.manual_seed(inputs * outputs)
    packed, spikes = random_trains(timesteps, images, inputs, height, width)
    weights, scales = random_weights(outputs, inputs, largest), torch.rand(outputs)
    shape = library.convolution_shape(timesteps, packed.trains, weights, 1)
    found = winograd.spike_integer_convolution(shape, packed.trains, weights, scales)
    assert_exact(found, spikes, weights, scales)


@pytest.mark.usefixtures("_every_vector")
@pytest.mark.parametrize("timesteps", [4, 20])
@pytest.mark.parametrize(("inputs", "outputs"), [(5, 7), (64, 64), (33, 130)])
def test_sums_are_exact_by_vectors_of_every_length(inputs: int, outputs: int, timesteps: int) -> None:
    torch.manual_seed(0)
    packed, spikes = random_trains(timesteps, 2, inputs, 6, 9)
    counts = channels_last(torch.randint(0, 5, (2, inputs, 6, 9), dtype=torch.uint8))
    weights, scales = random_weights(outputs, inputs, 127), torch.rand(outputs)
    shape = library.convolution_shape(timesteps, packed.trains, weights, 1)
    assert_exact(winograd.spike_integer_convolution(shape, packed.trains, weights, scales), spikes, weights, scales)
    shape = library.convolution_shape(1, counts, weights, 1)
    assert_exact(winograd.integer_convolution(shape, counts, weights, scales), counts, weights, scales)


@pytest.mark.parametrize("weight", [127, -128])
def test_the_largest_sums_that_fit_are_exact_and_larger_ones_do_not_suit(weight: int) -> None:
    fitting = winograd.INT32_MAX // (9 * 255 * abs(weight) * winograd.INTEGER_SCALE)
    for inputs in (fitting, fitting + 1):
        counts = channels_last(torch.full((20, inputs, 16, 16), 255, dtype=torch.uint8))
        weights = torch.full((8, inputs, 3, 3), weight, dtype=torch.int8)
        shape = library.convolution_shape(1, counts, weights, 1)
        assert winograd.suits_integers(shape, 255, weights) == (inputs == fitting)
        if inputs == fitting:
            ones = torch.ones(8)
            assert_exact(winograd.integer_convolution(shape, counts, weights, ones), counts, weights, ones)


def test_other_kernels_and_few_tiles_do_not_suit() -> None:
    for images, kernel, stride, suits in ((12, 3, 1, True), (11, 3, 1, False), (12, 5, 1, False), (12, 3, 2, False)):
        counts = torch.zeros((images, 16, 16, 16), dtype=torch.uint8)
        weights = torch.ones((8, 16, kernel, kernel), dtype=torch.int8)
        shape = library.convolution_shape(1, counts, weights, stride)
        assert winograd.suits_integers(shape, 4, weights) == suits


@pytest.mark.parametrize("multiplies", [False, True])
def test_layers_take_them_where_8_bit_products_have_no_instruction(
    multiplies: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not integers.computes_int8():
        pytest.skip("this torch has no 8-bit convolutions to compare with")
    torch.manual_seed(0)
    taken = []

    def watch(name: str) -> None:
        original = getattr(winograd, name)
        monkeypatch.setattr(winograd, name, lambda *arguments: taken.append(name) or original(*arguments))

    watch("integer_convolution")
    watch("spike_integer_convolution")
    monkeypatch.setattr(integers, "multiplies_int8", lambda: multiplies)
    monkeypatch.setattr(library.library(), "spike_convolution", None)  # spikes this many are not added one by one
    values = random_weights(24, 32, 7)
    weights = Weights(values * 0.25, torch.full((24, 1, 1, 1), 0.25))
    counts = channels_last(torch.randint(0, 5, (16, 32, 16, 16), dtype=torch.uint8))
    packed, spikes = random_trains(4, 16, 32, 16, 16)
    found = integers.integer_convolution(counts, 0.25, weights, 1)
    assert_exact(found, counts, values, torch.full((24,), 0.0625))
    assert_exact(spike_convolution(packed, weights, 1), spikes, values, torch.full((24,), 0.25))
    assert taken == ([] if multiplies else ["integer_convolution", "spike_integer_convolution"])
