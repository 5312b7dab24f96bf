"""NIR graphs evaluated node by node with PyTorch's own functions: what the lowered network is compared with."""

from __future__ import annotations

from dataclasses import dataclass

import nir
import numpy as np
import torch
from torch.nn import functional


@dataclass(frozen=True)
class Reference:
    """Logits [N, classes], and potentials before reset and spikes [T, N, ...] by node."""

    logits: np.ndarray
    potentials: dict[str, np.ndarray]
    spikes: dict[str, np.ndarray]


def evaluate(graph: nir.NIRGraph, frames: np.ndarray, dt: float, reset: str, compare: str = "gt") -> Reference:
    """``frames`` float64 [T, N, ...], of the input's shape."""
    order = _order(graph)
    state: dict[str, torch.Tensor] = {}
    potentials, spikes = ({name: [] for name, node in graph.nodes.items() if _spiking(node)} for _ in (0, 1))
    logits = None
    for frame in frames:
        values: dict[str, torch.Tensor] = {}
        for name in order:
            node = graph.nodes[name]
            inputs = [values[source] for source, target in graph.edges if target == name]
            x = (
                torch.from_numpy(np.ascontiguousarray(frame))
                if isinstance(node, nir.Input)
                else sum(inputs[1:], inputs[0])
            )
            if _spiking(node):
                potential, fired = _step(node, x, state, name, dt, reset, compare)
                potentials[name].append(potential.numpy())
                spikes[name].append(fired.numpy())
                x = fired
            elif not isinstance(node, nir.Input | nir.Output):
                x = _stateless(node, x)
            values[name] = x
        out = values[next(name for name, node in graph.nodes.items() if isinstance(node, nir.Output))]
        logits = out if logits is None else logits + out
    stacked = ({name: np.stack(steps) for name, steps in found.items()} for found in (potentials, spikes))
    return Reference(logits.flatten(1).numpy(), *stacked)


def _order(graph):
    done, order = set(), []
    while len(order) < len(graph.nodes):
        for name in graph.nodes:
            if name not in done and all(source in done for source, target in graph.edges if target == name):
                done.add(name)
                order.append(name)
    return order


def _spiking(node):
    return isinstance(node, nir.IF | nir.LIF | nir.Threshold)


def _step(node, x, state, name, dt, reset, compare):
    if isinstance(node, nir.Threshold):
        threshold = torch.from_numpy(node.threshold)
        return x, (x > threshold if compare == "gt" else x >= threshold).double()
    threshold, r = torch.from_numpy(node.v_threshold), torch.from_numpy(node.r)
    v = state.get(name, torch.zeros_like(x))
    if isinstance(node, nir.LIF):
        tau, leak = torch.from_numpy(node.tau), torch.from_numpy(node.v_leak)
        v_new = v + dt / tau * (leak - v + r * x)
    else:
        v_new = v + dt * r * x
    if reset == "delayed":
        v_new = v_new - threshold * state.get(f"{name} fired", torch.zeros_like(x))
    fired = (v_new > threshold if compare == "gt" else v_new >= threshold).double()
    left = {"hard": v_new * (1 - fired), "soft": v_new - threshold * fired, "delayed": v_new}[reset]
    state[name], state[f"{name} fired"] = left, fired
    return v_new, fired


def _stateless(node, x):
    match node:
        case nir.Conv2d() | nir.Conv1d():
            convolve = functional.conv2d if isinstance(node, nir.Conv2d) else functional.conv1d
            numbers = [
                value if isinstance(value, str) else tuple(np.atleast_1d(value).tolist())
                for value in (node.stride, node.padding, node.dilation)
            ]
            stride, padding, dilation = numbers
            weight, bias = torch.from_numpy(node.weight), torch.from_numpy(node.bias)
            return convolve(x, weight, bias, stride, padding, dilation, int(node.groups))
        case nir.Affine():
            return functional.linear(x, torch.from_numpy(node.weight), torch.from_numpy(node.bias))
        case nir.Linear():
            return functional.linear(x, torch.from_numpy(node.weight))
        case nir.Scale():
            return x * torch.from_numpy(node.scale)
        case nir.AvgPool2d() | nir.SumPool2d():
            kernel, stride, padding = (
                tuple(np.atleast_1d(v).tolist()) for v in (node.kernel_size, node.stride, node.padding)
            )
            pooled = functional.avg_pool2d(x, kernel, stride, padding)
            return pooled * float(np.prod(kernel)) if isinstance(node, nir.SumPool2d) else pooled
        case nir.Flatten():
            end = int(node.end_dim)
            return x.flatten(int(node.start_dim) + 1, end + 1 if end >= 0 else end)
    raise AssertionError(type(node))
