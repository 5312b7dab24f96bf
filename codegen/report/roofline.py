"""What bounds the rate: the products of each core, the lanes that it has for them, and the cycles that follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_WORK = ("mw", "mh", "vectors", "timesteps")
_LANES = ("simd", "pe", "tp")


@dataclass(frozen=True)
class Rate:
    """One core that multiplies. ``work``: products per frame, all time steps; ``lanes``: SIMD*PE*TP, what it takes of
    them per cycle. A core that needs ``work / lanes`` cycles has no cycle without a product. ``utilisation``: share of
    the cycles from frame to frame in which it works; None where no interval was measured."""

    name: str
    work: int
    lanes: int
    cycles: int
    utilisation: float | None


def core_rate(name: str, parameters: Mapping[str, Any], cycles: int, interval: int | None) -> Rate | None:
    """The rate of a node of the accelerator with these parameters; None for one that multiplies nothing.

    Work and lanes both count each time step, also where one sum serves all of them (TP = T there).
    """
    work, lanes = (_product(parameters, names) for names in (_WORK, _LANES))
    if work is None or lanes is None or cycles < 1:
        return None
    return Rate(name, work, lanes, cycles, cycles / interval if interval and interval > 0 else None)


def _product(parameters: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    product = 1
    for name in names:
        value = parameters.get(name)
        if not isinstance(value, int) or value < 1:
            return None
        product *= value
    return product
