"""model.onnx in stock ONNX Runtime: the golden logits that every later stage is compared with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper

from codegen.errors import ExportError, SimulationError
from codegen.export.images import check_images

BATCH = 32


@dataclass(frozen=True)
class OnnxNetwork:
    """A loaded model.onnx: its description and an ONNX Runtime session."""

    session: onnxruntime.InferenceSession
    input_shape: tuple[int, int, int]
    timesteps: int
    classes: int
    frac_bits: int
    weight_bits: tuple[int, ...]
    spike_tensors: tuple[str, ...]
    """Outputs of the session beside the logits: spikes 0/1 [T, N, ...] of every neuron layer, if asked for."""

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Logits int32 [N, classes] of images uint8 [N, H, W, C].

        Raises SimulationError where the images are of the wrong shape or type.
        """
        parts = list(self.batches(images))
        return np.concatenate(parts) if parts else np.zeros((0, self.classes), np.int32)

    def batches(self, images: NDArray[np.uint8]) -> Iterator[NDArray[np.int32]]:
        """The logits of BATCH images after BATCH images, as they are computed."""
        check_images(images, self.input_shape)
        for start in range(0, len(images), BATCH):
            yield self.session.run(["logits"], {"image": images[start : start + BATCH]})[0]

    def zero_shares(self, images: NDArray[np.uint8]) -> tuple[float, ...]:
        """Share of zeros in each spike tensor over all images, in the order of ``spike_tensors``."""
        check_images(images, self.input_shape)
        ones = np.zeros(len(self.spike_tensors))
        total = np.zeros(len(self.spike_tensors))
        for start in range(0, len(images), BATCH):
            trains = self.session.run(list(self.spike_tensors), {"image": images[start : start + BATCH]})
            ones += [train.sum(dtype=np.float64) for train in trains]
            total += [train.size for train in trains]
        return tuple(float(share) for share in 1 - ones / np.maximum(total, 1))


def load_network(path: Path, with_spikes: bool = False) -> OnnxNetwork:
    """Load a model.onnx that this package wrote; ``with_spikes`` makes the spike tensors readable (slower).

    Raises ExportError when the file is damaged or is not one of ours.
    """
    try:
        model = onnx.load(path)
        properties = {entry.key: entry.value for entry in model.metadata_props}
        height, width, channels = (int(size) for size in properties["input_shape"].split(","))
        spikes = [node.output[0] for node in model.graph.node if node.op_type in ("IF", "LIF")] if with_spikes else []
        for tensor in spikes:
            model.graph.output.append(helper.make_tensor_value_info(tensor, TensorProto.FLOAT, None))
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        return OnnxNetwork(
            session=session,
            input_shape=(height, width, channels),
            timesteps=int(properties["timesteps"]),
            classes=int(properties["classes"]),
            frac_bits=int(properties["frac_bits"]),
            weight_bits=tuple(int(bits) for bits in properties["weight_bits"].split(",")),
            spike_tensors=tuple(spikes),
        )
    except Exception as error:  # protobuf and ONNX Runtime raise a wide range of types for one damaged file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ExportError(
            f"{path} is damaged or was not written by `python -m codegen export` ({reason}); run the export again"
        ) from error


def run_onnx(path: Path, images: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Logits int32 [N, classes] of images uint8 [N, H, W, C] from a model.onnx."""
    network = load_network(path)
    logits = network.logits(images)
    if logits.shape != (len(images), network.classes):
        raise SimulationError(f"{path}: ONNX Runtime gave logits of shape {list(logits.shape)}")
    return logits
