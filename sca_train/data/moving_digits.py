"""Handwritten digits that move before a simulated event camera: event data that needs no files."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sca_train.data.digits import grey_digits
from sca_train.data.images import resized

STEPS = 32
"""Moments at which the camera looks at the digit, 1 ms apart."""
STEP_MICROSECONDS = 1000
CONTRAST = 64
"""Change of brightness, of 255, that makes one event."""
_DIGIT_SHARE = 5 / 8
"""Side of the digit as a share of the side of the canvas."""
_CROSSING = 64
"""Positions from one border to the other; speeds are in such positions per step."""
_FASTEST, _SLOWEST = 5, 2
_CHUNK = 256
"""Digits simulated at once."""
_EVENT = np.dtype([("t", np.uint32), ("x", np.uint16), ("y", np.uint16), ("p", np.uint8)])


def write_moving_digits(folder: Path, side: int) -> None:
    """Write one event file <folder>/<digit>/<number>.npy per digit, in the layout of SpikingJelly's ``events_np``.

    Each of scikit-learn's 1,797 digits drifts over a dark canvas of ``side`` pixels in a direction and at a speed of
    its own and bounces off the borders. A pixel makes an ON event (p = 1) when it has become brighter by ``CONTRAST``
    since its last event, an OFF event (p = 0) when darker, as the pixels of a DVS do. Integer arithmetic throughout:
    the events are the same on every machine. They have the fields t (microseconds), x, y, p and the order of time.
    """
    grey, labels = grey_digits()
    images = resized(grey, max(1, int(side * _DIGIT_SHARE)))
    random = np.random.default_rng(0)
    for digit in range(10):
        (folder / str(digit)).mkdir(parents=True)
    for start in range(0, len(images), _CHUNK):
        chunk = images[start : start + _CHUNK]
        for offset, events in enumerate(_simulate(chunk, side, random)):
            number = start + offset
            np.save(folder / str(labels[number]) / f"{number:04d}.npy", events)


def _positions(count: int, reach: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Offset of each digit from the upper left corner [STEPS + 1, count, 2], from 0 to ``reach``."""
    start = random.integers(0, 2 * _CROSSING, (count, 2))
    speed = random.integers(-_FASTEST, _FASTEST + 1, (count, 2))
    still = np.abs(speed).max(axis=1) < _SLOWEST
    speed[still, 0] = _SLOWEST
    way = (start + speed * np.arange(STEPS + 1)[:, None, None]) % (2 * _CROSSING)
    there_and_back: NDArray[np.int64] = np.minimum(way, 2 * _CROSSING - way)
    return there_and_back * reach // _CROSSING


def _simulate(images: NDArray[np.uint8], side: int, random: np.random.Generator) -> list[NDArray[np.void]]:
    """Events of each digit image [N, D, D] on its way over the canvas, in the order of time."""
    count, digit = len(images), images.shape[1]
    framed = np.pad(images, ((0, 0), (1, 1), (1, 1))).astype(np.int16)
    ways = _positions(count, side - digit, random)
    pixels, samples = np.arange(side), np.arange(count)[:, None, None]

    def brightness(step: int) -> NDArray[np.int16]:
        rows, columns = (np.clip(pixels - ways[step, :, axis, None] + 1, 0, digit + 1) for axis in (0, 1))
        seen: NDArray[np.int16] = framed[samples, rows[:, :, None], columns[:, None, :]]
        return seen

    level = brightness(0).ravel()
    found = []
    for step in range(1, STEPS + 1):
        change = brightness(step).ravel() - level
        places = np.flatnonzero(np.abs(change) >= CONTRAST)
        times = np.abs(change[places]) // CONTRAST
        signs = np.sign(change[places])
        level[places] += signs * times * CONTRAST
        events = np.empty(int(times.sum()), dtype=_EVENT)
        sample, pixel = np.divmod(np.repeat(places, times), side * side)
        events["y"], events["x"] = np.divmod(pixel, side)
        events["p"] = np.repeat(signs, times) > 0
        events["t"] = step * STEP_MICROSECONDS + random.integers(0, STEP_MICROSECONDS, len(events))
        found.append((sample, events))
    owners = np.concatenate([sample for sample, _ in found])
    everything = np.concatenate([events for _, events in found])
    order = np.lexsort((everything["t"], owners))
    borders = np.searchsorted(owners[order], np.arange(count + 1))
    return [everything[order[first:last]] for first, last in pairwise(borders)]
