"""The spiking network: quantised convolutions or matrices, batch norm, SpikingJelly neurons, max pooling.

Time is the leading axis of every spike tensor, [T, N, C, H, W] or [T, N, C].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from brevitas.inject.enum import RestrictValueType, ScalingImplType
from brevitas.nn import QuantConv2d, QuantLinear
from brevitas.quant import Int8WeightPerChannelFloat, Int8WeightPerTensorFloat
from spikingjelly.activation_based import neuron as sj_neuron
from spikingjelly.activation_based import surrogate
from torch import Tensor, nn

from sca_train.config import TrainConfig

FIRST_LAYER_BITS = 8
INPUT_SCALE = 1.0 / 255.0
KERNEL = 3
PADDING = 1


@dataclass(frozen=True)
class LayerSpec:
    """One spiking layer: a 3x3 convolution (padding 1, stride 1) or a matrix, and the max pooling after it."""

    name: str
    kind: Literal["conv", "linear"]
    channels: int
    pool: int = 1


class ChannelWeightQuant(Int8WeightPerChannelFloat):
    """Symmetric narrow-range integers with one scale per output channel.

    The scale is a parameter learned in its logarithm, not a statistic of the weights, so that it does not move when
    compaction removes input channels.
    """

    scaling_impl_type = ScalingImplType.PARAMETER_FROM_STATS
    restrict_scaling_type = RestrictValueType.LOG_FP


class TensorWeightQuant(Int8WeightPerTensorFloat):
    """As ChannelWeightQuant with one scale for all, so that the logits of the read-out are comparable integers."""

    scaling_impl_type = ScalingImplType.PARAMETER_FROM_STATS
    restrict_scaling_type = RestrictValueType.LOG_FP


def make_neuron(config: TrainConfig) -> sj_neuron.BaseNode:
    """SpikingJelly's multi-step IF or LIF node with the sigmoid surrogate (paper Eq. 1 to 3)."""
    v_reset = 0.0 if config.reset == "hard" else None
    sigmoid = surrogate.Sigmoid(alpha=4.0)
    if config.neuron == "IF":
        return sj_neuron.IFNode(config.threshold, v_reset, sigmoid, detach_reset=True, step_mode="m")
    return sj_neuron.LIFNode(config.tau, True, config.threshold, v_reset, sigmoid, detach_reset=True, step_mode="m")


class SpikingLayer(nn.Module):
    """Weights, batch norm, neuron, channel mask and pooling; the first layer sees a static image.

    A masked channel (``mask`` 0) sends no spikes on. While ``regrow`` is set its gradient still passes as if it did,
    so its weights and its gamma keep training (paper, Selective Growth). While ``record`` is set the layer adds up
    the membrane potentials of Eq. 4 in ``potential``.
    """

    mask: Tensor
    potential: Tensor
    samples: Tensor
    gamma_gradient: Tensor

    def __init__(self, spec: LayerSpec, inputs: int, bits: int, static_input: bool, config: TrainConfig) -> None:
        super().__init__()
        self.spec = spec
        self.static_input = static_input
        self.timesteps = config.timesteps
        if spec.kind == "conv":
            self.weight = QuantConv2d(
                inputs, spec.channels, KERNEL, padding=PADDING, bias=False,
                weight_quant=ChannelWeightQuant, weight_bit_width=bits,
            )  # fmt: skip
            self.norm: nn.Module = nn.BatchNorm2d(spec.channels)
        else:
            self.weight = QuantLinear(
                inputs, spec.channels, bias=False, weight_quant=ChannelWeightQuant, weight_bit_width=bits
            )
            self.norm = nn.BatchNorm1d(spec.channels)
        nn.init.kaiming_normal_(self.weight.weight, nonlinearity="relu")
        self.weight.quant_weight()  # the first call turns the statistics of the weights into the learned scale
        self.neuron = make_neuron(config)
        self.record = False
        self.regrow = False
        self.register_buffer("mask", torch.ones(spec.channels))
        self.register_buffer("potential", torch.zeros(spec.channels, dtype=torch.float64))
        self.register_buffer("samples", torch.zeros((), dtype=torch.float64))
        self.register_buffer("gamma_gradient", torch.zeros(spec.channels, dtype=torch.float64))

    def currents(self, x: Tensor) -> Tensor:
        """Input currents of the neurons [T, N, C, ...] from pixels [N, ...] (static) or spikes [T, N, ...]."""
        if self.static_input:
            # The image is the same at every step: its sums are computed once.
            current = self._normalised(x)
            return current.unsqueeze(0).expand(self.timesteps, *current.shape)
        return self._normalised(x.flatten(0, 1)).unflatten(0, x.shape[:2])

    def _normalised(self, x: Tensor) -> Tensor:
        if self.spec.kind == "linear":
            x = x.flatten(1)
        # Membrane potentials stay in float32 (or float64) under autocast.
        y = self.weight(x)
        return self.norm(y.float() if y.dtype == torch.bfloat16 else y)

    def forward(self, x: Tensor) -> Tensor:
        """Spikes [T, N, C, H, W] after pooling, or [T, N, C]."""
        current = self.currents(x)
        self.neuron.reset()
        self.neuron.store_v_seq = self.record
        spikes = self.neuron(current)
        if self.record:
            self._add_potential(current.detach(), self.neuron.v_seq.detach())
        self.neuron.reset()
        spikes = self._masked(spikes)
        if self.spec.pool > 1:
            # The maximum of spikes is their OR.
            pooled = F.max_pool2d(spikes.flatten(0, 1), self.spec.pool)
            spikes = pooled.unflatten(0, spikes.shape[:2])
        return spikes

    def _masked(self, spikes: Tensor) -> Tensor:
        mask = self.mask.to(spikes.dtype).reshape(-1, *[1] * (spikes.dim() - 3))
        masked = spikes * mask
        if self.regrow:
            # Straight through: the value is the masked one, the gradient that of the unmasked one.
            return masked + (1.0 - mask) * (spikes - spikes.detach())
        return masked

    def _add_potential(self, current: Tensor, after_reset: Tensor) -> None:
        potential = potential_before_reset(self.neuron, current, after_reset).abs()
        others = [axis for axis in range(potential.dim()) if axis != 2]
        self.potential += potential.sum(others, dtype=torch.float64) / self.timesteps
        self.samples += current.shape[1]


def potential_before_reset(node: sj_neuron.BaseNode, current: Tensor, after_reset: Tensor) -> Tensor:
    """Membrane potentials H[t] before the reset, from currents and potentials after it, all [T, N, ...].

    IF: H[t] = V[t-1] + I[t]; LIF (``decay_input``, resting potential 0): H[t] = V[t-1] + (I[t] - V[t-1]) / tau.
    """
    before = torch.cat([torch.zeros_like(after_reset[:1]), after_reset[:-1]])
    if isinstance(node, sj_neuron.LIFNode):
        return before + (current - before) / node.tau
    return before + current


class ReadOut(nn.Module):
    """Fully connected layer without neuron: logits are its outputs averaged over the time steps."""

    def __init__(self, inputs: int, classes: int, bits: int) -> None:
        super().__init__()
        self.weight = QuantLinear(inputs, classes, bias=True, weight_quant=TensorWeightQuant, weight_bit_width=bits)
        self.weight.quant_weight()

    def forward(self, spikes: Tensor) -> Tensor:
        """Logits [N, classes] from spikes [T, N, ...]: the layer is linear, so the average is taken first."""
        logits: Tensor = self.weight(spikes.flatten(2).mean(0))
        return logits.float() if logits.dtype == torch.bfloat16 else logits


class Network(nn.Module):
    """A chain of spiking layers and a read-out, built from layer specifications."""

    def __init__(
        self, specs: tuple[LayerSpec, ...], config: TrainConfig, input_shape: tuple[int, int, int], classes: int
    ) -> None:
        """``input_shape`` is height, width and channels of an image."""
        super().__init__()
        self.specs = specs
        self.config = config
        self.input_shape = input_shape
        self.classes = classes
        layers: list[SpikingLayer] = []
        height, width, channels = input_shape
        for index, spec in enumerate(specs):
            inputs = channels if spec.kind == "conv" else channels * height * width
            bits = FIRST_LAYER_BITS if index == 0 else config.weight_bits
            layers.append(SpikingLayer(spec, inputs, bits, index == 0, config))
            if spec.kind == "linear":
                height = width = 1
            height, width, channels = height // spec.pool, width // spec.pool, spec.channels
        self.layers = nn.ModuleDict({layer.spec.name: layer for layer in layers})
        self.readout = ReadOut(channels * height * width, classes, config.weight_bits)

    def spiking_layers(self) -> list[SpikingLayer]:
        """The spiking layers from input to output."""
        return [layer for layer in self.layers.values() if isinstance(layer, SpikingLayer)]

    def forward(self, images: Tensor) -> Tensor:
        """Logits [N, classes] from images [N, C, H, W] in 0..1."""
        x = images
        for layer in self.spiking_layers():
            x = layer(x)
        logits: Tensor = self.readout(x)
        return logits


def to_input(images: Tensor, device: torch.device) -> Tensor:
    """Images [N, H, W, C] uint8 as the network's input [N, C, H, W] float32: pixel / 255, no mean, no deviation."""
    return images.to(device).permute(0, 3, 1, 2).float() * INPUT_SCALE
