"""Sums become layers: their terms the connections, their constants the shifts, and neurons or the read-out behind."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np

from codegen.importing import linear_maps, sums
from codegen.importing.float_network import FloatConnection, FloatLayer, FloatNeuron, Floats
from codegen.importing.linear_maps import Grid, RefusedError, Term
from codegen.importing.operators import Neuron
from codegen.importing.sums import Sum
from sca_train.specs import IMAGE, READ_OUT


def spiking_layer(name: str, operator: Neuron, value: Sum) -> tuple[FloatLayer, Grid, list[str]]:
    """A layer of neurons on a sum, the grid of its spikes, and what had to be decided, the ends of sentences."""
    decay = _same_for_all(operator.decay, "time constants")
    value, parameters = _by_channel(value, operator)
    gain, shift, threshold, v_reset = parameters
    notes = []
    if not 0 <= decay <= 1:
        raise RefusedError(f"keeps {decay:g} of its potential from step to step, and must keep between 0 and 1 of it")
    if operator.reset != "hard" and v_reset.any():
        raise RefusedError(
            f"has a v_reset of {v_reset[v_reset != 0][0]:g}, which a {operator.reset} reset has no place for"
        )
    if (threshold <= v_reset).any():
        raise RefusedError(
            f"has a threshold of {threshold.min():g}, and it must be above {'v_reset' if v_reset.any() else '0'}"
        )
    if v_reset.any():
        # The same neurons, with the potential counted from v_reset.
        shift = shift + (decay - 1) * v_reset
        threshold = threshold - v_reset
        notes.append("starts from its v_reset, which is not 0, as it does behind a spike.")
    reset = "soft" if operator.reset == "delayed" and decay == 1 else operator.reset
    common, connections = _connections(name, value, gain)
    layer = FloatLayer(
        name=name,
        inputs=connections,
        gain=common,
        shift=gain * value.bias + shift,
        threshold=threshold,
        neuron=FloatNeuron(decay, reset, operator.compare, operator.v_init),
    )
    return layer, value.grid, notes


def _same_for_all(parameter: Floats, what: str) -> float:
    first = float(parameter.reshape(-1)[0])
    if (parameter != first).any():
        raise RefusedError(
            f"has {what} that differ between its neurons ({parameter.min():g} to {parameter.max():g} of the potential "
            "kept in a step), and a layer has one for all"
        )
    return first


def _by_channel(value: Sum, operator: Neuron) -> tuple[Sum, tuple[Floats, ...]]:
    """Gain, shift, threshold and v_reset per channel of the sum's grid, which becomes a vector where that is needed."""
    wanted = (operator.gain, operator.shift, operator.threshold, operator.v_reset)
    found = [sums.by_channel(parameter, value) for parameter in wanted]
    if any(parameter is None for parameter in found):
        if len(value.shape) > 1:
            raise RefusedError(
                "has parameters that differ between pixels of one channel; one for each channel is possible"
            )
        value = sums.as_vector(value)
        found = [sums.by_channel(parameter, value) for parameter in wanted]
    return value, tuple(cast(Floats, parameter) for parameter in found)


def _connections(name: str, value: Sum, gain: Floats) -> tuple[Floats, tuple[FloatConnection, ...]]:
    """The gain of the layer and its connections, whose sum times that gain is ``gain`` times the terms of the sum."""
    terms = [linear_maps.scaled(term, gain) for term in value.terms]
    matrices = any(term.kind == "dense" for term in terms)
    terms = [
        linear_maps.written_out(term) if term.kind == "mean" or (matrices and term.kind == "conv") else term
        for term in terms
    ]
    common = _identity_factor(terms)
    connections = []
    for index, term in enumerate(terms):
        suffix = "" if len(terms) == 1 else f"_{index + 1}"
        own = linear_maps.scaled(term, 1 / common)
        connections.append(_connection(f"{name}{suffix}", own, identity=len(terms) > 1))
    return common, tuple(connections)


def _identity_factor(terms: list[Term]) -> Floats:
    """The factor of the first term that can be an identity, so that the layer's gain takes it; ones where none can."""
    for term in terms:
        if len(terms) > 1 and term.kind == "direct" and term.source != IMAGE and term.weights.all():
            return term.weights
    return np.ones(terms[0].out_grid[0])


def _connection(name: str, term: Term, identity: bool) -> FloatConnection:
    if term.kind == "direct" and identity and term.source != IMAGE and np.allclose(term.weights, 1, rtol=1e-12):
        return FloatConnection(name, term.source, "identity", None)
    if term.kind == "direct" and term.grid[1:] == (1, 1):
        term = linear_maps.written_out(term)
    elif term.kind == "direct":
        weights = linear_maps.depthwise(term.weights, (1, 1))
        term = replace(term, kind="conv", weights=weights)
    if term.kind == "conv":
        return FloatConnection(name, term.source, "conv", term.weights, _one_stride(term), term.padding)
    return FloatConnection(name, term.source, "linear", term.weights)


def _one_stride(term: Term) -> int:
    """The stride of both directions; one of a single row or column of windows does not count."""
    rows, columns = term.stride
    if rows == columns:
        return rows
    for stride in (columns, rows):
        if replace(term, stride=(stride, stride)).out_grid == term.out_grid:
            return stride
    raise RefusedError(
        f"reads {term.source} with strides of {rows} rows and {columns} columns, and they must be the same"
    )


def read_out(value: Sum) -> FloatLayer:
    """The read-out of what reaches the output: one matrix."""
    classes = int(np.prod(value.shape))
    terms = [linear_maps.of_means(term) for term in value.terms]
    if any(term.kind != "mean" for term in terms):
        terms = [linear_maps.written_out(term) for term in terms]
    merged = linear_maps.added(tuple(terms))
    if len(merged) > 1:
        sources = ", ".join(term.source for term in merged)
        raise RefusedError(f"adds up what several layers send ({sources}), and a read-out reads one")
    (term,) = merged
    if term.source == IMAGE:
        raise RefusedError("is reached by the image itself, and a read-out reads spikes")
    bias = np.repeat(value.bias, classes // len(value.bias))
    return FloatLayer(
        name=READ_OUT,
        inputs=(FloatConnection(READ_OUT, term.source, "linear", term.weights),),
        gain=np.ones(classes),
        shift=bias,
        threshold=np.ones(classes),
        neuron=None,
        global_sum=term.kind == "mean",
    )
