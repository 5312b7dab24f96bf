"""The quantised weights of one connection, and the zeros around the map that they read."""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812
from brevitas.nn import QuantConv2d, QuantLinear
from torch import Tensor, nn

from sca_train.config import TrainConfig
from sca_train.kernels.integers import of_kept
from sca_train.map_shapes import MapShape
from sca_train.quantizers import ChannelWeightQuant, QuantModule, SharedWeightQuant, computed_weights
from sca_train.specs import IMAGE, ConnectionSpec

FIRST_LAYER_BITS = 8


def connection_weights(
    connection: ConnectionSpec, channels: int, source: MapShape, added: bool, config: TrainConfig
) -> QuantModule:
    """The quantised weights of a connection, with the initial values of He et al. (2015)."""
    bits = connection_bits(connection, config)
    quantizer = SharedWeightQuant if added else ChannelWeightQuant
    module: QuantModule
    if connection.kind == "linear":
        inputs = source.channels * source.pixels
        module = QuantLinear(inputs, channels, bias=False, weight_quant=quantizer, weight_bit_width=bits)
    else:
        module = QuantConv2d(
            source.channels, channels, connection.taps, stride=connection.stride, bias=False,
            padding=connection.sides[:2] if pads_evenly(connection) else 0,
            weight_quant=quantizer, weight_bit_width=bits,
        )  # fmt: skip
    nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    if connection.source == IMAGE and config.first_init == "whitening":  # which whiten_first_layers sets
        module.weight.requires_grad_(False)
    module.quant_weight()  # the first call turns the statistics of the weights into the learned scale
    return module


def connection_bits(connection: ConnectionSpec, config: TrainConfig) -> int:
    """Bits of a connection's weights: those that read the input have FIRST_LAYER_BITS."""
    return FIRST_LAYER_BITS if connection.source == IMAGE else config.weight_bits


def pads_evenly(connection: ConnectionSpec) -> bool:
    """Whether torch's convolution can pad: as much above as below, and left as right."""
    above, left, below, right = connection.sides
    return (above, left) == (below, right)


def padded(spikes: Tensor, connection: ConnectionSpec) -> Tensor:
    """What a convolution reads, with the zeros that it does not add itself."""
    if pads_evenly(connection):
        return spikes
    above, left, below, right = connection.sides
    return F.pad(spikes, (left, right, above, below))


def connected(module: QuantModule, x: Tensor, kept: Tensor) -> Tensor:
    """What ``module`` gives for x [N, C, H, W] or [N, C], with a gradient of x through the ``kept`` outputs [out] only.

    The gradient of the weights is that through all of them.
    """
    weight = computed_weights(module).values
    if torch.is_autocast_enabled(x.device.type):
        kind = torch.get_autocast_dtype(x.device.type)
        x, weight = x.to(kind), weight.to(kind)
    if isinstance(module, QuantLinear):
        return cast(Tensor, _Product.apply(x, weight, kept))
    return cast(Tensor, _Convolution.apply(x, weight, kept, module.stride, module.padding))


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, kept: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight, kept)
        return F.linear(x, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight, kept = ctx.saved_tensors
        of_x = gradient @ of_kept(weight, kept) if ctx.needs_input_grad[0] else None
        return of_x, gradient.T @ x if ctx.needs_input_grad[1] else None, None


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, kept: Tensor, stride: Any, padding: Any) -> Tensor:
        ctx.save_for_backward(x, weight, kept)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(x, weight, stride=stride, padding=padding)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        x, weight, kept = ctx.saved_tensors
        of_x, of_weight, _ = torch.ops.aten.convolution_backward(
            gradient, x, of_kept(weight, kept), None, ctx.stride, ctx.padding, [1, 1], False, [0, 0], 1,
            [*ctx.needs_input_grad[:2], False],
        )  # fmt: skip
        return of_x, of_weight, None, None, None
