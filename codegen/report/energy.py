"""An estimate of the energy of one frame: operations times what a single one takes in a 45 nm process.

The figures are those of M. Horowitz, "Computing's Energy Problem (and what we can do about it)", ISSCC 2014, figure
1.1.9: rough energy of operations at 45 nm and 0.9 V, in pJ. Only arithmetic is counted. Memory is not (64 bits from a
cache of 8 KB take 10 pJ there, more than any operation here), nor are clocks, control or leakage. An FPGA takes more
for each operation than a chip made for it. So it compares networks, and says nothing about a board's watts.
"""

from __future__ import annotations

from dataclasses import dataclass

SOURCE = "Horowitz, ISSCC 2014, 45 nm at 0.9 V"
ADD_INT32, MULTIPLY_INT8 = 0.1, 0.2
ADD_FLOAT32, MULTIPLY_FLOAT32 = 0.9, 3.7
_NANO = 1e-3
"""nJ of a pJ."""


@dataclass(frozen=True)
class Energy:
    """Arithmetic of one frame. ``synops``: accumulations that spikes cause; ``macs``: multiply-accumulates of the layer
    that reads a static image, 0 for event frames.

    ``nj``: ``synops`` 32-bit integer additions and ``macs`` products of 8-bit integers, each with such an addition.
    ``float32_nj``: the same counts in 32-bit floats, which other publications on spiking networks reckon with.
    None where a count was not measured.
    """

    source: str
    ac_pj: float
    mac_pj: float
    synops: float | None
    macs: int | None
    nj: float | None
    float32_nj: float | None


def estimate_energy(synops: float | None, macs: int | None) -> Energy:
    """The energy of so many accumulations and multiply-accumulates."""
    integer, floats = (ADD_INT32, MULTIPLY_INT8 + ADD_INT32), (ADD_FLOAT32, MULTIPLY_FLOAT32 + ADD_FLOAT32)
    ac, mac = (round(energy, 6) for energy in integer)
    return Energy(SOURCE, ac, mac, synops, macs, _energy(synops, macs, integer), _energy(synops, macs, floats))


def _energy(synops: float | None, macs: int | None, picojoules: tuple[float, float]) -> float | None:
    if macs is None or synops is None:
        return None
    ac, mac = picojoules
    return (synops * ac + macs * mac) * _NANO
