"""The export stage: compact.safetensors -> model.onnx, and what ONNX Runtime makes of the whole test set."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codegen.arithmetic.fold_batchnorm import fold_network
from codegen.arrays import save_sealed
from codegen.digests import file_digest
from codegen.export.onnx_writer import build_model
from codegen.progress import Progress
from codegen.results import MEASURED, OnnxResult
from codegen.run_folder import RunFolder, made_aside, replace_in
from codegen.run_inputs import LabelledImages, load_network_description, load_test_set
from codegen.verify.density import DENSITY_FILE, measure_density
from codegen.verify.golden import LOGITS_FILE, images_digest
from codegen.verify.onnx_runtime import OnnxNetwork, load_network
from codegen.verify.predictions import PREDICTIONS_FILE, measure_predictions

SPARSITY_IMAGES = 512
RESULT_FILE = "results/onnx.json"
WRITTEN = ("model.onnx", LOGITS_FILE, PREDICTIONS_FILE, DENSITY_FILE, RESULT_FILE)
LATER_STAGES = ("graph.onnx", "folding.json", "hls", "rtl")
LATER_RESULTS = ("results/folding.json", "results/sources.json", *MEASURED)


@dataclass(frozen=True)
class ExportSummary:
    """What ONNX Runtime made of the images, in words, how fast, and all that results/onnx.json says."""

    outcome: str
    images_per_second: float
    result: OnnxResult


def export_run(run: RunFolder, frac_bits: int, limit: int | None = None, data: Path | None = None) -> ExportSummary:
    """Write a trained run's model.onnx and, in results/, onnx.json, predictions.json, density.json, onnx_logits.npy.

    Measured on the whole test set, or on its first ``limit`` images where a whole one takes too long; ``data`` is where
    it lies, if not where the run's configuration says.

    A model that differs from the one before takes everything with it that later stages made of the old one.
    Raises ExportError where the network cannot be folded, RunFolderError where it has not been trained.
    """
    compact_digest = file_digest(run.require("compact.safetensors"))
    description = load_network_description(run)
    content = build_model(fold_network(description, frac_bits), description.class_names).SerializeToString(
        deterministic=True
    )
    everything = load_test_set(run, data)
    with made_aside(run) as made:
        logits, result = write_model(made, content, compact_digest, everything, limit)
        replace_in(run, made, WRITTEN, stale_behind(run, content))
    return ExportSummary(everything.first(limit).told(logits), result.images_per_second, result)


def write_model(
    made: RunFolder, content: bytes, compact_digest: str, everything: LabelledImages, limit: int | None = None
) -> tuple[NDArray[np.int32], OnnxResult]:
    """Write WRITTEN, all that an export leaves, into a folder aside; returns the logits and what was measured.

    ``content``: of model.onnx. ``compact_digest``: of the network that it was exported from, "" where of none.
    """
    model = made.path / "model.onnx"
    model.write_bytes(content)
    tests = everything.first(limit)
    logits, seconds = _logits(load_network(model), tests.images)
    sparsity = _sparsity(load_network(model, with_spikes=True), tests.images[:SPARSITY_IMAGES])
    save_sealed(made.path / LOGITS_FILE, logits)
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
        model_sha256=file_digest(model),
        test_set_sha256=images_digest(everything.images),
    )
    result.save(made)
    measure_predictions(model, tests, logits, result.test_set_sha256).save(made)
    measure_density(model, tests, result.test_set_sha256).save(made)
    return logits, result


def stale_behind(run: RunFolder, content: bytes) -> tuple[str, ...]:
    """What a new model.onnx of that content leaves without meaning in a run folder."""
    measured = (RESULT_FILE, LOGITS_FILE, PREDICTIONS_FILE, DENSITY_FILE)
    return measured if _is_file(run.path / "model.onnx", content) else (*measured, *LATER_RESULTS, *LATER_STAGES)


def _is_file(file: Path, content: bytes) -> bool:
    return file.is_file() and file.read_bytes() == content


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
