"""The class that user code works with: the same on a PYNQ board, on an ECP5 board and on a simulated one."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, Union

import numpy as np

from . import registers
from .description import Description, read_description
from .errors import DescriptionError, SelfTestError, first_line
from .images import load_images
from .packing import check_images, pack_images, unpack_logits
from .power import PowerSampler
from .transports.overlay import open_dma
from .transports.simulation import open_simulation
from .transports.transport import SLACK_SECONDS, Transport
from .transports.uart import DEFAULT_BAUD, UartTransport

GOLDEN_FILE = "golden.npz"
MEASURED_FRAMES = 64
Images = Union[np.ndarray, str, Path]


@dataclass(frozen=True)
class Classification:
    """logits int32 [N, classes]; indices int64 [N] of the first maximum, as the simulators take it; names of both."""

    logits: np.ndarray
    indices: np.ndarray
    names: tuple[str, ...]
    files: tuple[str, ...]
    """Where the images came from files: the name of each, with its index in a file of several."""


@dataclass(frozen=True)
class Measurement:
    """What the hardware's counters say of a batch of ``frames``, and what the caller of ``classify`` saw.

    latency: cycles of one image from its first input word to its last output word; interval: cycles between images,
    None for a transport that sends one at a time. batch_cycles: of the last batch sent, its transfer included. power:
    mean watts of each rail, None where the board measures none.
    """

    frames: int
    clock_mhz: float
    latency: int
    interval: int | None
    batch_cycles: int
    host_seconds: float
    power: dict[str, float] | None

    @property
    def latency_s(self) -> float:
        return self.latency / (1e6 * self.clock_mhz)

    @property
    def frames_per_second(self) -> float | None:
        """Of the accelerator, from its interval."""
        return 1e6 * self.clock_mhz / self.interval if self.interval else None

    @property
    def host_frames_per_second(self) -> float:
        """Of this program: packing, transfer and unpacking included."""
        return self.frames / self.host_seconds


@dataclass(frozen=True)
class SelfTest:
    """A passed self-test: golden images compared; accuracy is None where no label is known (-1 is none)."""

    frames: int
    accuracy: float | None


class Accelerator:
    """One network on one board; use it in a ``with`` block, or call ``close``."""

    def __init__(self, transport: Transport, batch: int | None = None) -> None:
        """``transport`` open; ``batch``: frames sent at once, the transport's most unless given.

        Raises DescriptionError for a batch of no frames.
        """
        if batch is not None and batch < 1:
            raise DescriptionError(f"a batch of {batch} images is none", "give batch= of 1 or more")
        self.transport = transport
        self.description: Description = transport.description
        self.batch = min(batch or transport.max_frames, transport.max_frames)

    @classmethod
    def open(
        cls,
        folder: str | Path,
        transport: str | None = None,
        *,
        port: str | None = None,
        baud: int = DEFAULT_BAUD,
        board: Any = None,
        download: bool = True,
        batch: int | None = None,
        slack_s: float = SLACK_SECONDS,
    ) -> Accelerator:
        """The accelerator that a package's ``folder`` (with network.json) describes.

        transport: "dma", "uart" or "simulation"; unless given, that of network.json. port, baud: of the serial port.
        board: the simulated board. download: False where the overlay is loaded already. batch: frames sent at once.
        slack_s: seconds added to every deadline. Raises DescriptionError, SetupError, MissingPackageError or
        LinkLostError.
        """
        description = read_description(Path(folder))
        kind = transport or ("simulation" if board is not None else description.shell)
        opened: Transport
        if kind == "dma":
            opened = open_dma(description, download=download, slack_s=slack_s)
        elif kind == "uart":
            if port is None:
                raise DescriptionError("no serial port is given", "give port=, such as /dev/ttyUSB0")
            opened = UartTransport(description, port, baud=baud, slack_s=slack_s)
        elif kind == "simulation" and board is not None:
            opened = open_simulation(description, board, slack_s=slack_s)
        else:
            raise DescriptionError(
                f"transport {kind!r} without a board" if kind == "simulation" else f"there is no transport {kind!r}",
                'give "dma", "uart", or "simulation" with board=',
            )
        try:
            opened.check()
            opened.reset()
            return cls(opened, batch)
        except BaseException:
            opened.close()
            raise

    def __enter__(self) -> Accelerator:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back the board's buffers or the port."""
        self.transport.close()

    def reset(self) -> None:
        """Reset accelerator and DMA, as the driver does by itself after every FrameError."""
        self.transport.reset()

    def classify(self, images: Images) -> Classification:
        """Logits and classes of images.

        images: uint8 [N, H, W, C], event frames [N, T, H, W, C], one of them, or the path of a file or of a folder of
        images. Raises ImageError; FrameError after which everything is reset, so that the next call is right.
        """
        files: tuple[str, ...] = ()
        if isinstance(images, (str, Path)):
            array, names = load_images(Path(images), self.description)
            files = tuple(names)
        else:
            array = check_images(images, self.description)
        logits = self._logits(array)
        indices = np.argmax(logits, axis=1) if len(logits) else np.zeros(0, np.int64)
        class_names = self.description.class_names or tuple(str(index) for index in range(self.description.classes))
        return Classification(logits, indices, tuple(class_names[index] for index in indices), files)

    def _logits(self, images: np.ndarray) -> np.ndarray:
        logits = np.zeros((len(images), self.description.classes), np.int32)
        done = 0
        with closing(self.transport.stream(self._batches(images))) as results:
            for words in results:
                logits[done : done + len(words)] = unpack_logits(words, self.description.output)
                done += len(words)
        return logits

    def _batches(self, images: np.ndarray) -> Iterator[np.ndarray]:
        for start in range(0, len(images), self.batch):
            yield pack_images(images[start : start + self.batch], self.description)

    def self_test(self) -> SelfTest:
        """Compare the golden images of the package, logit by logit; raises SelfTestError, DescriptionError."""
        golden = self._golden()
        images, wanted = check_images(golden["images"], self.description), golden["logits"]
        found = self.classify(images)
        wrong = np.flatnonzero((found.logits != wanted).any(axis=1))
        if len(wrong):
            raise SelfTestError(
                f"{len(wrong)} of {len(images)} golden images give other logits, the first is image {wrong[0]}: "
                f"{found.logits[wrong[0]].tolist()} instead of {np.asarray(wanted[wrong[0]]).tolist()}",
                "copy the whole package again; if it stays, the bitstream misses its timing or the board is damaged",
            )
        labels = golden.get("labels")
        known = np.zeros(0, bool) if labels is None else labels >= 0
        accuracy = float((found.indices == labels)[known].mean()) if known.any() else None
        return SelfTest(len(images), accuracy)

    def measure(self, images: Images | None = None, frames: int = MEASURED_FRAMES) -> Measurement:
        """Latency and throughput by the hardware's counters, and power where the board measures it.

        images: as for ``classify``; the package's golden ones repeated to ``frames`` unless given.
        """
        if images is None:
            golden = check_images(self._golden()["images"], self.description)
            array = np.resize(golden, (frames, *golden.shape[1:]))
        elif isinstance(images, (str, Path)):
            array, _ = load_images(Path(images), self.description)
        else:
            array = check_images(images, self.description)
        self.classify(array[:1])
        latency = self.transport.read(registers.LATENCY)
        with PowerSampler(self.transport.read_power) as power:
            start = time.perf_counter()
            self.classify(array)
            seconds = time.perf_counter() - start
        last = (len(array) - 1) % self.batch + 1
        interval = self.transport.read(registers.INTERVAL) if last > 1 else 0
        return Measurement(
            frames=len(array),
            clock_mhz=self.description.clock_mhz,
            latency=latency,
            interval=interval or None,
            batch_cycles=self.transport.read(registers.BUSY_CYCLES),
            host_seconds=seconds,
            power=power.mean,
        )

    def _golden(self) -> dict[str, np.ndarray]:
        file = self.description.folder / GOLDEN_FILE
        try:
            with np.load(file, allow_pickle=False) as archive:
                golden = {name: archive[name] for name in archive.files}
            images, logits = golden["images"], golden["logits"]
        except Exception as error:  # zipfile, zlib and numpy raise whatever damaged bytes lead them to
            raise DescriptionError(
                f"golden images {file} cannot be read ({first_line(error)})", "copy the whole package again"
            ) from None
        count = len(images) if images.ndim else 0
        labels = golden.get("labels", np.zeros(count))
        if count == 0 or logits.shape != (count, self.description.classes) or labels.shape != (count,):
            raise DescriptionError(
                f"golden images {file} have images {list(images.shape)}, logits {list(logits.shape)} and labels "
                f"{list(labels.shape)}, which do not belong together",
                "copy the whole package again",
            )
        return golden
