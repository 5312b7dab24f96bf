"""The export stage: compact.safetensors -> model.onnx, and what ONNX Runtime makes of the whole test set."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codegen.arithmetic.fold_batchnorm import fold_network
from codegen.digests import file_digest
from codegen.export.onnx_writer import build_model
from codegen.progress import Progress
from codegen.results import OnnxResult
from codegen.run_folder import RunFolder, save_array
from codegen.run_inputs import load_network_description, load_test_set
from codegen.verify.golden import LOGITS_FILE, images_digest
from codegen.verify.onnx_runtime import OnnxNetwork, load_network
from sca_train.files import write_bytes

SPARSITY_IMAGES = 512
LATER_STAGES = ("graph.onnx", "folding.json", "hls", "rtl", "results/folding.json", "results/sources.json")
LATER_RESULTS = ("results/csim.json", "results/rtl.json", "results/rtl_stalled.json", "results/synth.json")


@dataclass(frozen=True)
class ExportSummary:
    """What ONNX Runtime made of the images, in words, and how fast."""

    outcome: str
    images_per_second: float


def export_run(run: RunFolder, frac_bits: int, limit: int | None = None, data: Path | None = None) -> ExportSummary:
    """Write model.onnx, results/onnx.json and results/onnx_logits.npy of a trained run.

    Measured on the whole test set, or on its first ``limit`` images where a whole one takes too long; ``data`` is where
    it lies, if not where the run's configuration says.

    A model that differs from the one before takes everything with it that later stages made of the old one.
    Raises ExportError where the network cannot be folded, RunFolderError where it has not been trained.
    """
    compact_digest = file_digest(run.require("compact.safetensors"))
    description = load_network_description(run)
    model = build_model(fold_network(description, frac_bits), description.class_names)
    content = model.SerializeToString(deterministic=True)
    everything = load_test_set(run, data)
    target = run.path / "model.onnx"
    if target.exists() and target.read_bytes() != content:
        run.discard(*LATER_STAGES, *LATER_RESULTS)
    run.discard("results/onnx.json", LOGITS_FILE)
    write_bytes(target, content)
    test_set_digest = images_digest(everything.images)
    tests = everything.first(limit)
    logits, seconds = _logits(load_network(target), tests.images)
    sparsity = _sparsity(load_network(target, with_spikes=True), tests.images[:SPARSITY_IMAGES])
    (run.path / "results").mkdir(exist_ok=True)
    save_array(run.path / LOGITS_FILE, logits)
    result = OnnxResult(
        accuracy=tests.accuracy(logits),
        shipped_accuracy=tests.shipped_accuracy(logits),
        images=len(logits),
        mismatches=None,
        seconds=seconds,
        images_per_second=len(logits) / seconds,
        spike_sparsity=sparsity,
        spike_sparsity_images=min(SPARSITY_IMAGES, len(logits)),
        compact_sha256=compact_digest,
        model_sha256=file_digest(target),
        test_set_sha256=test_set_digest,
    )
    result.save(run)
    return ExportSummary(tests.told(logits), result.images_per_second)


def _logits(network: OnnxNetwork, images: NDArray[np.uint8]) -> tuple[NDArray[np.int32], float]:
    """Logits of all images, and the seconds that ONNX Runtime took."""
    network.logits(images[: network.properties.batch])  # the first call allocates; it is not part of the measurement
    parts = []
    start = time.perf_counter()
    done, progress = 0, Progress("ONNX Runtime", "images")
    for part in network.batches(images):
        parts.append(part)
        done += len(part)
        progress.show(done, len(images))
    return np.concatenate(parts), time.perf_counter() - start


def _sparsity(network: OnnxNetwork, images: NDArray[np.uint8]) -> dict[str, float]:
    """Share of zero bits in the output spike train of each layer with neurons (before pooling), by layer name."""
    return dict(zip(network.properties.neuron_layers, network.zero_shares(images), strict=True))
