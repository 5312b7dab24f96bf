"""What the integer network decided on the test set, for the report: confusion matrix, images, one layer's spikes."""

from __future__ import annotations

import base64
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from codegen.dialect import FRAME_DIMENSIONS
from codegen.digests import file_digest
from codegen.errors import ExportError
from codegen.export.onnx_reader import read_model
from codegen.png import base64_of, png_of
from codegen.results import PredictionsResult, Raster, Sample
from codegen.run_folder import RunFolder
from codegen.run_inputs import LabelledImages, load_test_set
from codegen.verify.golden import golden_logits, images_digest
from codegen.verify.step_logits import Steps, run_steps

PREDICTIONS_FILE = "results/predictions.json"
SAMPLES = 12
MOST_WRONG = 4
"""Of the samples: wrong ones are what one looks for, but not what the network mostly does."""
PNG_SIDE = 96
MOST_CHANNELS = 256
MOST_POSITIONS = 128
MOST_SPIKES = 1 << 18
"""Bits of a raster, all steps together."""
_GREY, _EVENTS, _RGB = 1, 2, 3
"""Channels of an image, and of event frames (two polarities)."""


def measure_run(run: RunFolder, data: Path | None, kept: PredictionsResult | None) -> PredictionsResult:
    """The same as export measures, of a run that another machine exported: its test set, or the shipped images.

    ``kept``: what was measured on this model before, which stays where it was on the same images.
    Errors as ``codegen.run_inputs.load_test_set`` and ``codegen.verify.onnx_runtime.run_onnx``.
    """
    tests = load_test_set(run, data)
    digest = images_digest(tests.images)
    if kept is not None and kept.test_set_sha256 == digest:
        return kept
    return measure_predictions(run.require("model.onnx"), tests, golden_logits(run, tests.images), digest)


def measure_predictions(
    model: Path, tests: LabelledImages, logits: NDArray[np.int32], test_set_sha256: str
) -> PredictionsResult:
    """What a model.onnx with these logits [N, classes] of the N images decided. Errors as ``run_steps``."""
    properties = read_model(model).properties
    if tests.random:  # nothing is right or wrong about them
        return PredictionsResult(
            images=len(logits),
            shipped=False,
            classes=properties.class_names,
            confusion=None,
            samples=(),
            raster=None,
            model_sha256=file_digest(model),
            test_set_sha256=test_set_sha256,
        )
    decided = logits.argmax(axis=1)
    numbers = sample_numbers(decided == tests.labels)
    steps = run_steps(model, tests.images[numbers])
    samples = tuple(
        Sample(
            number=int(number),
            label=int(tests.labels[number]),
            decided=int(decided[number]),
            png=base64_of(png_of_image(tests.images[number])),
            logits=tuple(tuple(int(sum_) for sum_ in step) for step in steps.logits[:, place]),
        )
        for place, number in enumerate(numbers)
    )
    return PredictionsResult(
        images=len(logits),
        shipped=tests.shipped,
        classes=properties.class_names,
        confusion=None if tests.shipped else _confusion(tests.labels, decided, properties.classes),
        samples=samples,
        raster=_raster(steps, int(numbers[0])) if len(numbers) else None,
        model_sha256=file_digest(model),
        test_set_sha256=test_set_sha256,
    )


def sample_numbers(right: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Which images are shown, given which are classified right: evenly spread ones that are, then some that are not.

    Spread, since test sets may be in the order of their classes.
    """
    wrong = _spread(np.flatnonzero(~right), MOST_WRONG)
    return np.concatenate([_spread(np.flatnonzero(right), SAMPLES - len(wrong)), wrong])


def _spread(numbers: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    if len(numbers) <= count:
        return numbers
    # The middle of each of equal parts.
    return numbers[(2 * np.arange(count) + 1) * len(numbers) // (2 * count)]


def _confusion(labels: NDArray[np.int64], decided: NDArray[np.int64], classes: int) -> tuple[tuple[int, ...], ...]:
    counts = np.bincount(labels[: len(decided)] * classes + decided, minlength=classes**2).reshape(classes, classes)
    return tuple(tuple(int(count) for count in row) for row in counts)


def png_of_image(image: NDArray[np.uint8]) -> bytes:
    """A PNG of an image [H, W, C], or of the sum of event frames [T, H, W, C] with the largest as full brightness.

    One channel is grey, three are RGB; two (polarities of events) are red and blue; of others, the mean is grey.
    """
    pixels = image
    if image.ndim > FRAME_DIMENSIONS:
        summed = image.sum(axis=0, dtype=np.int64)
        pixels = (summed * 255 // max(1, int(summed.max()))).astype(np.uint8)
    channels = pixels.shape[-1]
    if channels == _EVENTS:
        pixels = np.stack([pixels[..., 0], np.zeros_like(pixels[..., 0]), pixels[..., 1]], axis=-1)
    elif channels == _GREY:
        pixels = pixels[..., 0]
    elif channels != _RGB:
        pixels = pixels.mean(axis=-1).astype(np.uint8)
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((PNG_SIDE, PNG_SIDE))
    return png_of(picture)


def _raster(steps: Steps, number: int) -> Raster | None:
    """The spikes of the first image in the layer with the most of them that is small enough, or in a corner of one."""
    if not steps.spikes:
        return None
    trains = {
        name: spikes[:, 0].reshape(*spikes.shape[:1], spikes.shape[2], -1) for name, spikes in steps.spikes.items()
    }
    small = {name: train.size for name, train in trains.items() if _fits(train.shape)}
    layer = max(small, key=lambda name: small[name]) if small else list(trains)[-1]
    whole = trains[layer]
    timesteps, all_channels, all_positions = whole.shape
    positions = min(all_positions, MOST_POSITIONS)
    channels = min(all_channels, MOST_CHANNELS, max(1, MOST_SPIKES // (timesteps * positions)))
    shown = whole[:, :channels, :positions]
    return Raster(
        layer=layer,
        number=number,
        steps=timesteps,
        channels=channels,
        positions=positions,
        all_channels=all_channels,
        all_positions=all_positions,
        bits=base64_of(np.packbits(shown).tobytes()),
    )


def _fits(shape: tuple[int, ...]) -> bool:
    _, channels, positions = shape
    return channels <= MOST_CHANNELS and positions <= MOST_POSITIONS and prod(shape) <= MOST_SPIKES


def check_predictions(run: RunFolder, predictions: PredictionsResult) -> None:
    """Raise ExportError, one sentence, where its parts do not fit together, so that nothing of it can be shown."""
    counts, samples = predictions.confusion, predictions.samples
    classes = {len(step) for sample in samples for step in sample.logits}
    classes |= {len(counts), *map(len, counts)} if counts is not None else set()
    classes |= {len(predictions.classes)} if predictions.classes else set()
    steps = {len(sample.logits) for sample in samples}
    named = (number for sample in samples for number in (sample.label, sample.decided))
    fault = ""
    if len(classes) > 1 or 0 in classes:
        fault = f"it is of {' and of '.join(map(str, sorted(classes)))} classes"
    elif len(steps) > 1 or 0 in steps:
        fault = "its images have different numbers of time steps, or none"
    elif any(not 0 <= number < min(classes) for number in named):
        fault = "an image is of a class that there is not"
    elif counts is not None and min(map(min, counts)) < 0:
        fault = "it counts less than no image"
    if predictions.raster is not None and not fault:
        try:
            raster_spikes(predictions.raster)
        except ValueError as error:
            fault = str(error)
    if fault:
        again = f"run `{run.command(predictions.COMMAND)}` again"
        raise ExportError(f"{run.path / PREDICTIONS_FILE} is damaged ({fault}); {again}")


def raster_spikes(raster: Raster) -> NDArray[np.uint8]:
    """The 0/1 [steps, channels, positions] of a raster; raises ValueError where its bits are not as many."""
    shape = raster.steps, raster.channels, raster.positions
    bits = np.unpackbits(np.frombuffer(base64.b64decode(raster.bits), np.uint8))
    if min(shape) < 1 or -(-prod(shape) // 8) * 8 != len(bits):
        raise ValueError(f"a raster of {list(shape)} spikes has {len(bits)} bits")
    return bits[: prod(shape)].reshape(shape)
