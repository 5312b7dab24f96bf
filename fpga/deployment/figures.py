"""What a self-test measures on a board."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from fpga.deployment.errors import DeployError


@dataclass(frozen=True)
class Figures:
    """``accuracy`` is None where the golden images are none of a test set. Latency is of one frame, in cycles and us.

    ``frames_per_second``: by the accelerator's counter, None over a wire that takes one frame at a time;
    ``host_frames_per_second``: as the processor sees it, packing and transfer included. ``power_w``: watts of each
    rail, None where the board measures none.
    """

    images: int
    accuracy: float | None
    latency_cycles: int
    latency_us: float
    frames_per_second: float | None
    host_frames_per_second: float
    power_w: dict[str, float] | None
    clock_mhz: float

    @classmethod
    def of(cls, reply: Mapping[str, Any], clock_mhz: float) -> Self:
        """The figures that a passed self-test printed; DeployError where one is missing or no number."""
        try:
            power = reply["power_w"]
            return cls(
                images=int(reply["images"]),
                accuracy=_number(reply["accuracy"]),
                latency_cycles=int(reply["latency_cycles"]),
                latency_us=float(reply["latency_us"]),
                frames_per_second=_number(reply["frames_per_second"]),
                host_frames_per_second=float(reply["host_frames_per_second"]),
                power_w=None if power is None else {str(rail): float(watts) for rail, watts in power.items()},
                clock_mhz=clock_mhz,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DeployError(f"the self-test's figures are not whole ({error!r})") from None

    def told(self) -> str:
        """The same in lines for a user."""
        lines = [f"self-test: all logits of {self.images} golden images equal ONNX Runtime's"]
        if self.accuracy is not None:
            lines.append(f"accuracy {self.accuracy:.4f} on these images of the test set")
        speed = f"{self.host_frames_per_second:,.1f} frames a second as the processor sees it"
        if self.frames_per_second is not None:
            speed = f"{self.frames_per_second:,.1f} frames a second in the accelerator, {speed}"
        lines += [speed, f"latency {self.latency_cycles:,} cycles, {self.latency_us:,.1f} us at {self.clock_mhz:g} MHz"]
        if self.power_w:
            lines.append("power " + ", ".join(f"{rail} {watts:.2f} W" for rail, watts in self.power_w.items()))
        return "\n".join(lines)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
