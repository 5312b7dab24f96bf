"""The spiking network: quantised connections, batch norm, SpikingJelly neurons, pooling, walked in the specs' order.

Time is the leading axis of every tensor between layers, [T, N, C, H, W] or [T, N, C]. What is the same at every step,
such as a static image and its sums, has a leading axis of length 1 instead and is computed once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from brevitas.nn import QuantLinear
from torch import Tensor, nn

from sca_train.config import EVENT_DATASETS, TrainConfig
from sca_train.connections import connection_bits
from sca_train.map_shapes import MapShape, layer_shapes
from sca_train.quantizers import (
    Member,
    TensorWeightQuant,
    share_scale,
)
from sca_train.specs import IMAGE, LayerSpec, streams
from sca_train.spiking_layer import Sent, SpikingLayer, Sums, float_spikes

PIXEL_SCALE = 1.0 / 255.0
EVENT_SCALE = 1.0
_COMPILED_FORMS = 8
"""Of a layer at most: in training and evaluation, with the last batch, recording or not."""


class ReadOut(nn.Module):
    """Fully connected layer without neuron: logits are its outputs averaged over the time steps.

    With ``global_sum`` it reads the mean of each channel over the map, and has one weight per channel and class.
    """

    def __init__(self, source: MapShape, classes: int, bits: int, global_sum: bool) -> None:
        super().__init__()
        self.global_sum = global_sum
        inputs = source.channels if global_sum else source.channels * source.pixels
        self.weight = QuantLinear(inputs, classes, bias=True, weight_quant=TensorWeightQuant, weight_bit_width=bits)
        self.weight.quant_weight()

    def forward(self, spikes: Tensor) -> Tensor:
        """Logits [N, classes] from spikes [T, N, ...]: the layer is linear, so the average is taken first."""
        rates = spikes.mean(0)
        rates = rates.mean((2, 3)) if self.global_sum else rates.flatten(1)
        logits: Tensor = self.weight(rates)
        return logits.float() if logits.dtype == torch.bfloat16 else logits


class Network(nn.Module):
    """Spiking layers and a read-out of the last one, built from layer specifications."""

    def __init__(
        self, specs: tuple[LayerSpec, ...], config: TrainConfig, input_shape: tuple[int, int, int], classes: int
    ) -> None:
        """``input_shape`` is height, width and channels of an image; ValueError for specs that do not fit together."""
        super().__init__()
        self.specs = specs
        self.config = config
        self.input_shape = input_shape
        self.classes = classes
        self.static_input = config.dataset not in EVENT_DATASETS
        self._before, after = layer_shapes(specs, input_shape)
        added: set[str] = set()
        for stream in streams(specs):
            if sum(len(spec.inputs) for spec in stream) > 1:
                added.update(spec.name for spec in stream)
        self.layers = nn.ModuleDict()
        for spec in specs:
            flat = any(entry.kind == "linear" for entry in spec.inputs)
            self.layers[spec.name] = SpikingLayer(spec, after, flat, spec.name in added, config)
        self.readout = ReadOut(after[specs[-1].name], classes, config.weight_bits, specs[-1].global_sum)
        self._additions = [stream for stream in streams(specs) if stream[0].name in added]
        self.share_scales()
        self._last_use = _last_uses(specs)

    @property
    def input_scale(self) -> float:
        """Real value of one unit of the uint8 input."""
        return PIXEL_SCALE if self.static_input else EVENT_SCALE

    def layer(self, name: str) -> SpikingLayer:
        """The spiking layer of that name."""
        layer = self.layers[name]
        assert isinstance(layer, SpikingLayer)
        return layer

    def spiking_layers(self) -> list[SpikingLayer]:
        """The spiking layers in the order in which they are computed."""
        return [self.layer(spec.name) for spec in self.specs]

    def use_kernels(self, enabled: bool) -> None:
        """Compute by the event-driven CPU kernels from now on, or no more; float64 is always computed by PyTorch."""
        for layer in self.spiking_layers():
            layer.kernels = enabled and layer.suits_kernels

    def fuse(self, enabled: bool) -> None:
        """Compute rates in fused kernels that torch.compile makes from now on, or no more."""
        if enabled:  # each layer in training and in evaluation, while recording and not
            limit = _COMPILED_FORMS * len(self.specs)
            torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, limit)
        for layer in self.spiking_layers():
            layer.fused_rates = torch.compile(layer._rates, dynamic=False) if enabled else None

    def share_scales(self) -> None:
        """Give the weights of each addition a common step that suits their spread, and cut them to its range."""
        for stream in self._additions:
            share_scale(self._members(stream))

    def use_rates(self, enabled: bool) -> None:
        """Be the rate-equivalent network from now on, evaluated once for all steps, or the spiking one.

        Of LateIF neurons both are the same.
        """
        for layer in self.spiking_layers():
            layer.rate_equivalent = enabled or layer.late

    def map_sizes(self) -> dict[str, int]:
        """Height times width of each spiking layer's feature map before pooling."""
        return {spec.name: self._before[spec.name].pixels for spec in self.specs}

    def _members(self, stream: list[LayerSpec]) -> list[Member]:
        return [
            Member(
                self.layer(spec.name).connections[entry.name],
                connection_bits(entry, self.config),
                self.input_scale if entry.source == IMAGE else 1.0,
            )
            for spec in stream
            for entry in spec.inputs
            if entry.kind != "identity"
        ]

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits [N, classes] from images [N, C, H, W] in 0..1 or event frames [T, N, C, H, W]."""
        spikes: dict[str, Sent] = {IMAGE: inputs.unsqueeze(0) if self.static_input else inputs}
        sums: dict[str, Sums] = {}
        for index, spec in enumerate(self.specs):
            layer = self.layer(spec.name)
            total = layer.sums(spikes, sums.get(spec.residual))
            spikes[spec.name] = layer(total)
            sums[spec.name] = total
            # What no later layer reads is deleted here; only autograd may still hold it.
            for name in [name for name in spikes if self._last_use.get((False, name), index) <= index]:
                del spikes[name]
            for name in [name for name in sums if self._last_use.get((True, name), index) <= index]:
                del sums[name]
        logits: Tensor = self.readout(float_spikes(spikes[self.specs[-1].name]))
        return logits


def _last_uses(specs: Sequence[LayerSpec]) -> dict[tuple[bool, str], int]:
    """Index of the last layer that reads a layer's spikes (False, name) or its sums (True, name)."""
    uses: dict[tuple[bool, str], int] = {(False, specs[-1].name): len(specs)}
    for index, spec in enumerate(specs):
        uses.update({(False, entry.source): index for entry in spec.inputs})
        if spec.residual:
            uses[(True, spec.residual)] = index
    return uses


def to_input(images: Tensor, device: torch.device) -> Tensor:
    """The network's float32 input from uint8 images or event frames.

    Images [N, H, W, C] become [N, C, H, W] of pixel / 255, no mean, no deviation; event frames [N, T, H, W, C] become
    [T, N, C, H, W] of the counts themselves.
    """
    moved = images.to(device)
    if moved.dim() == 4:
        return moved.permute(0, 3, 1, 2).float() * PIXEL_SCALE
    return moved.permute(1, 0, 4, 2, 3).float() * EVENT_SCALE
