"""Our own networks as NIR graphs, float weights and all, so that other simulators compute them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import nir
import numpy as np

from codegen.errors import ImportingError
from codegen.importing.float_network import Floats
from codegen.importing.nir_time import DT, RESET, USUAL_DT, V_INIT
from codegen.run_folder import RunFolder
from codegen.run_inputs import load_network_description
from sca_train.description import ConnectionDescription, LayerDescription, NetworkDescription
from sca_train.specs import IMAGE, windows

NEXT_BELOW = 1 - 2.0**-24
"""NIR's neurons spike above the threshold, ours at it too: theirs is the next smaller number of float32."""


def to_nir(run: Path) -> nir.NIRGraph:
    """The compact network of a run folder, trained by ``sca_train`` or imported, as a NIR graph.

    Its input is uint8 values as they are (the input's scale is in the weights), at every step; its output the logits
    of a step, whose sums over the steps are those of the network. The metadata has ``dt`` (seconds), ``reset``,
    ``timesteps``, and at neurons that do not start from 0 ``v_init``, a share of the threshold, which a warning says,
    since simulators do not know it.

    Max pooling, which NIR has not, is a sum pooling with a threshold of one half. Raises ImportingError for LateIF
    neurons, which no node of NIR is.
    """
    return nir_of(load_network_description(RunFolder(run)))


def nir_of(network: NetworkDescription) -> nir.NIRGraph:
    """The NIR graph of a described network; errors and warnings as ``to_nir``."""
    _check(network)
    return _Writer(network).graph()


def _check(network: NetworkDescription) -> None:
    wrong = []
    for layer in network.layers:
        if layer.neuron is not None and layer.neuron.kind == "LateIF":
            wrong.append(layer.name)
    if wrong:
        raise ImportingError(f"NIR has no node for LateIF neurons, which {', '.join(wrong)} has")
    starting = [layer.name for layer in network.layers if layer.neuron is not None and layer.neuron.v_init]
    if starting:
        warnings.warn(
            f"the neurons of {', '.join(starting)} start from a share of their threshold, which NIR cannot say: it is "
            f"in their metadata ({V_INIT}), and a simulator has to set it before the first step",
            stacklevel=3,
        )


@dataclass
class _Writer:
    network: NetworkDescription
    nodes: dict[str, nir.NIRNode] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)

    def graph(self) -> nir.NIRGraph:
        height, width, channels = self.network.input_shape
        self.shapes[IMAGE], self.ends[IMAGE] = (channels, height, width), IMAGE
        self.nodes[IMAGE] = nir.Input(np.array(self.shapes[IMAGE]))
        for layer in self.network.layers:
            self._layer(layer)
        last = self.network.layers[-1].name
        self.nodes["output"] = nir.Output(np.array(self.shapes[last]))
        self.edges.append((self.ends[last], "output"))
        metadata = {DT: USUAL_DT, "timesteps": self.network.timesteps, RESET: self._common_reset()}
        return nir.NIRGraph(self.nodes, self.edges, metadata=metadata, type_check=False)

    def _common_reset(self) -> str:
        return next(layer.neuron.reset for layer in self.network.layers if layer.neuron is not None)

    def _layer(self, layer: LayerDescription) -> None:
        terms = self._terms(layer)
        nodes = []
        for index, (name, connection) in enumerate(terms):
            bias = layer.norm_shift if index == 0 else np.zeros_like(layer.norm_shift)
            nodes.append(self._connection(f"{layer.name}.{name}", connection, layer, bias))
        shape = self.shapes[nodes[0]]
        if layer.neuron is None:
            self.ends[layer.name], self.shapes[layer.name] = nodes[0], shape
            return
        name = f"{layer.name}.neurons"
        self.nodes[name] = _neuron(layer, shape, self._common_reset())
        self.edges.extend((node, name) for node in nodes)
        self.ends[layer.name], self.shapes[layer.name] = name, shape
        if layer.pool > 1:
            self._pool(f"{layer.name}.pool", layer.name, (layer.pool, layer.pool), layer.pool_kind)

    def _pool(self, name: str, layer: str, size: tuple[int, int], kind: Literal["max", "avg"] = "avg") -> None:
        channels, height, width = self.shapes[layer]
        window = np.array(size)
        pooling = nir.SumPool2d if kind == "max" else nir.AvgPool2d
        self.nodes[name] = pooling(kernel_size=window, stride=window, padding=np.array([0, 0]))
        self.edges.append((self.ends[layer], name))
        self.ends[layer], self.shapes[layer] = name, (channels, height // size[0], width // size[1])
        if kind == "max":
            # Of spikes: one in the window is enough.
            self.nodes[f"{name}.any"] = nir.Threshold(np.full(self.shapes[layer], 0.5))
            self.edges.append((name, f"{name}.any"))
            self.ends[layer] = f"{name}.any"

    def _terms(self, layer: LayerDescription) -> list[tuple[str, ConnectionDescription]]:
        """The connections whose sum is the layer's, those of the sums that it continues among them."""
        own = [(connection.name, connection) for connection in layer.inputs]
        if not layer.residual:
            return own
        before = next(other for other in self.network.layers if other.name == layer.residual)
        return own + [(f"{before.name}.{name}", connection) for name, connection in self._terms(before)]

    def _connection(self, name: str, connection: ConnectionDescription, layer: LayerDescription, bias: Floats) -> str:
        source, shape = self.ends[connection.source], self.shapes[connection.source]
        factor = layer.norm_scale * (self.network.input_scale if connection.source == IMAGE else 1.0)
        if layer.global_sum and len(shape) == 3:
            self._pool(f"{name}.mean", connection.source, (shape[1], shape[2]))
            source, shape = self.ends[connection.source], self.shapes[connection.source]
        if connection.weights is None:
            return self._identity(name, source, shape, factor, bias)
        weights = connection.weights * (connection.scale * factor).reshape(-1, *[1] * (connection.weights.ndim - 1))
        if connection.kind == "conv":
            return self._convolution(name, source, shape, weights, bias, connection)
        if len(shape) == 3:
            flat = f"{name}.flatten"
            self.nodes[flat] = nir.Flatten({"input": np.array(shape)}, start_dim=0, end_dim=-1)
            self.edges.append((source, flat))
            source = flat
        self.nodes[name] = nir.Affine(weights, bias)
        self.edges.append((source, name))
        self.shapes[name] = (len(weights),)
        return name

    def _convolution(
        self, name: str, source: str, shape: tuple[int, ...], weights: Floats, bias: Floats,
        connection: ConnectionDescription,
    ) -> str:  # fmt: skip
        size, (above, left, below, right) = connection.stride, connection.sides
        if (above, left) != (below, right):
            raise ImportingError(f"{name}: NIR pads as much above as below, and left as right, not {connection.sides}")
        self.nodes[name] = nir.Conv2d(shape[1:], weights, size, (above, left), 1, 1, bias)
        self.edges.append((source, name))
        rows, columns = windows((shape[1], shape[2]), weights.shape[2:], size, connection.sides)
        self.shapes[name] = (len(weights), rows, columns)
        return name

    def _identity(self, name: str, source: str, shape: tuple[int, ...], factor: Floats, bias: Floats) -> str:
        if bias.any() and len(shape) == 3:
            diagonal = np.zeros((len(factor), len(factor), 1, 1))
            diagonal[np.arange(len(factor)), np.arange(len(factor)), 0, 0] = factor
            self.nodes[name] = nir.Conv2d(shape[1:], diagonal, 1, 0, 1, 1, bias)
        elif bias.any():
            self.nodes[name] = nir.Affine(np.diag(factor), bias)
        else:
            per_channel = factor.reshape(-1, *[1] * (len(shape) - 1))
            self.nodes[name] = nir.Scale(np.array(np.broadcast_to(per_channel, shape)))
        self.edges.append((source, name))
        self.shapes[name] = shape
        return name


def _neuron(layer: LayerDescription, shape: tuple[int, ...], common: str) -> nir.NIRNode:
    neuron = layer.neuron
    assert neuron is not None
    threshold = np.full(shape, neuron.threshold * (NEXT_BELOW if neuron.compare == "ge" else 1.0))
    metadata: dict[str, Any] = {V_INIT: neuron.v_init} if neuron.v_init else {}
    if neuron.reset != common:
        metadata[RESET] = neuron.reset
    none = np.zeros(shape)
    if neuron.kind == "IF":
        return nir.IF(np.full(shape, 1 / USUAL_DT), threshold, none, metadata=metadata)
    tau = np.full(shape, neuron.tau * USUAL_DT)
    return nir.LIF(tau, np.ones(shape), none, threshold, none.copy(), metadata=metadata)
