"""Convolutions of small unsigned integers, such as spikes and spike counts, with quantised weights."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from sca_train.kernels import winograd
from sca_train.kernels.library import ConvolutionShape, call, convolution_shape

MAX_INT8 = 127
MAX_PAIR = 32767
"""Processors without VNNI add two products in 16 bits and saturate."""


@dataclass(frozen=True)
class Weights:
    """Float weights ``values`` [out, in, k, k], which are integers times ``scale`` ([out, 1, 1, 1] or one), or any."""

    values: Tensor
    scale: Tensor | None

    def integers(self) -> Tensor:
        """The integers, as floats; the values themselves where they have no scale."""
        return self.values if self.scale is None else (self.values / self.scale).round_()

    def scales(self) -> Tensor:
        """Scale of each output, float32 [out]; ones where they have none."""
        outputs = len(self.values)
        if self.scale is None:
            return torch.ones(outputs)
        return self.scale.detach().float().flatten().expand(outputs).contiguous()


def eight_bit_weights(values: Tensor) -> Weights:
    """Float weights [out, in, k, k] in 8 bits, by the largest of each output; gradients pass straight through."""
    largest = values.detach().abs().amax((1, 2, 3), keepdim=True)
    scale = torch.where(largest > 0.0, largest, 1.0) / MAX_INT8
    return Weights(values + ((values / scale).round() * scale - values).detach(), scale)


@functools.cache
def computes_int8() -> bool:
    """Whether this torch convolves 8-bit integers by oneDNN."""
    return hasattr(torch.ops.onednn, "qconv2d_pointwise") and torch.backends.mkldnn.is_available()


@functools.cache
def multiplies_int8() -> bool:
    """Whether this processor adds up 8-bit products in 32 bits by one instruction (VNNI)."""
    return torch.cpu._is_vnni_supported()


@functools.cache
def computes_bf16() -> bool:
    """Whether this processor multiplies bf16 in hardware."""
    return torch.ops.mkldnn._is_mkldnn_bf16_supported() and torch.cpu._is_avx512_bf16_supported()


@functools.cache
def computes_bf16_tiles() -> bool:
    """Whether this processor multiplies tiles of bf16 (Intel AMX) and may do so."""
    return computes_bf16() and torch.cpu._is_amx_tile_supported() and torch.cpu._init_amx()


def int8_integers(weights: Weights, unit: float) -> Tensor | None:
    """Weights as int8 where products with counts of at most 1 / ``unit`` can be taken in 8 bits; else None."""
    if weights.scale is None or not computes_int8():
        return None
    integers = weights.integers()
    fits = 2 * round(1.0 / unit) * int(integers.abs().max()) <= MAX_PAIR
    return integers.to(torch.int8) if fits else None


def suits_tiles(shape: ConvolutionShape, unit: float, integers: Tensor) -> bool:
    """Whether Winograd's tiles are the faster way to the same sums here."""
    return not multiplies_int8() and winograd.suits_integers(shape, round(1.0 / unit), integers)


def integer_convolution(counts: Tensor, unit: float, weights: Weights, stride: int) -> Tensor:
    """Sums float32 [N, out, H, W], channels last, of counts uint8 [N, in, H, W]; padding k // 2.

    A count is at most 1 / ``unit`` and worth ``unit``. Where weights are 8-bit integers the sums are exact integers
    times that and the scale, and sums in float32 otherwise.
    """
    integers = int8_integers(weights, unit)
    if integers is not None:
        shape = convolution_shape(1, counts, integers, stride)
        if suits_tiles(shape, unit, integers):
            return winograd.integer_convolution(shape, counts, integers, weights.scales() * unit)
        return int8_convolution(counts, unit, integers, weights.scales(), stride)
    counts, stride = at_stride(counts, weights.values, stride)
    x = counts.float().mul_(unit).contiguous(memory_format=torch.channels_last)
    values = weights.values.contiguous(memory_format=torch.channels_last)
    return F.conv2d(x, values, stride=stride, padding=values.shape[-1] // 2)


def at_stride(maps: Tensor, weight: Tensor, stride: int) -> tuple[Tensor, int]:
    """Maps and stride of the same convolution: those pixels alone, at stride 1, where the kernel has but one pixel.

    Where processors have AVX2 and no more, oneDNN (3.11, of torch 2.12) gathers these pixels itself, into memory that
    its threads share: sums and gradients of weights came out wrong, others each time.
    """
    if weight.shape[-1] > 1 or stride == 1:
        return maps, stride
    return maps[..., ::stride, ::stride].contiguous(memory_format=torch.channels_last), 1


def int8_convolution(counts: Tensor, unit: float, integers: Tensor, scales: Tensor, stride: int) -> Tensor:
    """The same sums from weights that are ``integers`` (int8) times ``scales`` [out]."""
    counts, stride = at_stride(counts, integers, stride)
    padding = [integers.shape[-1] // 2] * 2
    strides, dilation = [stride] * 2, [1, 1]
    zeros = torch.zeros(len(integers), dtype=torch.int32)
    operators = torch.ops.onednn
    packed = operators.qconv_prepack(
        integers.contiguous(), scales, unit, 0, strides, padding, dilation, 1, list(counts.shape)
    )
    result: Tensor = operators.qconv2d_pointwise(
        counts, unit, 0, packed, scales, zeros, None, strides, padding, dilation, 1, 1.0, 0, torch.float32, "none",
        [], "",
    )  # fmt: skip
    return result


def rounded_gradient(gradient: Tensor, weights: Weights) -> Tensor:
    """The gradient of sums float32 [N, out, H, W], channels last, times the scales of the weights, rounded to bf16."""
    scales = weights.scales()
    result = torch.empty_like(gradient, dtype=torch.bfloat16)
    call("round_scaled", gradient, gradient.numel() // len(scales), len(scales), scales, result)
    return result


def of_kept(weight: Tensor, kept: Tensor | None) -> Tensor:
    """Weights [out, in, k, k] with which a gradient goes back to the inputs: those of outputs that are ``kept`` [out].

    A pruned channel sends nothing on, so that its inputs have no part in the loss through it; its own weights may
    still be trained.
    """
    return weight if kept is None else weight * kept.to(weight.dtype).reshape(-1, *[1] * (weight.dim() - 1))


def gradients(
    towards: Tensor, counts: Tensor, unit: float, weights: Weights, stride: int, needed: tuple[bool, bool],
    kept: Tensor | None = None,
) -> tuple[Tensor | None, Tensor | None]:  # fmt: skip
    """Gradients of the rates (counts times ``unit``) and of the weights; None where not ``needed``.

    ``towards`` is the gradient of the sums in float32, or times the scales of the weights in bf16. Counts and integer
    weights are exact in bf16, and products are added in float32. Without bf16 in hardware products are in float32, by
    Winograd's tiles where they suit. ``kept`` as in ``of_kept``.
    """
    half = towards.dtype == torch.bfloat16
    values = of_kept(weights.integers() if half else weights.values.float(), kept)
    chosen, step = at_stride(counts, values, stride)
    of_chosen, of_weights = _gradients_of_counts(towards, chosen, values, step, needed)
    if of_chosen is not None and step != stride:
        of_rates = torch.zeros_like(counts, dtype=of_chosen.dtype)
        of_rates[..., ::stride, ::stride] = of_chosen
        of_chosen = of_rates
    if of_weights is not None:
        of_weights = of_weights.float() * (unit / weights.scales().reshape(-1, 1, 1, 1) if half else unit)
    return of_chosen, of_weights


def _gradients_of_counts(
    towards: Tensor, counts: Tensor, values: Tensor, stride: int, needed: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of the counts and of weights ``values`` in the precision of ``towards``, or better."""
    kind = torch.bfloat16 if towards.dtype == torch.bfloat16 and computes_bf16() else torch.float32
    shape = convolution_shape(1, counts, values, stride)
    if kind == torch.float32 and winograd.suits(shape):
        return (
            winograd.input_gradient(shape, towards, values) if needed[0] else None,
            winograd.count_weight_gradient(shape, counts, towards) if needed[1] else None,
        )
    of_counts, of_values, _ = torch.ops.aten.convolution_backward(
        towards.to(kind), counts.to(kind), values.to(kind).contiguous(memory_format=torch.channels_last), None,
        [stride] * 2, [shape.kernel // 2] * 2, [1, 1], False, [0, 0], 1, [*needed, False],
    )  # fmt: skip
    return of_counts if needed[0] else None, of_values if needed[1] else None
