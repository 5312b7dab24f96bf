"""A compact network as plain arrays: what training hands to later stages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sca_train.class_names import class_names
from sca_train.config import TrainConfig
from sca_train.connections import connection_bits
from sca_train.description import ConnectionDescription, LayerDescription, NetworkDescription, NeuronDescription
from sca_train.network import Network
from sca_train.pruning.compact import load_compact
from sca_train.quantizers import QuantModule
from sca_train.specs import READ_OUT, ConnectionSpec
from sca_train.spiking_layer import SpikingLayer, with_neuron

__all__ = ["describe", "describe_run", "load_compact"]


def describe_run(run_dir: Path) -> NetworkDescription:
    """The compact network of a finished run; TrainError when there is none or its file is damaged."""
    _, network = load_compact(run_dir)
    return replace(describe(network), class_names=class_names(run_dir))


def describe(network: Network) -> NetworkDescription:
    """The network in evaluation mode: quantizer integers, scales, and batch norm as scale and shift in float64."""
    layers = [_describe_spiking(layer, with_neuron(network.config, layer.spec)) for layer in network.spiking_layers()]
    last = network.specs[-1].name
    readout = LayerDescription(
        name=READ_OUT,
        inputs=(_described(READ_OUT, last, "linear", network.readout.weight, network.config.weight_bits),),
        residual="",
        norm_scale=np.ones(network.classes),
        norm_shift=_float64(cast(Tensor, network.readout.weight.bias)),
        neuron=None,
        pool=1,
        pool_kind="max",
        global_sum=network.specs[-1].global_sum,
    )
    return NetworkDescription(
        input_shape=network.input_shape,
        input_scale=network.input_scale,
        static_input=network.static_input,
        timesteps=network.config.timesteps,
        classes=network.classes,
        layers=(*layers, readout),
    )


def quantised(module: QuantModule) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Brevitas's integer weights, int8 in the weight's shape, and their scale per output channel, float64 [out]."""
    quantised = module.quant_weight()
    integers = quantised.int().detach().cpu().numpy().astype(np.int8)
    scale = np.broadcast_to(_float64(quantised.scale).reshape(-1), (integers.shape[0],))
    return integers, np.ascontiguousarray(scale)


def _describe_spiking(layer: SpikingLayer, config: TrainConfig) -> LayerDescription:
    gamma, beta, mean, variance = (
        _float64(cast(Tensor, getattr(layer.norm, name))) for name in ("weight", "bias", "running_mean", "running_var")
    )
    norm_scale = gamma / np.sqrt(variance + cast(float, layer.norm.eps))
    return LayerDescription(
        name=layer.spec.name,
        inputs=tuple(_describe_connection(layer, entry, config) for entry in layer.spec.inputs),
        residual=layer.spec.residual,
        norm_scale=norm_scale,
        norm_shift=beta - mean * norm_scale,
        neuron=NeuronDescription(
            kind=cast(Literal["IF", "LIF", "LateIF"], config.neuron),
            reset=cast(Literal["hard", "soft"], config.reset),
            threshold=config.threshold,
            tau=config.tau if config.neuron == "LIF" else 1.0,
            v_init=config.v_init,
        ),
        pool=layer.spec.pool,
        pool_kind=layer.spec.pool_kind,
    )


def _describe_connection(layer: SpikingLayer, entry: ConnectionSpec, config: TrainConfig) -> ConnectionDescription:
    if entry.kind == "identity":
        ones = np.ones(layer.spec.channels)
        return ConnectionDescription(entry.name, entry.source, "identity", None, 1, ones, 1, 0)
    module = cast(QuantModule, layer.connections[entry.name])
    described = _described(entry.name, entry.source, entry.kind, module, connection_bits(entry, config))
    return replace(described, stride=entry.stride, padding=entry.sides) if entry.kind == "conv" else described


def _described(
    name: str, source: str, kind: Literal["conv", "linear"], module: QuantModule, bits: int
) -> ConnectionDescription:
    weights, scale = quantised(module)
    return ConnectionDescription(name, source, kind, weights, bits, scale, stride=1, padding=0)


def _float64(values: Tensor) -> NDArray[np.float64]:
    return values.detach().cpu().double().numpy()
