"""The integer network step by step, in ONNX Runtime: logits as they grow over the time steps, and spike trains."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from codegen.export.onnx_reader import read_model
from codegen.onnx_nodes import is_neuron, is_read_out
from codegen.verify.images import check_images
from codegen.verify.onnx_runtime import open_session, run_batch


@dataclass(frozen=True)
class Steps:
    """What an integer network did with N images at each of its T steps.

    ``logits``: int64 [T, N, classes], the sums up to and with each step; the last are the logits. ``spikes``: by layer
    with neurons, first to last, 0/1 uint8 [T, N, channels(, h, w)] before pooling.
    """

    logits: NDArray[np.int64]
    spikes: dict[str, NDArray[np.uint8]]


def run_steps(path: Path, images: NDArray[np.uint8]) -> Steps:
    """Steps of a few images uint8 [N, H, W, C], or event frames [N, T, H, W, C], in a model.onnx.

    Raises ModelError for what ``codegen.export.onnx_reader`` or ONNX Runtime refuses, SimulationError for images of
    another shape.
    """
    checked = read_model(path)
    properties = checked.properties
    check_images(images, properties.input_shape)
    model, types = checked.proto, {value.name: value for value in checked.frame.graph.value_info}
    read_out = next(node for node in model.graph.node if is_read_out(node))
    neurons = [node.output[0] for node in model.graph.node if is_neuron(node)]
    asked = [_element(read_out, types), *((tensor, TensorProto.FLOAT) for tensor in neurons)]
    model.graph.output.extend(helper.make_tensor_value_info(name, kind, None) for name, kind in asked)
    bias = next(numpy_helper.to_array(c) for c in model.graph.initializer if c.name == read_out.input[1])
    session, tensors = open_session(path, model), [name for name, _ in asked]
    currents, trains = [], []
    for start in range(0, len(images), properties.batch):
        batch = images[start : start + properties.batch]
        current, *spikes = run_batch(session, tensors, properties.image, batch)
        currents.append(current.astype(np.int64).reshape(properties.timesteps, len(batch), -1))
        trains.append([train.astype(np.uint8) for train in spikes])
    drive = np.concatenate(currents, axis=1) + bias.astype(np.int64)
    joined = (np.concatenate(parts, axis=1) for parts in zip(*trains, strict=True))
    return Steps(drive.cumsum(axis=0), dict(zip(properties.neuron_layers, joined, strict=True)))


def _element(read_out: NodeProto, types: dict[str, ValueInfoProto]) -> tuple[str, int]:
    """What the read-out adds up, and its type: sums of a MatMul are float32, those of an addition int32."""
    name = read_out.input[0]
    return name, types[name].type.tensor_type.elem_type
