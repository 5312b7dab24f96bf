"""Pictures of a report that are no plots of numbers: logits over time, spike rasters, confusion heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from codegen.png import base64_of, png_of
from codegen.results import PredictionsResult, Raster, Sample
from codegen.verify.predictions import raster_spikes

MOST_LINES = 5
"""Classes that the chart of an image shows: those with the largest logits, and the label."""
MOST_CLASSES_IN_TABLE = 20
MOST_CONFUSED = 10
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 290, 150, 6, 112, 10, 30
_LABEL_GAP = 12
_INK = (47, 127, 184)
"""Reads on light and dark paper."""


@dataclass(frozen=True)
class Line:
    """One class in the chart of an image: SVG points of its logits over the steps, and where its name goes."""

    name: str
    kind: str
    """"label", "decided" (and wrong) or "other"."""
    points: str
    end_x: float
    end_y: float
    name_y: float
    value: int


@dataclass(frozen=True)
class SampleChart:
    """An image, what it is and what it was taken for, and its logits over the time steps."""

    number: int
    label: str
    decided: str
    right: bool
    png: str
    lines: tuple[Line, ...]
    zero_y: float | None
    ticks: tuple[tuple[float, int], ...]
    width: int
    height: int
    spoken: str
    """The chart in words."""


@dataclass(frozen=True)
class RasterStep:
    """The spikes of one time step as a bitmap, channels down, positions to the right."""

    step: int
    spikes: int
    png: str


@dataclass(frozen=True)
class RasterPicture:
    """Spikes of one layer for one image."""

    layer: str
    number: int
    channels: int
    positions: int
    all_channels: int
    all_positions: int
    steps: tuple[RasterStep, ...]

    @property
    def cut(self) -> bool:
        return (self.channels, self.positions) != (self.all_channels, self.all_positions)


@dataclass(frozen=True)
class Confused:
    """Images of one class that were taken for another."""

    label: str
    decided: str
    count: int
    share: float
    """Of the images of that class."""


@dataclass(frozen=True)
class ConfusionRow:
    """One class of the confusion matrix: counts by decided class with their share of the row, and the share right."""

    name: str
    cells: tuple[tuple[int, float], ...]
    total: int
    right: float | None


@dataclass(frozen=True)
class Confusion:
    """The confusion matrix as a table of few classes, or as a picture of many."""

    names: tuple[str, ...]
    rows: tuple[ConfusionRow, ...]
    images: int
    confused: tuple[Confused, ...]
    png: str


def class_names(predictions: PredictionsResult) -> tuple[str, ...]:
    """The network's, else numbers."""
    if predictions.classes:
        return predictions.classes
    known = len(predictions.confusion or ()) or max((len(s.logits[0]) for s in predictions.samples), default=0)
    return tuple(str(number) for number in range(known))


def sample_chart(sample: Sample, names: Sequence[str]) -> SampleChart:
    """The chart of an image: the classes with the largest logits, and its label."""
    logits = np.array(sample.logits, np.int64)
    order = [int(c) for c in np.argsort(-logits[-1], kind="stable")[:MOST_LINES]]
    shown = order if sample.label in order else [*order[:-1], sample.label]
    # Before the first step all are zero.
    paths = np.concatenate([np.zeros((1, logits.shape[1]), np.int64), logits])[:, shown]
    low, high = int(paths.min()), int(paths.max())
    across = (_WIDTH - _LEFT - _RIGHT) / (len(paths) - 1)
    xs = [round(_LEFT + step * across, 1) for step in range(len(paths))]

    def height_of(value: int) -> float:
        return round(_TOP + (high - value) / max(1, high - low) * (_HEIGHT - _TOP - _BOTTOM), 1)

    ends = [height_of(int(value)) for value in paths[-1]]
    places = _apart(ends)
    lines = tuple(
        Line(
            name=names[number],
            kind="label" if number == sample.label else "decided" if number == sample.decided else "other",
            points=" ".join(f"{x},{height_of(int(value))}" for x, value in zip(xs, paths[:, column], strict=True)),
            end_x=xs[-1],
            end_y=ends[column],
            name_y=places[column],
            value=int(paths[-1, column]),
        )
        for column, number in enumerate(shown)
    )
    every = max(1, (len(paths) - 1) // 4)
    told = ", ".join(f"{line.name} {line.value}" for line in lines)
    return SampleChart(
        number=sample.number,
        label=names[sample.label],
        decided=names[sample.decided],
        right=sample.label == sample.decided,
        png=sample.png,
        lines=lines,
        zero_y=height_of(0) if low < 0 else None,
        ticks=tuple((xs[step], step) for step in range(0, len(paths), every)),
        width=_WIDTH,
        height=_HEIGHT,
        spoken=f"Counts after {len(logits)} time steps: {told}.",
    )


def _apart(heights: Sequence[float]) -> list[float]:
    """Places for names beside the ends of lines, none over another, in the order of the heights."""
    order = sorted(range(len(heights)), key=lambda place: heights[place])
    places = list(heights)
    for upper, lower in pairwise(order):
        places[lower] = max(places[lower], places[upper] + _LABEL_GAP)
    below = float(_HEIGHT - _BOTTOM + _LABEL_GAP)
    for place in reversed(order):  # up again, as far as the lowest went out at the bottom
        places[place] = min(places[place], below - _LABEL_GAP)
        below = places[place]
    return [round(place, 1) for place in places]


def raster_picture(raster: Raster) -> RasterPicture:
    """Bitmaps of a raster, which ``codegen.verify.predictions.check_predictions`` has passed."""
    planes = enumerate(raster_spikes(raster), start=1)
    steps = tuple(RasterStep(step, int(plane.sum()), base64_of(_bitmap(plane))) for step, plane in planes)
    shape = raster.channels, raster.positions, raster.all_channels, raster.all_positions
    return RasterPicture(raster.layer, raster.number, *shape, steps)


def confusion_of(predictions: PredictionsResult) -> Confusion | None:
    """The confusion matrix of a test set; None of the shipped images."""
    if predictions.confusion is None:
        return None
    names = class_names(predictions)
    counts = np.array(predictions.confusion, np.int64)
    totals = counts.sum(axis=1)
    shares = counts / np.maximum(totals, 1)[:, np.newaxis]
    wrong = counts - np.diag(np.diag(counts))
    worst = np.argsort(-wrong, axis=None, kind="stable")[:MOST_CONFUSED]
    pairs = [(int(place) // len(names), int(place) % len(names)) for place in worst]
    return Confusion(
        names=names,
        rows=tuple(
            ConfusionRow(
                name=names[label],
                cells=tuple((int(count), float(share)) for count, share in zip(row, shares[label], strict=True)),
                total=int(totals[label]),
                right=float(shares[label, label]) if totals[label] else None,
            )
            for label, row in enumerate(counts)
        ),
        images=int(counts.sum()),
        confused=tuple(
            Confused(names[label], names[decided], int(wrong[label, decided]), float(shares[label, decided]))
            for label, decided in pairs
            if wrong[label, decided]
        ),
        png=base64_of(_heat(shares)) if len(names) > MOST_CLASSES_IN_TABLE else "",
    )


def _bitmap(plane: NDArray[np.uint8]) -> bytes:
    """0 transparent, 1 in ink."""
    picture = Image.fromarray(plane, mode="P")
    picture.putpalette([0, 0, 0, *_INK])
    return png_of(picture, transparency=0, bits=1)


def _heat(shares: NDArray[np.float64]) -> bytes:
    """Shares 0..1 as opacity of the ink."""
    pixels = np.zeros((*shares.shape, 4), np.uint8)
    pixels[..., :3] = _INK
    pixels[..., 3] = np.round(255 * np.sqrt(shares))
    return png_of(Image.fromarray(pixels))
