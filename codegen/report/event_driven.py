"""What a report says of event-driven cores: cycles as a distribution over images, and the rate that is guaranteed."""

from __future__ import annotations

from dataclasses import dataclass

from codegen.event_results import EventCore, EventCyclesResult, SimulatedInterval
from codegen.results import Spread

MHZ = 1_000_000


@dataclass(frozen=True)
class EventDriven:
    """Cycles from frame to frame of an accelerator with event-driven cores, which depend on the image.

    Fields as in ``EventCyclesResult``; ``fps``: frames per second of the mean, ``guaranteed_fps``: of
    any image.
    """

    images: int
    kind: str
    interval: Spread
    guaranteed: int
    fps: float | None
    guaranteed_fps: float | None
    cores: tuple[EventCore, ...]
    simulated: SimulatedInterval | None


def event_driven(measured: EventCyclesResult | None, clock_mhz: float | None) -> EventDriven | None:
    """What an RTL simulation measured, with rates at a clock in MHz; None where nothing was."""
    if measured is None:
        return None
    return EventDriven(
        images=measured.images,
        kind=measured.kind,
        interval=measured.interval,
        guaranteed=measured.guaranteed,
        fps=clock_mhz * MHZ / measured.interval.mean if clock_mhz else None,
        guaranteed_fps=clock_mhz * MHZ / measured.guaranteed if clock_mhz else None,
        cores=measured.cores,
        simulated=measured.simulated,
    )
