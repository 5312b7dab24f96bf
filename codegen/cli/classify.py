"""``classify``: one picture in, the classes with their counts out, from whichever backend computes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from codegen.cli.simulate import compute_logits
from codegen.errors import SimulationError
from codegen.export.onnx_reader import read_model
from codegen.run_folder import RunFolder
from sca_train.data.images import read_picture

BACKENDS = {"onnx": "ONNX Runtime", "csim": "the HLS C++", "rtl": "the RTL in Verilator"}


@dataclass(frozen=True)
class Classified:
    """Class names with their counts (the integer logits), largest first, and in words what was done to the picture."""

    counts: tuple[tuple[str, int], ...]
    changes: tuple[str, ...]
    named: bool
    """Whether the names are the network's own; else they are numbers."""


def classify(run: RunFolder, image: Path, backend: str) -> Classified:
    """What a backend of a run (onnx, csim or rtl) makes of one image file.

    Of equal counts the first class comes first, which is the one the network decides for. Raises TrainError for a file
    that is no image, RunFolderError where the backend has not been generated.
    """
    properties = read_model(run.require("model.onnx")).properties
    picture = read_picture(image, properties.input_shape)
    logits = compute_logits(run, backend, picture.pixels[np.newaxis])
    if logits.shape != (1, properties.classes):
        raise SimulationError(f"backend {backend} gave logits of shape {list(logits.shape)} for one image")
    names = properties.class_names or tuple(str(number) for number in range(properties.classes))
    order = np.argsort(-logits[0].astype(np.int64), kind="stable")
    counts = tuple((names[label], int(logits[0, label])) for label in order)
    return Classified(counts, picture.changes, named=bool(properties.class_names))


def print_classified(result: Classified, image: Path, backend: str) -> None:
    """Print one line per class, and before them the picture, what was done to it, and the backend."""
    print(f"{image}: {', '.join((*result.changes, f'by {backend} ({BACKENDS[backend]})'))}")
    if not result.named:
        print("the network names no classes, so these are numbers")
    width = max(len(name) for name, _ in result.counts)
    digits = max(len(str(count)) for _, count in result.counts)
    for name, count in result.counts:
        print(f"  {name:<{width}}  {count:>{digits}}")
