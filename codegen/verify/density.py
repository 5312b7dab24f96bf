"""How densely a network's layers spike on real images, and how long event-driven cores take for what they are sent.

The cycles are those of ``codegen.cores.event_cycles``: the longest bank of each vector decides. The banks of a window
add up from those of its taps, so that only counts per pixel and remainder of the channel are made, and no window is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codegen.cores.core import divisors
from codegen.cores.event_cycles import scan_lengths
from codegen.digests import file_digest
from codegen.event_results import DensityResult, LayerDensity, ScanLengths
from codegen.png import base64_of
from codegen.progress import Progress
from codegen.run_inputs import LabelledImages
from codegen.verify.spike_maps import Active, SpikingInput, Window, load_spike_maps

DENSITY_FILE = f"results/{DensityResult.STAGE}.json"
DENSITY_IMAGES = 1000
"""Enough that ten of them are beyond the 99th percentile."""
QUANTILES = 32
MOST_SIMD = 64
"""Lanes up to which event-driven cores are looked at."""


def window_counts(active: Active, window: Window) -> NDArray[np.int64]:
    """Elements of each window that are not zero, [images, vectors]."""
    return _banks(active, window, 1)[:, 0].reshape(len(active), -1)


def window_lengths(active: Active, window: Window, simd: int) -> NDArray[np.int64]:
    """Cycles of a scan of each vector, [images, vectors] in stream order, by a core of ``simd`` banks.

    ``active`` is the map that the windows are of. The same as ``scan_lengths`` of the windows' elements, kernel tap by
    kernel tap and channels in order.
    """
    if active.shape[1] % simd:
        elements = window_elements(active, window)
        return scan_lengths(elements.reshape(-1, elements.shape[-1]), simd, 0).reshape(len(active), -1)
    return np.maximum(_banks(active, window, simd).max(axis=1), 1).reshape(len(active), -1)


def window_elements(active: Active, window: Window) -> NDArray[np.bool_]:
    """The elements of each window in stream order, [images, vectors, mw]."""
    above, left, below, right = window.pads
    padded = np.pad(active, ((0, 0), (0, 0), (above, below), (left, right)))
    views = np.lib.stride_tricks.sliding_window_view(padded, window.kernel, axis=(2, 3))
    views = views[:, :, :: window.strides[0], :: window.strides[1]].transpose(0, 2, 3, 4, 5, 1)
    return views.reshape(len(active), views.shape[1] * views.shape[2], -1)


def _banks(active: Active, window: Window, simd: int) -> NDArray[np.int64]:
    """Elements that are not zero in each bank of each window, [images, simd, rows, columns]."""
    images, channels, height, width = active.shape
    above, left, below, right = window.pads
    grouped = active.reshape(images, channels // simd, simd, height, width).sum(axis=1, dtype=np.int32)
    counts = np.pad(grouped, ((0, 0), (0, 0), (above, below), (left, right)))
    rows, columns = (
        (size - taps) // stride + 1
        for size, taps, stride in zip(counts.shape[2:], window.kernel, window.strides, strict=True)
    )
    banks = np.zeros((images, simd, rows, columns), np.int64)
    for tap in range(window.kernel[0] * window.kernel[1]):
        top, first = divmod(tap, window.kernel[1])
        read = counts[:, :, top :: window.strides[0], first :: window.strides[1]][:, :, :rows, :columns]
        banks += np.roll(read, tap % simd if window.rotates else 0, axis=1)
    return banks


def admissible_simd(channels: int) -> tuple[int, ...]:
    """Numbers of banks that an event-driven core behind a map of so many channels may have."""
    return tuple(simd for simd in divisors(channels) if simd <= MOST_SIMD)


def measure_density(model: Path, tests: LabelledImages, test_set_sha256: str) -> DensityResult:
    """The density of what a model.onnx's products read, on DENSITY_IMAGES evenly spread ones of the images.

    Test sets may be in the order of their classes. Raises ModelError and SimulationError as ``load_spike_maps`` does.
    """
    images = spread_images(tests.images, DENSITY_IMAGES)
    maps = load_spike_maps(model)
    counted = [_Counted(entry) for entry in maps.inputs]
    done, progress = 0, Progress("measuring densities", "images")
    for batch in maps.batches(images):
        for layer, active in zip(counted, batch, strict=True):
            layer.add(active)
        done = min(done + maps.properties.batch, len(images))
        progress.show(done, len(images))
    return DensityResult(
        images=len(images),
        kind=tests.kind,
        layers=tuple(layer.result() for layer in counted),
        model_sha256=file_digest(model),
        test_set_sha256=test_set_sha256,
    )


def spread_images(images: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    """At most so many of the images, evenly spread over all of them."""
    if len(images) <= most:
        return images
    return images[np.arange(most) * len(images) // most]


class _Counted:
    """What has been counted of one product's input."""

    def __init__(self, read: SpikingInput) -> None:
        self._read = read
        self._elements = 0
        self._vectors = 0
        self._maps: list[NDArray[np.float64]] = []
        self._scans = tuple(_Scans(simd) for simd in admissible_simd(read.size[0]))

    def add(self, active: Active) -> None:
        """Count the maps of a batch."""
        self._maps.append(active.mean(axis=(2, 3)))
        counts = window_counts(active, self._read.window)
        self._elements += int(counts.sum())
        self._vectors += counts.size
        for scans in self._scans:
            scans.add(window_lengths(active, self._read.window, scans.simd))

    def result(self) -> LayerDensity:
        rows, columns = self._read.window.kernel
        shares = np.concatenate(self._maps).mean(axis=0)
        return LayerDensity(
            layer=self._read.layer,
            nonzero=round(self._elements / (self._vectors * self._read.size[0] * rows * columns), 6),
            channels=base64_of(np.rint(255 * shares).astype(np.uint8).tobytes()),
            scans=tuple(scans.result() for scans in self._scans),
        )


class _Scans:
    """How many vectors have scans of each length, and how long those of each image are together."""

    def __init__(self, simd: int) -> None:
        self.simd = simd
        self._histogram = np.zeros(1, np.int64)
        self._frames: list[NDArray[np.int64]] = []

    def add(self, lengths: NDArray[np.int64]) -> None:
        """Count lengths [images, vectors]."""
        counts = np.bincount(lengths.reshape(-1), minlength=len(self._histogram))
        counts[: len(self._histogram)] += self._histogram
        self._histogram = counts
        self._frames.append(lengths.sum(axis=1))

    def result(self) -> ScanLengths:
        below = np.cumsum(self._histogram)
        places = (np.arange(QUANTILES) + 0.5) / QUANTILES * below[-1]
        frames = np.concatenate(self._frames)
        return ScanLengths(
            simd=self.simd,
            lengths=tuple(map(int, np.searchsorted(below, places))),
            p99=round(float(np.percentile(frames, 99, method="higher") / frames.mean()), 3),
            worst=round(float(frames.max() / frames.mean()), 3),
        )
