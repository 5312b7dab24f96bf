"""The kernels as autograd functions: what a spiking layer computes, with spike trains in place of float spikes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.grad import conv2d_input

from sca_train.kernels import winograd
from sca_train.kernels.counts import Counts, count_spikes
from sca_train.kernels.dense import DenseWay, dense_way
from sca_train.kernels.integers import (
    Weights,
    computes_bf16_tiles,
    gradients,
    int8_convolution,
    int8_integers,
    of_kept,
    rounded_gradient,
    suits_tiles,
)
from sca_train.kernels.library import (
    ConvolutionShape,
    LayerShape,
    call,
    convolution_shape,
    empty_maps,
    vector_floats,
    weight_rows,
    weights_of_rows,
)
from sca_train.parallel import move_running_values, sum_over_ranks

BYTE_STEPS = 8
PARTIAL_FLOATS = 1 << 22
"""Weight gradients that several runs of images add up apart may take so many floats together."""
MOST_PARTS = 16


@dataclass(frozen=True)
class SpikeTrains:
    """Spikes of T steps as integers ``trains`` [N, C, H, W] (uint8, int32 for T > 8; bit t is step t).

    ``carrier`` has the shape of the float spikes, [T, N, C, H, W], but no memory of its own: it only carries the
    gradient. Linear layers have H = W = 1.
    """

    trains: Tensor
    carrier: Tensor

    def spikes(self) -> Tensor:
        """Float spikes [T, N, C, H, W], channels last in memory."""
        result: Tensor = _Unpack.apply(self.carrier, self.trains)
        return result


@dataclass(frozen=True)
class Neuron:
    """What the neurons of a layer are: potential = keep * carried + gain * current, spikes where >= threshold.

    Potentials start at ``v_init`` thresholds.
    """

    keep: float
    gain: float
    threshold: float
    alpha: float
    soft_reset: bool
    v_init: float = 0.0

    @property
    def initial(self) -> float:
        """Potential before the first step."""
        return self.v_init * self.threshold


@dataclass
class Activity:
    """What a forward pass tells about each channel, float64 [C], summed over images, map and steps."""

    potential: Tensor
    """Sum of |membrane potential before reset|."""
    spikes: Tensor
    """Spikes before mask and pooling."""


def neurons(
    sums: Tensor, norm: nn.Module, neuron: Neuron, mask: Tensor, pool: int, timesteps: int, static: bool,
    *, regrow: bool = False, rate_weight: float = 0.0, record: bool = True, half: bool = False,
) -> tuple[SpikeTrains, Activity]:  # fmt: skip
    """Batch norm, neurons, channel mask and max pooling of sums [T * N, C, H, W] ([N, C, H, W] when ``static``).

    ``norm`` is a BatchNorm2d or 1d whose running statistics are updated as its own forward would. With ``regrow``
    gradients pass into masked channels. ``rate_weight`` times the mean firing rate is part of the loss. ``half`` takes
    gradients in bf16.
    """
    settings = Settings(norm, neuron, mask, pool, timesteps, regrow, rate_weight, record, half, static=static)
    carrier, trains = _Neurons.apply(sums, norm.weight, norm.bias, settings)
    assert settings.activity is not None
    return SpikeTrains(trains, carrier), settings.activity


def spike_convolution(
    spikes: SpikeTrains, weights: Weights, stride: int, half: bool = False, kept: Tensor | None = None
) -> Tensor:
    """Sums [T * N, out, H, W], channels last, of spikes and weights [out, in, k, k] with padding k // 2.

    With ``half`` the gradient of the sums is rounded once to bf16, on processors with AMX tiles for it: others do
    not gain by it. The gradient of the spikes is that through the outputs that are ``kept`` [out], all without it.
    """
    result: Tensor = _SpikeConvolution.apply(
        spikes.carrier, spikes.trains, weights.values, weights.scale, stride, half and computes_bf16_tiles(), kept
    )
    return result


@dataclass
class Settings:
    """What a layer's neurons do, and what their forward pass told; for the fields see ``neurons``.

    ``average``: pooling by the mean instead of the maximum.
    """

    norm: nn.Module
    neuron: Neuron
    mask: Tensor
    pool: int
    timesteps: int
    regrow: bool
    rate_weight: float
    record: bool
    half: bool
    static: bool = True
    average: bool = False
    activity: Activity | None = None

    def carrier(self, *shape: int) -> Tensor:
        """A tensor of that shape without memory of its own, in the precision of the gradient that it carries."""
        return torch.zeros(1, dtype=torch.bfloat16 if self.half else torch.float32).expand(shape)


@dataclass(frozen=True)
class NormGradient:
    """The gradients of batch norm's parameters [C], float64, and its own gradient as a line per channel.

    The gradient of a sum is factor * (gradient behind batch norm - offset - slope * (sum - mean)).
    """

    gamma: Tensor
    beta: Tensor
    factor: Tensor
    offset: Tensor
    slope: Tensor


def norm_gradient(partial: Tensor, gamma: Tensor, deviation: Tensor, training: bool, count: float) -> NormGradient:
    """From sums of the gradient behind batch norm, and of its product with the normalised sums, [N, 2, C]."""
    beta_gradient, gamma_gradient = partial.sum(0)
    totals = torch.stack([beta_gradient, gamma_gradient])
    if training:
        totals = sum_over_ranks(totals.clone()) / count
    else:
        totals.zero_()
    return NormGradient(
        gamma_gradient, beta_gradient, gamma.double() / deviation, totals[0].float(), (totals[1] / deviation).float()
    )


def channels_last(x: Tensor) -> Tensor:
    """Float32 [N, C, H, W] with channels fastest in memory, without a copy where it is so already."""
    return x.float().contiguous(memory_format=torch.channels_last)


def layer_shape(
    neuron: Neuron, timesteps: int, images: int, height: int, width: int, channels: int, pool: int, *, static: bool
) -> LayerShape:
    """The layer as the kernels see it."""
    return LayerShape(
        timesteps, images, height, width, channels, pool, int(static), int(neuron.soft_reset),
        neuron.keep, neuron.gain, neuron.threshold, neuron.alpha, neuron.initial,
    )  # fmt: skip


class _Neurons(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, sums: Tensor, gamma: Tensor, beta: Tensor, settings: Settings) -> tuple[Tensor, Tensor]:
        sums = channels_last(sums)
        timesteps, pool = settings.timesteps, settings.pool
        rows, channels, height, width = sums.shape
        images = rows if settings.static else rows // timesteps
        shape = layer_shape(settings.neuron, timesteps, images, height, width, channels, pool, static=settings.static)
        training = settings.norm.training
        mean, variance, count = moments(sums, settings.norm) if training else running(settings.norm)
        deviation = torch.sqrt(variance + cast(float, settings.norm.eps))
        scale = (gamma.detach().double() / deviation).float()
        shift = (beta.detach().double() - mean * gamma.detach().double() / deviation).float()
        mask = settings.mask.float().contiguous()
        kind = torch.uint8 if timesteps <= BYTE_STEPS else torch.int32
        trains = torch.empty(
            (images, channels, height // pool, width // pool), dtype=kind, memory_format=torch.channels_last
        )
        tallies = torch.zeros((2, images, channels), dtype=torch.float64)
        recorded = tallies if settings.record else (None, None)
        call("neuron_forward", shape, sums, scale, shift, mask, trains, trains.element_size(), *recorded)
        settings.activity = Activity(*tallies.sum(1))
        ctx.save_for_backward(sums, gamma, scale, shift, mask, mean, deviation)
        ctx.settings, ctx.shape, ctx.count, ctx.training = settings, shape, count, training
        ctx.mark_non_differentiable(trains)
        ctx.set_materialize_grads(False)
        return settings.carrier(timesteps, *trains.shape), trains

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: None) -> tuple[Tensor, Tensor, Tensor, None]:
        sums, gamma, scale, shift, mask, mean, deviation = ctx.saved_tensors
        shape, settings = ctx.shape, ctx.settings
        rate = settings.rate_weight / (shape.timesteps * shape.images * shape.height * shape.width * shape.channels)
        gradient = gradient.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        result = torch.empty_like(sums)
        partial = torch.empty((shape.images, 2, shape.channels), dtype=torch.float64)
        call(
            "neuron_backward", shape, sums, scale, shift, mask, int(settings.regrow), rate, gradient,
            gradient.element_size(), mean, deviation, result, partial,
        )  # fmt: skip
        norm = norm_gradient(partial, gamma, deviation, ctx.training, ctx.count)
        rows = sums.numel() // shape.channels
        line = norm.factor.float(), norm.offset, norm.slope
        call("norm_backward", sums, result, rows, shape.channels, *line, mean.float())
        return result, norm.gamma.to(gamma.dtype), norm.beta.to(gamma.dtype), None


def moments(sums: Tensor, norm: nn.Module) -> tuple[Tensor, Tensor, float]:
    """Mean and variance over the batch (of all ranks), float64 [C], and their count; updates running statistics."""
    rows, channels, height, width = sums.shape
    centre, _, _ = running(norm)
    partial = torch.empty((rows, 2, channels), dtype=torch.float64)
    call("channel_moments", sums, rows * height * width, channels, rows, centre, partial)
    count = torch.full((1, channels), float(rows * height * width), dtype=torch.float64)
    totals = sum_over_ranks(torch.cat([partial.sum(0), count]))
    number = float(totals[2, 0])
    offset = totals[0] / number
    variance = (totals[1] / number - offset * offset).clamp_(min=0.0)
    mean = centre + offset
    move_running_values(norm, mean, variance, number)
    return mean, variance, number


def running(norm: nn.Module) -> tuple[Tensor, Tensor, float]:
    """Running mean and variance, float64 [C]."""
    assert isinstance(norm.running_mean, Tensor) and isinstance(norm.running_var, Tensor)
    return norm.running_mean.double(), norm.running_var.double(), 1.0


class _SpikeConvolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, carrier: Tensor, trains: Tensor, weight: Tensor, scale: Tensor | None, stride: int, half: bool,
        kept: Tensor | None,
    ) -> Tensor:  # fmt: skip
        timesteps = len(carrier)
        shape = convolution_shape(timesteps, trains, weight, stride)
        counts = count_spikes(trains)
        dense = dense_way(shape)
        weights = Weights(weight, scale)
        ctx.save_for_backward(trains, weight, scale, kept)
        ctx.counts, ctx.dense, ctx.half = counts, dense, half
        ctx.shape, ctx.leading = shape, carrier.shape[:2]
        if dense and dense.beats_events(shape, counts):
            integers = int8_integers(weights, 1.0)
            if integers is None:
                return dense.convolution(shape, trains, weight)
            if suits_tiles(shape, 1.0, integers):
                return winograd.spike_integer_convolution(shape, trains, integers, weights.scales())
            return int8_convolution(spike_bytes(trains, timesteps), 1.0, integers, weights.scales(), stride)
        result = empty_maps(shape, shape.outputs)
        call("spike_convolution", shape, trains, trains.element_size(), weight_rows(weight, vector_floats()), result)
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, None, Tensor | None, None, None, None, None]:
        trains, weight, scale, kept = ctx.saved_tensors
        gradient = channels_last(gradient)
        needed = ctx.needs_input_grad[0], ctx.needs_input_grad[2]
        if ctx.half:
            spikes, weights = spike_bytes(trains, ctx.shape.timesteps), Weights(weight, scale)
            towards = rounded_gradient(gradient, weights)
            found = gradients(towards, spikes, 1.0, weights, ctx.shape.stride, needed, kept)
        else:
            found = (
                _spike_gradient(ctx.shape, ctx.dense, gradient, of_kept(weight, kept)) if needed[0] else None,
                _weight_gradient(ctx.shape, ctx.dense, ctx.counts, trains, gradient) if needed[1] else None,
            )
        of_carrier = found[0].unflatten(0, ctx.leading) if found[0] is not None else None
        of_weight = found[1].to(weight.dtype) if found[1] is not None else None
        return of_carrier, None, of_weight, None, None, None, None


def _spike_gradient(shape: ConvolutionShape, dense: DenseWay | None, gradient: Tensor, weight: Tensor) -> Tensor:
    if dense:
        return dense.input_gradient(shape, gradient, weight)
    return conv2d_input(
        (shape.timesteps * shape.images, shape.inputs, shape.height, shape.width),
        weight.float().contiguous(memory_format=torch.channels_last),
        gradient,
        stride=shape.stride,
        padding=shape.kernel // 2,
    )


def _weight_gradient(
    shape: ConvolutionShape, dense: DenseWay | None, counts: Counts, trains: Tensor, gradient: Tensor
) -> Tensor:
    if dense and dense.gradient_beats_events(shape, counts):
        return dense.weight_gradient(shape, trains, gradient)
    size = (shape.kernel, shape.kernel, shape.inputs, shape.outputs + -shape.outputs % vector_floats())
    parts = max(1, min(MOST_PARTS, shape.images, PARTIAL_FLOATS // math.prod(size)))
    partial = torch.empty((parts, *size))
    call("spike_convolution_weight_gradient", shape, trains, trains.element_size(), gradient, parts, partial)
    return weights_of_rows(partial.sum(0), shape.outputs)


def spike_bytes(trains: Tensor, timesteps: int) -> Tensor:
    """Spikes uint8 [T * N, C, H, W] of trains [N, C, H, W]."""
    images, channels, height, width = trains.shape
    spikes = torch.empty(
        (timesteps * images, channels, height, width), dtype=torch.uint8, memory_format=torch.channels_last
    )
    call("unpack_bytes", trains, trains.element_size(), trains.numel(), timesteps, spikes)
    return spikes


class _Unpack(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, carrier: Tensor, trains: Tensor) -> Tensor:
        ctx.kind = carrier.dtype
        timesteps = len(carrier)
        images, channels, height, width = trains.shape
        spikes = torch.empty((timesteps * images, channels, height, width), memory_format=torch.channels_last)
        call("unpack", trains, trains.element_size(), trains.numel(), timesteps, spikes)
        return spikes.unflatten(0, (timesteps, images))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient.to(ctx.kind), None
