"""Event-driven cores in a folding: which the solver may choose, and the cycles that they take for real images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np

from codegen.cores.core import Core, LayerCore
from codegen.cores.event_cycles import vector_cycles
from codegen.cores.spiking_mvau import SpikingMVAU
from codegen.event_results import DensityResult, LayerDensity, ScanLengths
from codegen.results import Spread
from codegen.statistic import Statistic


@dataclass(frozen=True)
class EventChoice:
    """That the solver may make cores event-driven, and which statistic of their cycles counts then.

    ``guaranteed``: most cycles a frame that any core may take for any image whatsoever; None: any number.
    """

    statistic: Statistic
    layers: Mapping[str, LayerDensity]
    guaranteed: int | None = None

    @classmethod
    def of(cls, density: DensityResult, statistic: Statistic, guaranteed: int | None = None) -> EventChoice:
        """The choice that a measured density gives."""
        return cls(statistic, {entry.layer: entry for entry in density.layers}, guaranteed)

    def event_form(self, layer: str, core: LayerCore) -> tuple[LayerCore, int] | None:
        """A layer's core made event-driven, and its cycles a frame; None where it cannot be, or would be no faster."""
        event = core.event_form()
        spread = core_spread(self.layers.get(layer), event) if event else None
        if event is None or spread is None:
            return None
        cycles = math.ceil(getattr(spread, self.statistic))
        return (event, cycles) if cycles < core.cycles else None

    def allows(self, core: Core) -> bool:
        """Whether a core is fast enough whatever the image."""
        return self.guaranteed is None or core.cycles <= self.guaranteed


def is_event_driven(core: Core) -> TypeGuard[SpikingMVAU]:
    """Whether a core skips zeros, so that its cycles depend on the image."""
    return isinstance(core, SpikingMVAU) and core.event


def core_spread(density: LayerDensity | None, core: Core) -> Spread | None:
    """Cycles a frame of an event-driven core over the images that ``density`` of its layer was measured on.

    None for a core that is not event-driven, and where nothing was measured for its number of banks.
    """
    if density is None or not is_event_driven(core):
        return None
    scan = next((scan for scan in density.scans if scan.simd == core.simd), None)
    if scan is None:
        return None
    return Spread(
        _cycles(scan, core, 1.0), math.ceil(_cycles(scan, core, scan.p99)), math.ceil(_cycles(scan, core, scan.worst))
    )


def _cycles(scan: ScanLengths, core: SpikingMVAU, times: float) -> float:
    """Cycles of a frame whose scans are ``times`` as long as the mean ones."""
    lengths = np.minimum(np.rint(np.array(scan.lengths) * times), core.synapse_folds).astype(np.int64)
    return float(vector_cycles(lengths, core).mean() * core.vectors)
