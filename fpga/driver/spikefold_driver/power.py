"""Power of the board's rails, where PYNQ measures it."""

from __future__ import annotations

import threading
from typing import Any, Callable, Dict, Optional

Reading = Optional[Dict[str, float]]
SAMPLE_SECONDS = 0.02


def rails_power(pynq: Any) -> Callable[[], Reading]:
    """A function that reads the watts of each rail of ``pynq.get_rails()``; it gives None where there is no sensor."""
    try:
        rails = pynq.get_rails()
        sensors = {str(name): rail.power for name, rail in rails.items() if getattr(rail, "power", None)}
    except Exception:  # no libsensors, no such function in older versions: power is extra
        sensors = {}

    def read() -> Reading:
        try:
            return {name: float(sensor.value) for name, sensor in sensors.items()} or None
        except Exception:  # a sensor that stopped answering must not end a classification
            return None

    return read


class PowerSampler:
    """Means of the rails' power while a block runs, sampled by a thread of its own."""

    def __init__(self, read: Callable[[], Reading], seconds: float = SAMPLE_SECONDS) -> None:
        self._read = read
        self._seconds = seconds
        self._samples: list[dict[str, float]] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> PowerSampler:
        if self._read() is None:
            self._done.set()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._done.is_set():
            reading = self._read()
            if reading is not None:
                self._samples.append(reading)
            self._done.wait(self._seconds)

    @property
    def mean(self) -> Reading:
        """Watts of each rail, None without a sample."""
        if not self._samples:
            return None
        names = self._samples[0]
        return {name: sum(sample.get(name, 0.0) for sample in self._samples) / len(self._samples) for name in names}
