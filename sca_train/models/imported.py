"""imported: the layers of a network that came from elsewhere, as the option ``layers`` lists them."""

from __future__ import annotations

import json
from dataclasses import asdict
from math import prod
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sca_train.config import MAX_TAU, V_INITS, TrainConfig
from sca_train.errors import TrainError
from sca_train.specs import IMAGE, LayerSpec

_MOST_LAYERS = 1024
_LARGEST = 2**16
"""Of a layer's channels, kernels and strides: far beyond any network, and products of them stay whole numbers."""
_LAYERS = TypeAdapter(tuple[LayerSpec, ...])


def imported(config: TrainConfig) -> tuple[LayerSpec, ...]:
    """The layers of the option ``layers``; TrainError, one sentence, where they are none that a network can have."""
    if not config.layers:
        raise TrainError(
            "model imported has no layers of its own; --init (INIT=runs/NAME) names an imported run that has some"
        )
    try:
        layers = _LAYERS.validate_json(config.layers, strict=True)
        _check(layers)
    except (ValidationError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise TrainError(f"layers is no list of layers that an import wrote ({reason})") from None
    return layers


def layers_text(layers: tuple[LayerSpec, ...]) -> str:
    """The option ``layers`` that stands for them: fields that have their defaults are left out."""
    return json.dumps([_changed(asdict(layer), _DEFAULT_LAYER) for layer in layers], separators=(",", ":"))


_DEFAULT_LAYER: dict[str, Any] = asdict(LayerSpec("", 0, ()))


def _changed(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in defaults or value != defaults[key]}


def _check(layers: tuple[LayerSpec, ...]) -> None:
    """Raise ValueError for layers that ``Network`` could not be built of, or not within a machine's memory."""
    if not 1 <= len(layers) <= _MOST_LAYERS:
        raise ValueError(f"{len(layers)} layers")
    known: set[str] = {IMAGE}
    for layer in layers:
        if not layer.name.isidentifier() or layer.name in known:
            raise ValueError(f"layer name {layer.name[:40]!r}")
        sources = {entry.source for entry in layer.inputs}
        if not layer.inputs or not sources <= known or (layer.residual and layer.residual not in known - {IMAGE}):
            raise ValueError(f"layer {layer.name} reads no earlier layer")
        names = [entry.name for entry in layer.inputs]
        if len(set(names)) < len(names) or not all(name.isidentifier() for name in names):
            raise ValueError(f"connections of {layer.name}")
        for entry in layer.inputs:
            sizes = (*entry.taps, entry.stride, *(side + 1 for side in entry.sides))
            if not all(1 <= size <= _LARGEST for size in sizes) or prod(entry.taps) > _LARGEST:
                raise ValueError(f"kernel, stride or padding of {entry.name}")
        if not (1 <= layer.channels <= _LARGEST and 1 <= layer.pool <= _LARGEST):
            raise ValueError(f"channels or pooling of {layer.name}")
        own = layer.neuron
        if own and (own.v_init not in V_INITS or own.tau not in [float(2**k) for k in range(1, MAX_TAU.bit_length())]):
            raise ValueError(f"neurons of {layer.name}")
        known.add(layer.name)
