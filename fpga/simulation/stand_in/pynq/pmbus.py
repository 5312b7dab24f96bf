"""Power rails of the simulated board, as pynq/pmbus.py reads those of a device."""

from __future__ import annotations

from dataclasses import dataclass

from .board import content


@dataclass(frozen=True)
class Sensor:
    """One reading."""

    name: str
    value: float


class Rail:
    """A rail; ``voltage`` and ``current`` are not simulated."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.voltage = None
        self.current = None
        self.power: Sensor | None = None


def get_rails(config_file: str | None = None) -> dict[str, Rail]:
    """The rails that the board's description names, with their watts; none on a board without sensors."""
    rails = {}
    for name, watts in content().get("rails", {}).items():
        rails[name] = Rail(name)
        rails[name].power = Sensor(f"{name}_power", watts)
    return rails
