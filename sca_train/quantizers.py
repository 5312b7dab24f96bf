"""Weight quantizers: learned scales where a sum stands alone, one fixed power of two where sums are added."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from brevitas.core.function_wrapper import TensorClampSte
from brevitas.inject.enum import RestrictValueType, ScalingImplType
from brevitas.nn import QuantConv2d, QuantLinear
from brevitas.quant import Int8WeightPerChannelFloat, Int8WeightPerTensorFloat
from brevitas.quant_tensor import QuantTensor
from torch import Tensor, nn

from sca_train.kernels import Weights

QuantModule: TypeAlias = QuantConv2d | QuantLinear

# Steps, in standard deviations, of the uniform quantizer with 2^bits - 1 levels that leaves a normal distribution the
# least square error (J. Max, "Quantizing for minimum distortion", 1960; the values are computed, not copied).
BEST_STEP = {2: 1.224, 4: 0.354, 8: 0.0309}

_LEAST_SPREAD = 1e-8
"""Of a channel whose weights are all zero."""


class Clamp(nn.Module):
    """The range of the integers in one operation; Brevitas's own takes two, and twice the time of a step for it."""

    def __init__(self) -> None:
        super().__init__()  # the injector takes no constructor with any arguments, as Module's is

    def forward(self, values: Tensor, min_val: Tensor, max_val: Tensor) -> Tensor:
        """Gradients pass within the range and on its ends."""
        return torch.clamp(values, min_val, max_val)


class ChannelWeightQuant(Int8WeightPerChannelFloat):
    """Symmetric narrow-range integers with one scale per output channel.

    The scale is a parameter learned in its logarithm, not a statistic of the weights, so that it does not move when
    compaction removes input channels.
    """

    scaling_impl_type = ScalingImplType.PARAMETER_FROM_STATS
    restrict_scaling_type = RestrictValueType.LOG_FP
    tensor_clamp_impl = Clamp


class TensorWeightQuant(Int8WeightPerTensorFloat):
    """As ChannelWeightQuant with one scale for all, so that the logits of the read-out are comparable integers."""

    scaling_impl_type = ScalingImplType.PARAMETER_FROM_STATS
    restrict_scaling_type = RestrictValueType.LOG_FP
    tensor_clamp_impl = Clamp


class FixedScale(nn.Module):
    """A scale that is set once, in place of Brevitas's scaling modules; it travels in the state dict."""

    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(()))

    def forward(self, _weights: Tensor, _threshold: Tensor | None = None) -> Tensor:
        """The real value of one integer step."""
        return self.scale


class SharedWeightQuant(Int8WeightPerTensorFloat):
    """Symmetric narrow-range integers on the common lattice of a residual addition; ``share_scale`` sets its step."""

    scaling_impl = FixedScale
    tensor_clamp_impl = TensorClampSte


@dataclass(frozen=True)
class Member:
    """Weights that meet others in an addition, their bits, and what their source counts one unit of its input as."""

    module: QuantModule
    bits: int
    source_unit: float


def share_scale(members: Sequence[Member]) -> None:
    """Give all members the same power of two as the value of one integer step, and cut their weights to the range.

    The step suits the spread of the members with the fewest bits. A source whose unit is no power of two (the pixels
    of an image, 1/255) has its weights' scale corrected by the factor to the power of two below it, so that its sums
    too are multiples of a power of two. The batch norm behind the addition makes up for the amplitude.
    """
    fewest = min(member.bits for member in members)
    weights = torch.cat([member.module.weight.detach().flatten() for member in members if member.bits == fewest])
    exponent = round(math.log2(BEST_STEP[fewest] * float(weights.std())))
    for member in members:
        unit_below = 2.0 ** math.floor(math.log2(member.source_unit))
        scale = 2.0**exponent * unit_below / member.source_unit
        fixed_scale(member.module).scale.fill_(scale)
        limit = (2 ** (member.bits - 1) - 1) * scale
        with torch.no_grad():
            member.module.weight.clamp_(-limit, limit)


def fixed_scale(module: QuantModule) -> FixedScale:
    """The scale of weights that were quantised with SharedWeightQuant."""
    scaling: FixedScale = module.weight_quant.tensor_quant.scaling_impl
    return scaling


def quantises(module: QuantModule, enabled: bool, learned: bool) -> None:
    """Let weights be quantised, or used as they are; their scale only gets a gradient where it is ``learned`` and used.

    Several processes wait for the gradient of every parameter that asks for one.
    """
    module.weight_quant.disable_quant = not enabled
    for value in module.weight_quant.parameters():
        value.requires_grad_(enabled and learned)


def computed_weights(module: QuantModule) -> Weights:
    """The weights as they are computed with: quantised, or as they are where ``quantises`` says so."""
    weights = module.quant_weight()
    if isinstance(weights, QuantTensor):
        return Weights(weights.value, weights.scale)
    return Weights(weights, None)


@torch.no_grad()
def set_scale_from_spread(module: QuantModule) -> None:
    """Set a scale that is a parameter to the best step for weights as spread as its channel's, or as all that share it.

    The spread is the root mean square: the integers lie around zero, and so does a channel of a single weight.
    """
    bits: int = module.weight_quant.quant_injector.bit_width  # a tensor of it on a GPU would have to be waited for
    value = module.weight_quant.tensor_quant.scaling_impl.value
    squares = module.weight.square()
    spread = (squares.flatten(1).mean(1) if value.numel() > 1 else squares.mean()).sqrt().clamp(min=_LEAST_SPREAD)
    # Brevitas divides the exponential of the parameter by the largest integer.
    largest = 2 ** (bits - 1) - 1
    value.copy_((BEST_STEP[bits] * spread * largest).log2().reshape(value.shape))


@torch.no_grad()
def set_integers(module: QuantModule, integers: Tensor, scale: Tensor) -> None:
    """Give weights the values ``integers * scale``, and the quantizer that scale, so that it finds these integers.

    ``integers`` in the shape of the weights, ``scale`` [out], all equal where one scale is shared.
    """
    bits: int = module.weight_quant.quant_injector.bit_width
    scaling = module.weight_quant.tensor_quant.scaling_impl
    if isinstance(scaling, FixedScale):
        scaling.scale.fill_(float(scale[0]))
    else:
        # Brevitas divides the exponential of the parameter by the largest integer.
        value = (scale * (2 ** (bits - 1) - 1)).log2()
        scaling.value.copy_((value if scaling.value.numel() > 1 else value[0]).reshape(scaling.value.shape))
    module.weight.copy_(integers * scale.reshape(-1, *[1] * (integers.dim() - 1)))
