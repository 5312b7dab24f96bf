"""model.onnx in stock ONNX Runtime: the golden logits that every later stage is compared with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import TensorProto, helper

from codegen.dialect import DOMAIN, EVENT_DIMENSIONS
from codegen.errors import ExportError
from codegen.neurons import NEURONS
from codegen.verify.images import check_images

LARGEST_BATCH = 32
BATCH_PIXELS = 1 << 17
"""Pixels of all steps that one call takes: 32 images of 32x32 at T = 4; more would only take memory."""


@dataclass(frozen=True)
class ModelProperties:
    """What model.onnx says about itself: input shape, T, classes, widths."""

    input_shape: tuple[int, ...]
    """Of one image, (height, width, channels), or of its event frames, (T, height, width, channels)."""
    timesteps: int
    classes: int
    frac_bits: int
    weight_bits: tuple[int, ...]
    """One per connection with weights."""
    neuron_layers: tuple[str, ...]
    """Names of the layers with neurons, first to last."""
    class_names: tuple[str, ...]
    """In the order of the logits; empty where the network names none."""

    @property
    def batch(self) -> int:
        """Images that one call of ONNX Runtime takes."""
        height, width, _ = self.input_shape[-3:]
        return min(LARGEST_BATCH, max(1, BATCH_PIXELS // (self.timesteps * height * width)))


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
            yield self.session.run(["logits"], {"image": batch})[0]

    def zero_shares(self, images: NDArray[np.uint8]) -> tuple[float, ...]:
        """Share of zeros in each spike tensor over all images, in the order of ``spike_tensors``."""
        check_images(images, self.properties.input_shape)
        ones = np.zeros(len(self.spike_tensors))
        total = np.zeros(len(self.spike_tensors))
        for batch in self._split(images):
            trains = self.session.run(list(self.spike_tensors), {"image": batch})
            ones += [train.sum(dtype=np.float64) for train in trains]
            total += [train.size for train in trains]
        return tuple(float(share) for share in 1 - ones / np.maximum(total, 1))

    def _split(self, images: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
        batch = self.properties.batch
        return (images[start : start + batch] for start in range(0, len(images), batch))


def read_properties(path: Path) -> ModelProperties:
    """What a model.onnx says about itself; raises ExportError when it is damaged or was not written here."""
    return _properties(path, _read_model(path))


def load_network(path: Path, with_spikes: bool = False) -> OnnxNetwork:
    """Load a model.onnx that this package wrote; ``with_spikes`` makes the spike tensors readable (slower).

    Raises ExportError when the file is damaged or was not written here.
    """
    model = _read_model(path)
    properties = _properties(path, model)
    spikes = [node.output[0] for node in _neurons(model)] if with_spikes else []
    for tensor in spikes:
        model.graph.output.append(helper.make_tensor_value_info(tensor, TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
        raise ExportError(f"{path}: ONNX Runtime rejects it ({_first_line(error)}); run the export again") from error
    return OnnxNetwork(properties=properties, session=session, spike_tensors=tuple(spikes))


def run_onnx(path: Path, images: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Logits int32 [N, classes] of images uint8 [N, H, W, C], or event frames [N, T, H, W, C], from a model.onnx."""
    return load_network(path).logits(images)


def _read_model(path: Path) -> onnx.ModelProto:
    try:
        return onnx.load(path)
    except (DecodeError, OSError, ValueError) as error:
        raise ExportError(f"{path} is damaged ({_first_line(error)}); run the export again") from error


def _properties(path: Path, model: onnx.ModelProto) -> ModelProperties:
    texts = {entry.key: entry.value for entry in model.metadata_props}
    try:
        height, width, channels = (int(size) for size in texts["input_shape"].split(","))
        timesteps = int(texts["timesteps"])
        events = len(model.graph.input[0].type.tensor_type.shape.dim) == EVENT_DIMENSIONS
        properties = ModelProperties(
            input_shape=(timesteps, height, width, channels) if events else (height, width, channels),
            timesteps=timesteps,
            classes=int(texts["classes"]),
            frac_bits=int(texts["frac_bits"]),
            weight_bits=tuple(int(bits) for bits in texts["weight_bits"].split(",")),
            neuron_layers=tuple(_layer_name(node) for node in _neurons(model)),
            class_names=_class_names(texts.get("class_names", "[]"), int(texts["classes"])),
        )
    except (KeyError, ValueError, IndexError) as error:
        raise ExportError(
            f"{path} is damaged or was not written by `python -m codegen export` ({_first_line(error)}); "
            "run the export again"
        ) from error
    return properties


def _class_names(text: str, classes: int) -> tuple[str, ...]:
    names = json.loads(text)
    if not isinstance(names, list) or len(names) not in (0, classes) or not all(isinstance(n, str) for n in names):
        raise ValueError(f"class_names is no list of {classes} names")
    return tuple(names)


def _neurons(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.domain == DOMAIN and node.op_type in NEURONS]


def _layer_name(neuron: onnx.NodeProto) -> str:
    """The current of layer L is called L, a suffix and _out (codegen.export.onnx_writer)."""
    return neuron.input[0].removesuffix("_out").rpartition("_")[0]


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
