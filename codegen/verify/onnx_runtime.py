"""model.onnx in stock ONNX Runtime: the golden logits that every later stage is compared with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from codegen.errors import ModelError, SimulationError, first_line
from codegen.export.onnx_properties import ModelProperties
from codegen.export.onnx_reader import read_model
from codegen.onnx_nodes import is_neuron
from codegen.verify.images import check_images

_NO_LOG = 4
"""Its errors are exceptions too."""


@dataclass(frozen=True)
class OnnxNetwork:
    """A loaded model.onnx: its description and an ONNX Runtime session."""

    properties: ModelProperties
    session: onnxruntime.InferenceSession
    spike_tensors: tuple[str, ...]
    """Outputs of the session beside the logits: spikes 0/1 [T, N, ...] of every neuron layer, if asked for."""

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Logits int32 [N, classes] of images uint8 [N, H, W, C] or event frames uint8 [N, T, H, W, C].

        Raises SimulationError where the images are of the wrong shape or type.
        """
        parts = list(self.batches(images))
        return np.concatenate(parts) if parts else np.zeros((0, self.properties.classes), np.int32)

    def batches(self, images: NDArray[np.uint8]) -> Iterator[NDArray[np.int32]]:
        """The logits of one batch of images after the other, as they are computed."""
        check_images(images, self.properties.input_shape)
        for batch in self._split(images):
            yield self._run([self.properties.logits], batch)[0]

    def zero_shares(self, images: NDArray[np.uint8]) -> tuple[float, ...]:
        """Share of zeros in each spike tensor over all images, in the order of ``spike_tensors``."""
        check_images(images, self.properties.input_shape)
        ones = np.zeros(len(self.spike_tensors))
        total = np.zeros(len(self.spike_tensors))
        for batch in self._split(images):
            trains = self._run(list(self.spike_tensors), batch)
            ones += [train.sum(dtype=np.float64) for train in trains]
            total += [train.size for train in trains]
        return tuple(float(share) for share in 1 - ones / np.maximum(total, 1))

    def _run(self, tensors: list[str], batch: NDArray[np.uint8]) -> list[NDArray[Any]]:
        return run_batch(self.session, tensors, self.properties.image, batch)

    def _split(self, images: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
        batch = self.properties.batch
        return (images[start : start + batch] for start in range(0, len(images), batch))


def load_network(path: Path, with_spikes: bool = False) -> OnnxNetwork:
    """Load a model.onnx; ``with_spikes`` makes the spike tensors readable (slower).

    Raises ModelError for what ``codegen.export.onnx_reader`` refuses, and where ONNX Runtime does.
    """
    checked = read_model(path)
    model = checked.proto
    spikes = [node.output[0] for node in model.graph.node if is_neuron(node)] if with_spikes else []
    for tensor in spikes:
        model.graph.output.append(helper.make_tensor_value_info(tensor, TensorProto.FLOAT, None))
    return OnnxNetwork(properties=checked.properties, session=open_session(path, model), spike_tensors=tuple(spikes))


def open_session(path: Path, model: ModelProto) -> onnxruntime.InferenceSession:
    """A session of a model that was read from ``path``; raises ModelError where ONNX Runtime rejects it."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _NO_LOG
    try:
        return onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
        raise ModelError(f"{path}: ONNX Runtime rejects it ({first_line(error)}); run the export again") from error


def run_batch(
    session: onnxruntime.InferenceSession, tensors: list[str], image: str, batch: NDArray[np.uint8]
) -> list[NDArray[Any]]:
    """Some tensors of one batch given as the input ``image``; raises SimulationError where ONNX Runtime stops."""
    try:
        return session.run(tensors, {image: batch})
    except Exception as error:  # as above; a memory too small is one of them
        raise SimulationError(f"ONNX Runtime stopped: {first_line(error)}") from error


def run_onnx(path: Path, images: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Logits int32 [N, classes] of images uint8 [N, H, W, C], or event frames [N, T, H, W, C], from a model.onnx."""
    return load_network(path).logits(images)
