"""Rate-equivalent layers as autograd functions: spike counts in place of float rates, and convolutions of integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from sca_train.kernels.functions import (
    Activity,
    Neuron,
    Settings,
    channels_last,
    layer_shape,
    moments,
    norm_gradient,
    running,
)
from sca_train.kernels.integers import Weights, eight_bit_weights, gradients, integer_convolution
from sca_train.kernels.library import call

MAX_COUNT = 255


@dataclass(frozen=True)
class SpikeCounts:
    """Spikes of all steps ``counts`` uint8 [N, C, H, W], channels last; one of them is a rate of ``unit``.

    ``carrier`` has the shape of the rates, [1, N, C, H, W], but no memory of its own: it only carries the gradient.
    """

    counts: Tensor
    unit: float
    carrier: Tensor

    def rates(self) -> Tensor:
        """Spikes per step, float32 [1, N, C, H, W]."""
        result: Tensor = _Rates.apply(self.carrier, self.counts, self.unit)
        return result


@dataclass(frozen=True)
class CountSums:
    """Sums float32 [N, C, H, W], channels last, of a convolution of spike counts.

    ``carrier`` [1, N, C, H, W], without memory of its own, carries the gradient of the sums divided by ``steps`` [C],
    the value of one integer step; of the sums themselves where there are none.
    """

    sums: Tensor
    steps: Tensor | None
    carrier: Tensor

    def values(self) -> Tensor:
        """The sums [1, N, C, H, W] as a tensor like any other."""
        result: Tensor = _Values.apply(self.carrier, self.sums, self.steps)
        return result


def count_neurons(
    sums: Tensor | CountSums, norm: nn.Module, neuron: Neuron, mask: Tensor, pool: int, timesteps: int,
    *, average: bool = False, regrow: bool = False, rate_weight: float = 0.0, record: bool = True, half: bool = False,
) -> tuple[SpikeCounts, Activity]:  # fmt: skip
    """Batch norm, rounding to spike counts, channel mask and pooling of sums [N, C, H, W].

    The neurons are IF with soft reset. ``average`` pools by the mean instead of the maximum, ``half`` takes gradients
    in bf16; for the rest see ``functions.neurons``. The recorded activity is averaged over the steps.
    """
    settings = Settings(norm, neuron, mask, pool, timesteps, regrow, rate_weight, record, half, average=average)
    if isinstance(sums, CountSums):
        differentiable, values, steps = sums.carrier, sums.sums, sums.steps
    else:
        differentiable, values, steps = sums.unsqueeze(0), sums.detach(), None
    carrier, counts = _CountNeurons.apply(differentiable, values, steps, norm.weight, norm.bias, settings)
    assert settings.activity is not None
    unit = 1.0 / (timesteps * (pool**2 if average else 1))
    return SpikeCounts(counts, unit, carrier), settings.activity


def count_convolution(
    spikes: SpikeCounts, weights: Weights, stride: int, half: bool, kept: Tensor | None = None
) -> CountSums:
    """Sums of spike counts and weights with padding k // 2, exact in the integers.

    With ``half`` the gradient of the sums is rounded once to bf16, and so are the gradients that follow from it;
    weights that are not quantised yet are computed with in 8 bits. The gradient of the counts is that through the
    outputs that are ``kept`` [out], all without it.
    """
    if half and weights.scale is None:
        weights = eight_bit_weights(weights.values)
    steps = weights.scales() if half else None
    carrier, sums = _CountConvolution.apply(
        spikes.carrier, spikes.counts, weights.values, weights.scale, spikes.unit, stride, half, kept
    )
    return CountSums(sums, steps, carrier)


class _CountNeurons(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, _: Tensor, sums: Tensor, steps: Tensor | None, gamma: Tensor, beta: Tensor, settings: Settings
    ) -> tuple[Tensor, Tensor]:
        sums = channels_last(sums)
        images, channels, height, width = sums.shape
        timesteps, pool, neuron = settings.timesteps, settings.pool, settings.neuron
        shape = layer_shape(neuron, timesteps, images, height, width, channels, pool, static=True)
        training = settings.norm.training
        mean, variance, count = moments(sums, settings.norm) if training else running(settings.norm)
        deviation = torch.sqrt(variance + cast(float, settings.norm.eps))
        # From a sum to T * current / threshold + v_init.
        rise = timesteps / neuron.threshold
        scale = gamma.detach().double() / deviation
        shift = (beta.detach().double() - mean * scale) * rise + neuron.v_init
        line = (scale * rise).float(), shift.float()
        mask = settings.mask.float().contiguous()
        counts = torch.empty(
            (images, channels, height // pool, width // pool), dtype=torch.uint8, memory_format=torch.channels_last
        )
        tallies = torch.zeros((2, images, channels), dtype=torch.float64)
        recorded = tallies if settings.record else (None, None)
        call("rate_forward", shape, neuron.v_init, int(settings.average), sums, *line, mask, counts, *recorded)
        potential, spikes = tallies.sum(1) / timesteps
        settings.activity = Activity(potential * neuron.threshold, spikes)
        ctx.save_for_backward(sums, steps, gamma, *line, mask, mean, deviation)
        ctx.settings, ctx.shape, ctx.count, ctx.training = settings, shape, count, training
        ctx.mark_non_differentiable(counts)
        ctx.set_materialize_grads(False)
        return settings.carrier(1, *counts.shape), counts

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: None) -> tuple[Tensor, None, None, Tensor, Tensor, None]:
        sums, steps, gamma, scale, shift, mask, mean, deviation = ctx.saved_tensors
        shape, settings = ctx.shape, ctx.settings
        gradient = gradient.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        passing = (
            settings.neuron.v_init, int(settings.average), int(settings.regrow),
            settings.rate_weight / (shape.images * shape.height * shape.width * shape.channels),
            sums, scale, shift, mask, gradient, gradient.element_size(),
        )  # fmt: skip
        partial = torch.empty((shape.images, 2, shape.channels), dtype=torch.float64)
        call("rate_gradient_sums", shape, *passing, mean, deviation, partial)
        norm = norm_gradient(partial, gamma, deviation, ctx.training, ctx.count)
        result = torch.empty_like(sums, dtype=torch.float32 if steps is None else torch.bfloat16)
        factor = (norm.factor if steps is None else norm.factor * steps).float()
        line = factor, norm.offset, norm.slope, mean.float()
        call("rate_backward", shape, *passing, *line, result, result.element_size())
        return result.unsqueeze(0), None, None, norm.gamma.to(gamma.dtype), norm.beta.to(gamma.dtype), None


class _CountConvolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, carrier: Tensor, counts: Tensor, weight: Tensor, scale: Tensor | None, unit: float, stride: int,
        half: bool, kept: Tensor | None,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        ctx.save_for_backward(counts, weight, scale, kept)
        ctx.unit, ctx.stride = unit, stride
        sums = integer_convolution(counts, unit, Weights(weight, scale), stride)
        ctx.mark_non_differentiable(sums)
        ctx.set_materialize_grads(False)
        return torch.zeros(1, dtype=torch.bfloat16 if half else torch.float32).expand(1, *sums.shape), sums

    @staticmethod
    def backward(
        ctx: Any, gradient: Tensor, _: None
    ) -> tuple[Tensor | None, None, Tensor | None, None, None, None, None, None]:
        counts, weight, scale, kept = ctx.saved_tensors
        needed = ctx.needs_input_grad[0], ctx.needs_input_grad[2]
        towards = gradient.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        of_rates, of_weight = gradients(towards, counts, ctx.unit, Weights(weight, scale), ctx.stride, needed, kept)
        of_carrier = of_rates.unsqueeze(0) if of_rates is not None else None
        return of_carrier, None, of_weight, None, None, None, None, None


class _Values(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, carrier: Tensor, sums: Tensor, steps: Tensor | None) -> Tensor:
        ctx.save_for_backward(steps)
        ctx.kind = carrier.dtype
        return sums.unsqueeze(0).clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (steps,) = ctx.saved_tensors
        scaled = gradient if steps is None else gradient * steps.reshape(-1, 1, 1)
        return scaled.to(ctx.kind), None, None


class _Rates(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, carrier: Tensor, counts: Tensor, unit: float) -> Tensor:
        ctx.kind = carrier.dtype
        return (counts.float() * unit).unsqueeze(0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient.to(ctx.kind), None, None
