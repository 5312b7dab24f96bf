"""``simulate``: an image file in, a logit file out, whichever backend computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codegen.arrays import save_array
from codegen.current import Made, require_made, require_model
from codegen.errors import SimulationError
from codegen.export.onnx_reader import read_model
from codegen.run_folder import RunFolder
from codegen.verify.images import check_images, read_images
from codegen.verify.onnx_runtime import run_onnx
from codegen.verify.processes import check_jobs
from sca_train.files import check_writable

MADE: dict[str, Made] = {"finn": "graph.onnx", "csim": "hls", "rtl": "rtl"}
"""What the backends compute with; that of onnx is model.onnx."""


def simulate_file(run: RunFolder, backend: str, images_file: Path, out: Path, jobs: int | None = None) -> None:
    """Logits int32 [N, classes] of a .npy file of images uint8 [N, H, W, C], written whole or not at all.

    Event frames are uint8 [N, T, H, W, 2]. ``backend``: onnx, finn, csim or rtl; ``jobs``: most processes of
    the last two. Raises SimulationError for a bad file or where not all N were computed.
    """
    properties = read_model(run.require("model.onnx")).properties
    images = read_images(images_file, properties.input_shape)
    if not len(images):
        raise SimulationError(f"image file {images_file} holds no image")
    if not out.parent.is_dir() or out.is_dir():
        raise SimulationError(f"{out} cannot be written: give a file name in an existing folder")
    check_writable(out)
    save_array(out, _all_logits(run, backend, images, properties.classes, jobs))


def simulate_images(
    run: RunFolder, backend: str, images: NDArray[np.uint8], jobs: int | None = None
) -> NDArray[np.int32]:
    """The same of an array; raises SimulationError for one of another shape or type than the network takes."""
    properties = read_model(run.require("model.onnx")).properties
    check_images(images, properties.input_shape)
    if not len(images):
        raise SimulationError("the array holds no image")
    return _all_logits(run, backend, images, properties.classes, jobs)


def _all_logits(
    run: RunFolder, backend: str, images: NDArray[np.uint8], classes: int, jobs: int | None
) -> NDArray[np.int32]:
    logits = compute_logits(run, backend, images, jobs)
    wanted = (len(images), classes)
    if logits.shape != wanted:
        raise SimulationError(f"backend {backend} gave logits of shape {list(logits.shape)} instead of {list(wanted)}")
    return logits.astype(np.int32)


def compute_logits(
    run: RunFolder, backend: str, images: NDArray[np.uint8], jobs: int | None = None
) -> NDArray[np.int32]:
    """Logits int32 [N, classes] from one backend of a run.

    Raises RunFolderError where it is not of the network that is there, before or after: only stages hold the run
    folder, and one of them may have replaced it in between.
    """
    _check_current(run, backend)
    logits = _computed(run, backend, images, jobs)
    _check_current(run, backend)
    return logits


def _check_current(run: RunFolder, backend: str) -> None:
    made = MADE.get(backend)
    if made is None:
        require_model(run)
    else:
        require_made(run, made)


def _computed(run: RunFolder, backend: str, images: NDArray[np.uint8], jobs: int | None) -> NDArray[np.int32]:
    check_jobs(jobs)
    if backend == "onnx":
        return run_onnx(run.require("model.onnx"), images)
    if backend == "finn":
        from codegen.dataflow.execute import run_finn

        return run_finn(run, images)
    if backend == "csim":
        from codegen.verify.csim import run_csim

        return run_csim(run, images, jobs=jobs).logits
    if backend == "rtl":
        from codegen.verify.rtlsim import run_rtlsim

        return run_rtlsim(run, images, jobs=jobs).logits
    raise SimulationError(f"unknown backend {backend!r}; there are onnx, finn, csim and rtl")
