"""Look-up tables of an estimate by their inputs, as Yosys packs small ones into the two outputs of a LUT6."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Logic:
    """LUTs by their inputs: ``large`` of five or six, ``small`` of three or four, ``tiny`` of two or one.

    An inverter that no LUT absorbs takes one of its own, and counts as ``large``.
    """

    large: float = 0.0
    small: float = 0.0
    tiny: float = 0.0

    def __add__(self, other: Logic) -> Logic:
        return Logic(self.large + other.large, self.small + other.small, self.tiny + other.tiny)

    def __mul__(self, times: float) -> Logic:
        return Logic(self.large * times, self.small * times, self.tiny * times)

    @property
    def luts(self) -> float:
        """LUT6 that hold them: a tiny one goes with a small one, else two tiny ones go together."""
        return self.large + self.small + max(0.0, self.tiny - self.small) / 2


NO_LOGIC = Logic()
