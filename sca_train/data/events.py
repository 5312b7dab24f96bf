"""Event data as frames of counts, one per time step: CIFAR10-DVS, and digits that move before a simulated camera."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from spikingjelly.datasets.base import NeuromorphicDatasetFolder
from spikingjelly.datasets.cifar10_dvs import CIFAR10DVS, CIFAR10DVS_CLASS_NAMES
from spikingjelly.datasets.utils import integrate_events_by_fixed_frames_number
from torchvision.datasets.utils import check_integrity

from sca_train.config import TrainConfig
from sca_train.data import moving_digits
from sca_train.data.cache import Source, Split, fingerprint, kept, only_one_prepares
from sca_train.data.dataset import Dataset, fixed_split
from sca_train.data.digits import DIGITS_TEST_SHARE
from sca_train.errors import TrainError
from sca_train.files import check_readable
from sca_train.telling import say

DVS_SIDE = 128
DVS_SAMPLES = 10_000
DVS_TEST_SHARE = 0.1
"""100 of the 1,000 samples of each class of CIFAR10-DVS, by a fixed shuffle."""
SMALLEST_CANVAS = 8
MAX_COUNT = 255
_EVENTS = "events_np"
_UNREADABLE = (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged event file raises."""


class _Frames:
    """Frames [T, S, S, 2] uint8 of event files, integrated by SpikingJelly, and how many counts had to be clipped.

    Events are divided into T frames of equal numbers of events (SpikingJelly's ``split_by="number"``). The camera's
    ``side`` pixels are brought to ``size`` by summing the counts of whole blocks.
    """

    def __init__(self, name: str, side: int, size: int, timesteps: int) -> None:
        if size > side or side % size:
            raise TrainError(
                f"image_size is {size}; the event frames of {name} are {side}x{side} and are summed over whole "
                f"blocks, so it must divide {side}"
            )
        self.side, self.size, self.timesteps = side, size, timesteps
        self.clipped = 0

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.timesteps, self.size, self.size, 2

    def source(self, events: NeuromorphicDatasetFolder, test_share: float) -> Source:
        """All samples of a folder of event files, in two splits."""
        files = [(Path(path), label) for path, label in events.samples]
        labels = np.array([label for _, label in files], dtype=np.int64)
        chosen = fixed_split(labels, test_share)
        if not all((labels[chosen] == label).any() for label in range(len(events.classes))):
            raise TrainError(f"{events.root} has fewer than {round(1 / test_share)} samples of a class")
        train, test = (
            Split(labels[mask], self._read(events, [files[index][0] for index in np.flatnonzero(mask)]))
            for mask in (~chosen, chosen)
        )
        return Source(train, test, tuple(events.classes), self.shape)

    def _read(self, events: NeuromorphicDatasetFolder, files: list[Path]) -> Iterator[NDArray[np.uint8]]:
        for file in files:
            check_readable(file)
            try:
                sample = events.loader(file)
                outside = max(sample["x"].max(initial=0), sample["y"].max(initial=0)) >= self.side
                counts = integrate_events_by_fixed_frames_number(sample, "number", self.timesteps, self.side, self.side)
            except _UNREADABLE as error:
                raise TrainError(f"event file {file} is damaged: {error}") from None
            if outside:
                raise TrainError(f"event file {file} has events outside the {self.side}x{self.side} pixels")
            yield self._pooled(counts)

    def _pooled(self, counts: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Counts [T, 2, side, side] summed over blocks, channels last, clipped to uint8."""
        block = self.side // self.size
        sums = counts.reshape(self.timesteps, 2, self.size, block, self.size, block).sum(axis=(3, 5))
        self.clipped += int((sums > MAX_COUNT).sum())
        return np.ascontiguousarray(np.minimum(sums, MAX_COUNT).transpose(0, 2, 3, 1).astype(np.uint8))

    def report(self, name: str) -> None:
        """Say how many counts were too large for uint8."""
        if self.clipped:
            say(f"{name}: {self.clipped} event counts were above {MAX_COUNT} and were clipped to it")


def load_cifar10_dvs(config: TrainConfig) -> Dataset:
    """CIFAR10-DVS by SpikingJelly's loader, integrated to ``config.timesteps`` frames: 9,000 and 1,000 samples."""
    if not config.data:
        raise TrainError(
            f"data set cifar10-dvs needs --data, the folder that holds {_EVENTS}/ as SpikingJelly writes it, or "
            "download/ with the ten .zip files of CIFAR10-DVS"
        )
    root, name = Path(config.data), f"cifar10-dvs-{config.image_size}-T{config.timesteps}"
    frames = _Frames("cifar10-dvs", DVS_SIDE, config.image_size, config.timesteps)
    events = _cifar10_dvs_events(root, Path(config.cache), config.download)
    if tuple(events.classes) != CIFAR10DVS_CLASS_NAMES:
        raise TrainError(f"{root / _EVENTS} has not the ten class folders of CIFAR10-DVS, airplane to truck")
    if len(events.samples) != DVS_SAMPLES:
        say(f"cifar10-dvs: {root / _EVENTS} has {len(events.samples)} samples, not all {DVS_SAMPLES}")
    key = (fingerprint(root / _EVENTS), frames.shape, version("spikingjelly"))
    dataset = kept(Path(config.cache), name, key, lambda _: frames.source(events, DVS_TEST_SHARE))
    frames.report("cifar10-dvs")
    return dataset


def _cifar10_dvs_events(root: Path, cache: Path, download: bool) -> NeuromorphicDatasetFolder:
    """The event files of CIFAR10-DVS, made from the ten archives where they are not there yet."""
    raw, marker = root / _EVENTS, root / f"{_EVENTS}.building"
    if not raw.exists() or marker.exists():
        with only_one_prepares(cache):
            if marker.exists():
                raise TrainError(
                    f"an unfinished preparation of CIFAR10-DVS lies in {root}; delete {_EVENTS}, {marker.name} and "
                    "extract there and start again"
                )
            if not raw.exists():
                _convert_archives(root, download)
    try:
        return CIFAR10DVS(str(root), data_type="event")
    except OSError as error:
        raise TrainError(f"{raw} is not complete: {str(error).splitlines()[0]}") from None


def _convert_archives(root: Path, download: bool) -> None:
    """Let SpikingJelly turn download/*.zip into event files; what it leaves behind when it fails is removed."""
    by_hand = (
        f"put the ten archives airplane.zip to truck.zip of CIFAR10-DVS (figshare) into {root / 'download'} by hand"
    )
    if not download:
        # Checked here because SpikingJelly deletes a damaged archive and downloads it unasked.
        for file, _, md5 in CIFAR10DVS.resource_url_md5():
            archive = root / "download" / file
            if not archive.exists():
                raise TrainError(
                    f"there is no CIFAR10-DVS in {root}: neither {_EVENTS}/ nor download/{file}; {by_hand}"
                )
            if not check_integrity(archive, md5):
                raise TrainError(f"{archive} is damaged: its MD5 sum is not {md5}; {by_hand}")
    made = [path for path in (root / "extract", root / _EVENTS, root / f"{_EVENTS}.building") if not path.exists()]
    try:
        root.mkdir(parents=True, exist_ok=True)
        CIFAR10DVS(str(root), data_type="event")
    except BaseException as error:
        for path in made:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        if isinstance(error, (*_UNREADABLE, RuntimeError)):
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise TrainError(f"CIFAR10-DVS could not be prepared in {root} ({reason}); {by_hand}") from None
        raise


def load_events_digits(config: TrainConfig) -> Dataset:
    """Moving digits as event frames of ``config.timesteps`` steps and ``config.image_size`` pixels; no files needed."""
    side, name = config.image_size, f"events-digits-{config.image_size}-T{config.timesteps}"
    if side < SMALLEST_CANVAS:
        raise TrainError(f"image_size is {side}; digits move on a canvas of at least {SMALLEST_CANVAS} pixels")
    frames = _Frames("events-digits", side, side, config.timesteps)

    def prepare(scratch: Path) -> Source:
        moving_digits.write_moving_digits(scratch / _EVENTS, side)
        return frames.source(NeuromorphicDatasetFolder(scratch, data_type="event"), DIGITS_TEST_SHARE)

    generator = Path(moving_digits.__file__).read_bytes()
    dataset = kept(Path(config.cache), name, (generator, frames.shape, version("spikingjelly")), prepare)
    frames.report("events-digits")
    return dataset
