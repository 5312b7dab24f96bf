"""A quantised network as one of training's: what writes compact.safetensors, and what fine-tuning starts from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from torch import Tensor

from codegen.errors import ImportingError
from codegen.importing.calibration import Statistics
from codegen.importing.float_network import Floats
from codegen.importing.quantise import Quantised
from sca_train.config import LARGEST_SIDE, TrainConfig
from sca_train.describe import quantised
from sca_train.description import ConnectionDescription, LayerDescription, NetworkDescription, NeuronDescription
from sca_train.models.imported import layers_text
from sca_train.network import Network
from sca_train.quantizers import QuantModule, set_integers
from sca_train.specs import ConnectionSpec, LayerSpec, NeuronSpec

FINE_TUNING = TrainConfig(epochs=30, finetune=15, lr=2e-3, l1=0.0, ratio=0.0, ratio_ramp=0.8, augment="none")
"""What a training that starts from an imported network takes where it is not told otherwise: few and small steps, a
ratio that rises slowly, and images as they are, since nobody says how the network was trained."""


def imported_config(description: NetworkDescription, base: TrainConfig) -> TrainConfig:
    """The options of a run of this network; ``base`` says its name, data and weight bits.

    The neurons that most layers have are those of the configuration, the others are named in their layers.
    """
    kinds = Counter(_neuron_spec(layer.neuron) for layer in description.layers if layer.neuron)
    usual = next((spec for spec, _ in kinds.most_common() if spec.reset != "delayed" and spec.compare == "ge"), None)
    if usual is not None:
        base = replace(base, neuron=usual.kind, reset=usual.reset, tau=usual.tau, v_init=usual.v_init)
    return replace(
        base,
        model="imported",
        layers=layers_text(_specs(description, usual)),
        image_size=image_side(description.input_shape),
        timesteps=description.timesteps,
        threshold=1.0,
        ratio=FINE_TUNING.ratio,
        epochs=FINE_TUNING.epochs,
        finetune=FINE_TUNING.finetune,
        lr=FINE_TUNING.lr,
        l1=FINE_TUNING.l1,
        ratio_ramp=FINE_TUNING.ratio_ramp,
        augment=FINE_TUNING.augment,
    )


def image_side(shape: tuple[int, ...]) -> int:
    """The option ``image_size`` of a network that reads images [..., H, W, C]: arrays keep their size whatever it says,
    so that a row longer than any image of a data set is possible."""
    return min(max(shape[-3:-1]), LARGEST_SIDE)


def trainable(network: Quantised, config: TrainConfig) -> Network:
    """The network of training that computes what ``network`` describes, in evaluation mode.

    Its integers are the same ones. Batch norm has the statistics of the calibration, where there was one, so that a
    training that starts from it computes nearly the same. Raises ImportingError where float32 does not hold a scale.
    """
    description = network.description
    with torch.random.fork_rng(devices=[]):
        made = Network(
            _specs(description, _config_neuron(config)), config, description.input_shape, description.classes
        )
    for layer in description.layers[:-1]:
        connections = made.layer(layer.name).connections
        for entry in layer.inputs:
            if entry.weights is not None:
                _set(cast(QuantModule, connections[entry.name]), entry, layer.name)
        _set_norm(made.layer(layer.name).norm, layer, network.statistics)
    last = description.layers[-1]
    _set(made.readout.weight, last.inputs[0], last.name)
    _copy(cast(Tensor, made.readout.weight.bias), last.norm_shift)
    return made.eval()


def _set(module: QuantModule, entry: ConnectionDescription, layer: str) -> None:
    assert entry.weights is not None
    set_integers(module, torch.from_numpy(entry.weights), torch.from_numpy(entry.scale))
    if not np.array_equal(quantised(module)[0], entry.weights):
        raise ImportingError(
            f"layer {layer!r}: its weights, from {entry.scale.min():g} a step, are too small or too large for float32"
        )


def _set_norm(norm: torch.nn.Module, layer: LayerDescription, statistics: Mapping[str, Statistics]) -> None:
    channels = len(layer.norm_scale)
    known = statistics.get(layer.name, Statistics(np.zeros(channels), np.ones(channels)))
    spread = np.sqrt(known.variance + cast(float, norm.eps))
    for name, values in (
        ("running_mean", known.mean),
        ("running_var", known.variance),
        ("weight", layer.norm_scale * spread),
        ("bias", layer.norm_shift + known.mean * layer.norm_scale),
    ):
        _copy(cast(Tensor, getattr(norm, name)), values)


@torch.no_grad()
def _copy(target: Tensor, values: Floats) -> None:
    target.copy_(torch.from_numpy(np.array(values, np.float64)))


def _config_neuron(config: TrainConfig) -> NeuronSpec:
    return NeuronSpec(config.neuron, config.reset, config.tau, config.v_init)  # type: ignore[arg-type]


def _neuron_spec(neuron: NeuronDescription) -> NeuronSpec:
    tau = neuron.tau if neuron.kind == "LIF" else NeuronSpec("IF", "soft").tau
    return NeuronSpec(neuron.kind, neuron.reset, tau, neuron.v_init, neuron.compare)


def _specs(description: NetworkDescription, usual: NeuronSpec | None) -> tuple[LayerSpec, ...]:
    *hidden, last = description.layers
    groups = _groups(hidden)
    specs = []
    for layer in hidden:
        assert layer.neuron is not None
        own = _neuron_spec(layer.neuron)
        specs.append(
            LayerSpec(
                name=layer.name,
                channels=len(layer.norm_scale),
                inputs=tuple(_connection_spec(entry) for entry in layer.inputs),
                pool=layer.pool,
                pool_kind=layer.pool_kind,
                global_sum=last.global_sum and layer.name == last.inputs[0].source,
                neuron=None if own == usual else own,
                group=groups[layer.name],
            )
        )
    return tuple(specs)


def _groups(layers: list[LayerDescription]) -> dict[str, str]:
    """Layers whose channels meet in an addition, since one adds the other as it is, lose the same ones: by name."""
    first = {layer.name: layer.name for layer in layers}
    for layer in layers:
        joined = {first[entry.source] for entry in layer.inputs if entry.weights is None} | {first[layer.name]}
        lead = next(name for name in first if first[name] in joined)
        first = {name: first[lead] if group in joined else group for name, group in first.items()}
    sizes = Counter(first.values())
    return {name: group if sizes[group] > 1 else "" for name, group in first.items()}


def _connection_spec(entry: ConnectionDescription) -> ConnectionSpec:
    if entry.kind != "conv":
        return ConnectionSpec(entry.name, entry.source, entry.kind)
    assert entry.weights is not None
    rows, columns = entry.weights.shape[2:]
    plain = ConnectionSpec(entry.name, entry.source, "conv", rows, entry.stride, columns if columns != rows else 0)
    return plain if plain.sides == entry.sides else replace(plain, padding=entry.sides)
