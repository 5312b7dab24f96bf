"""A float network in the form that integers can follow: plain names, no dead layers, leaks that are shifts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from codegen.errors import ImportingError
from codegen.importing.float_network import FloatConnection, FloatLayer, FloatNetwork, FloatNeuron
from sca_train.config import MAX_TAU, V_INITS
from sca_train.specs import IMAGE, READ_OUT

_TAKEN = re.compile(r"(image|logits|neuron\d+|pool\d+)(_.*)?|readout")
"""Names of nodes that model.onnx has beside those of layers."""
_LARGEST_SHIFT = MAX_TAU.bit_length() - 1


@dataclass(frozen=True)
class NormalForm:
    """The network with other names and leaks, what each layer was called, and what was changed, a sentence each."""

    network: FloatNetwork
    origins: dict[str, str]
    notes: tuple[str, ...]


def normal_form(network: FloatNetwork) -> NormalForm:
    """The network with what the integer network needs: a chain of names, one read-out of the last layer, shifts.

    Layers that nothing reads are left out; an image that is added as it is goes through weights of one; the gain of the
    read-out is in its weights; a leak becomes the nearest 1 - 2^-k, which a note states with its error. Raises
    ImportingError, one sentence, for what no integer network here can be.
    """
    _check(network)
    layers = _living(network.layers)
    notes = [
        f"layer {layer.name!r} is left out: nothing reads it"
        for layer in network.layers
        if layer.name not in {kept.name for kept in layers}
    ]
    layers = [_with_image_weights(layer, network.input_shape[2]) for layer in layers]
    layers[-1] = _with_gain_in_weights(layers[-1])
    notes += _leak_notes(layers)
    layers = [replace(layer, neuron=_shifted(layer.neuron)) if layer.neuron else layer for layer in layers]
    named = _named(layers)
    origins = {new.name: old.name for new, old in zip(named, layers, strict=True)}
    return NormalForm(replace(network, layers=tuple(named)), origins, tuple(notes))


def leak_shift(neuron: FloatNeuron) -> int:
    """k of the leak V - (V >> k) that keeps what is nearest to the neuron's decay; 0 for none, which is the nearest too
    where the neuron leaks less than half of what the largest shift takes."""
    return min(range(_LARGEST_SHIFT + 1), key=lambda shift: abs(_kept(shift) - neuron.decay))


def _kept(shift: int) -> float:
    """The share of V that a leak of this shift keeps in a step."""
    return 1 - 2.0**-shift if shift else 1.0


def _shifted(neuron: FloatNeuron) -> FloatNeuron:
    shift = leak_shift(neuron)
    # Without a leak, what is taken away now or at the next step is the same.
    reset = "soft" if not shift and neuron.reset == "delayed" else neuron.reset
    return replace(neuron, decay=_kept(shift), reset=reset)


def _leak_notes(layers: Iterable[FloatLayer]) -> list[str]:
    changed: dict[float, list[str]] = {}
    for layer in layers:
        if layer.neuron and _shifted(layer.neuron).decay != layer.neuron.decay:
            changed.setdefault(layer.neuron.decay, []).append(layer.name)
    return [
        f"the leak of {', '.join(names)} keeps {decay:.6g} of V each step and becomes the nearest that a shift "
        f"computes, {_nearest(decay):.6g} ({_nearest(decay) - decay:+.4f})"
        for decay, names in changed.items()
    ]


def _nearest(decay: float) -> float:
    return _kept(leak_shift(FloatNeuron(decay, "soft", "ge")))


def _check(network: FloatNetwork) -> None:
    *hidden, last = network.layers
    if last.neuron is not None or any(layer.neuron is None for layer in hidden):
        raise ImportingError("exactly the last layer must be without neurons: it is the read-out")
    if not hidden:
        raise ImportingError("the network has no layer of neurons before its read-out, so nothing in it spikes")
    if len(last.inputs) != 1 or last.inputs[0].kind != "linear" or last.inputs[0].source == IMAGE:
        raise ImportingError("the read-out must be one fully connected layer that reads spikes, and nothing else")
    known = {IMAGE}
    for layer in network.layers:
        if layer.name in known or not layer.inputs or any(entry.source not in known for entry in layer.inputs):
            raise ImportingError(f"layer {layer.name!r}: it reads no earlier layer, or its name is taken")
        known.add(layer.name)
        _check_values(layer)


def _check_values(layer: FloatLayer) -> None:
    arrays = [layer.gain, layer.shift, layer.threshold, *(e.weights for e in layer.inputs if e.weights is not None)]
    if not all(np.isfinite(values).all() for values in arrays):
        raise ImportingError(f"layer {layer.name!r}: its weights or constants hold NaN or infinity")
    neuron = layer.neuron
    if neuron is None:
        return
    if not (layer.threshold > 0).all():
        raise ImportingError(f"layer {layer.name!r}: not all of its thresholds are above 0")
    if not 0 < neuron.decay <= 1:
        raise ImportingError(
            f"layer {layer.name!r}: its neurons keep {neuron.decay:g} of V each step, not 0 to 1 of it"
        )
    if neuron.v_init not in V_INITS:
        raise ImportingError(
            f"layer {layer.name!r}: its neurons start at {neuron.v_init:g} of their threshold; only 0 and 0.5 are "
            "possible"
        )


def _living(layers: tuple[FloatLayer, ...]) -> list[FloatLayer]:
    """The layers that the read-out follows from."""
    needed = {layers[-1].name}
    for layer in reversed(layers):
        if layer.name in needed:
            needed.update(entry.source for entry in layer.inputs)
    return [layer for layer in layers if layer.name in needed]


def _with_image_weights(layer: FloatLayer, channels: int) -> FloatLayer:
    """An identity of the image as a convolution: weights can take the unit of the image, an identity cannot."""
    ones = np.eye(channels)[:, :, None, None]
    inputs = tuple(
        replace(entry, kind="conv", weights=ones) if entry.source == IMAGE and entry.weights is None else entry
        for entry in layer.inputs
    )
    return replace(layer, inputs=inputs)


def _with_gain_in_weights(layer: FloatLayer) -> FloatLayer:
    (entry,) = layer.inputs
    assert entry.weights is not None
    weights = entry.weights * layer.gain[:, None]
    return replace(layer, inputs=(replace(entry, weights=weights),), gain=np.ones_like(layer.gain))


def _named(layers: list[FloatLayer]) -> list[FloatLayer]:
    """Names that are plain words, each once in the whole network; that of a lone connection is its layer's."""
    taken: set[str] = set()
    names = {IMAGE: IMAGE}
    for layer in layers[:-1]:
        names[layer.name] = _plain(layer.name, taken)
    names[layers[-1].name] = READ_OUT
    return [replace(layer, name=names[layer.name], inputs=_named_inputs(layer, names, taken)) for layer in layers]


def _named_inputs(layer: FloatLayer, names: dict[str, str], taken: set[str]) -> tuple[FloatConnection, ...]:
    name = names[layer.name]
    if len(layer.inputs) == 1:
        return (replace(layer.inputs[0], name=name, source=names[layer.inputs[0].source]),)
    return tuple(
        replace(entry, name=_plain(f"{name}_term{number}", taken), source=names[entry.source])
        for number, entry in enumerate(layer.inputs, start=1)
    )


def _plain(name: str, taken: set[str]) -> str:
    plain = re.sub(r"\W", "_", name, flags=re.ASCII) or "layer"
    if not plain[0].isalpha() or _TAKEN.fullmatch(plain):
        plain = f"layer_{plain}"
    number, free = 2, plain
    while free in taken:
        free, number = f"{plain}_{number}", number + 1
    taken.add(free)
    return free
