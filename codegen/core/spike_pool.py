"""SpikePool: OR pooling of spike trains over non-overlapping square windows."""

from __future__ import annotations

from dataclasses import dataclass

from codegen.errors import FoldingError


@dataclass(frozen=True)
class SpikePoolSpec:
    """Parameters of one core: [height, width, channels] in, floor(height/kernel), floor(width/kernel) out.

    pe channels of UINT{timesteps} per stream word; pe divides channels. Rows and columns past the last full window
    are read and dropped.
    """

    name: str
    height: int
    width: int
    channels: int
    kernel: int
    pe: int
    timesteps: int

    def __post_init__(self) -> None:
        if self.pe < 1 or self.channels % self.pe:
            raise FoldingError(
                f"SpikePool {self.name!r}: PE={self.pe} does not divide the {self.channels} channels of the layer"
            )
        if not 1 <= self.kernel <= min(self.height, self.width):
            raise FoldingError(
                f"SpikePool {self.name!r}: a window of {self.kernel} does not fit a {self.height}x{self.width} map"
            )

    @property
    def cycles(self) -> int:
        """Cycles per frame at full throughput."""
        return self.height * self.width * (self.channels // self.pe)
