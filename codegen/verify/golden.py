"""The logits of ONNX Runtime on the test set, kept beside results/onnx.json so that no stage computes them twice."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from codegen.arrays import read_sealed
from codegen.digests import file_digest
from codegen.results import OnnxResult
from codegen.run_folder import RunFolder
from codegen.verify.onnx_runtime import run_onnx

LOGITS_FILE = "results/onnx_logits.npy"


def images_digest(images: NDArray[np.uint8]) -> str:
    """SHA-256 of an image array; ties kept logits to the images."""
    return hashlib.sha256(np.ascontiguousarray(images).data).hexdigest()


def golden_logits(run: RunFolder, test_images: NDArray[np.uint8], limit: int | None = None) -> NDArray[np.int32]:
    """ONNX Runtime's logits int32 [N, classes] of the first ``limit`` images of the whole test set (None: all).

    Those that the export kept when model and test set are still the same and it kept enough, else computed again.
    """
    model = run.require("model.onnx")
    result = OnnxResult.load(run)
    if (
        result is not None
        and result.model_sha256 == file_digest(model)
        and result.test_set_sha256 == images_digest(test_images)
    ):
        logits = read_sealed(run.path / LOGITS_FILE)
        if logits is not None and len(logits) >= len(test_images[:limit]):
            return logits[:limit]
    return run_onnx(model, test_images[:limit])
