"""A compact network as plain arrays: what training hands to later stages."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast

import numpy as np
from brevitas.nn import QuantConv2d, QuantLinear
from numpy.typing import NDArray
from torch import Tensor

from sca_train.compact import load_compact
from sca_train.config import TrainConfig
from sca_train.description import LayerDescription, NetworkDescription, NeuronDescription
from sca_train.network import FIRST_LAYER_BITS, INPUT_SCALE, PADDING, Network, SpikingLayer

__all__ = ["describe", "describe_run", "load_compact"]


def describe_run(run_dir: Path) -> NetworkDescription:
    """The compact network of a finished run; TrainError when there is none or its file is damaged."""
    _, network = load_compact(run_dir)
    return describe(network)


def describe(network: Network) -> NetworkDescription:
    """The network in evaluation mode: quantizer integers, scales, and batch norm as scale and shift in float64."""
    layers = [
        _describe_spiking(layer, FIRST_LAYER_BITS if index == 0 else network.config.weight_bits, network.config)
        for index, layer in enumerate(network.spiking_layers())
    ]
    classes = network.classes
    weights, scale = quantised(network.readout.weight)
    readout = LayerDescription(
        name="readout",
        kind="linear",
        weights=weights,
        weight_bits=network.config.weight_bits,
        scale=scale,
        norm_scale=np.ones(classes),
        norm_shift=_float64(cast(Tensor, network.readout.weight.bias)),
        stride=1,
        padding=0,
        neuron=None,
        pool=1,
    )
    return NetworkDescription(network.input_shape, INPUT_SCALE, network.config.timesteps, classes, (*layers, readout))


def quantised(module: QuantConv2d | QuantLinear) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Brevitas's integer weights, int8 in the weight's shape, and their scale per output channel, float64 [out]."""
    quantised = module.quant_weight()
    integers = quantised.int().detach().cpu().numpy().astype(np.int8)
    scale = np.broadcast_to(_float64(quantised.scale).reshape(-1), (integers.shape[0],))
    return integers, np.ascontiguousarray(scale)


def _describe_spiking(layer: SpikingLayer, bits: int, config: TrainConfig) -> LayerDescription:
    weights, scale = quantised(layer.weight)
    gamma, beta, mean, variance = (
        _float64(cast(Tensor, getattr(layer.norm, name))) for name in ("weight", "bias", "running_mean", "running_var")
    )
    norm_scale = gamma / np.sqrt(variance + cast(float, layer.norm.eps))
    conv = layer.spec.kind == "conv"
    return LayerDescription(
        name=layer.spec.name,
        kind=layer.spec.kind,
        weights=weights,
        weight_bits=bits,
        scale=scale,
        norm_scale=norm_scale,
        norm_shift=beta - mean * norm_scale,
        stride=1,
        padding=PADDING if conv else 0,
        neuron=NeuronDescription(
            kind=cast(Literal["IF", "LIF"], config.neuron),
            reset=cast(Literal["hard", "soft"], config.reset),
            threshold=config.threshold,
            tau=config.tau if config.neuron == "LIF" else 1.0,
        ),
        pool=layer.spec.pool,
    )


def _float64(values: Tensor) -> NDArray[np.float64]:
    return values.detach().cpu().double().numpy()
