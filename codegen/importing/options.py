"""What a NIR file leaves open, or what its user says otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from codegen.dialect import MAX_TIMESTEPS
from codegen.errors import ImportingError
from codegen.importing.float_network import ResetKind

INPUT_FORMS = ("static", "spikes", "counts")
COMPARISONS = ("ge", "gt")
RESETS = ("hard", "soft", "delayed")


@dataclass(frozen=True)
class NirOptions:
    """Answers to what NIR does not say; None: the file's metadata, else what its numbers allow to be concluded.

    ``dt``: seconds of a time step. ``compare``: "gt" where neither the option nor the metadata says it. ``input``:
    "static", one image at every step, else one frame per step. ``input_scale``: what one unit of a uint8 counts as.
    ``input_shape``: height, width and channels of the image whose pixels (order c, h, w) are a network's input vector.
    ``classes``: names in the order of the logits.
    """

    dt: float | None = None
    reset: ResetKind | None = None
    compare: Literal["ge", "gt"] | None = None
    timesteps: int = 4
    input: Literal["static", "spikes", "counts"] = "static"
    input_scale: float = 1.0
    input_shape: tuple[int, int, int] | None = None
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise ImportingError for values outside what each may be."""
        if self.dt is not None and not 0 < self.dt < float("inf"):
            raise ImportingError(f"dt is {self.dt:g}, and must be a number of seconds above 0")
        if self.reset is not None and self.reset not in RESETS:
            raise ImportingError(f"reset is {self.reset!r}, and must be one of {', '.join(RESETS)}")
        if self.compare is not None and self.compare not in COMPARISONS:
            raise ImportingError(f"compare is {self.compare!r}, and must be ge or gt")
        if not 1 <= self.timesteps <= MAX_TIMESTEPS:
            raise ImportingError(f"timesteps is {self.timesteps}, and must be 1 to {MAX_TIMESTEPS}")
        if self.input not in INPUT_FORMS:
            raise ImportingError(f"input is {self.input!r}, and must be one of {', '.join(INPUT_FORMS)}")
        if not 0 < self.input_scale < float("inf"):
            raise ImportingError(f"input_scale is {self.input_scale:g}, and must be a number above 0")
        if self.input_shape is not None and (len(self.input_shape) != 3 or min(self.input_shape) < 1):
            raise ImportingError(
                f"input_shape is {self.input_shape}, and must be height, width and channels, 1 or more"
            )
