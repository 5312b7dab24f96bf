"""The numbers that an option takes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sca_train.errors import TrainError


@dataclass(frozen=True)
class Bounds:
    """From ``least`` to ``most``; ``above`` and ``below`` leave out these themselves."""

    least: float
    most: float
    above: bool = False
    below: bool = False

    def check(self, key: str, value: float) -> None:
        """Raise TrainError, one sentence, where ``value`` of the option ``key`` lies outside, NaN and infinity too."""
        if isinstance(value, float) and not math.isfinite(value):
            raise TrainError(f"{key} is {value}; it must be a finite number")
        low = self.least < value if self.above else self.least <= value
        high = value < self.most if self.below else value <= self.most
        if not (low and high):
            raise TrainError(f"{key} is {value}; it must be {self}")

    def __str__(self) -> str:
        least, most = _number(self.least), _number(self.most)
        if not (self.above or self.below):
            return f"from {least} to {most}"
        return (
            f"{'more than' if self.above else 'at least'} {least} and {'less than' if self.below else 'at most'} {most}"
        )


def _number(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
