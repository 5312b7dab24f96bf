"""Stream FIFO: FINN's StreamingFIFO_rtl in the RTL, the depth of an hls::stream in the HLS."""

from __future__ import annotations

from dataclasses import dataclass

from codegen.errors import FoldingError

MIN_DEPTH = 2


@dataclass(frozen=True)
class FifoSpec:
    """A FIFO of ``depth`` words of ``word_bits``; ``words`` pass it per frame."""

    name: str
    depth: int
    word_bits: int
    words: int
    ram_style: str

    def __post_init__(self) -> None:
        if self.depth < MIN_DEPTH:
            raise FoldingError(f"FIFO {self.name!r}: a depth of {self.depth} cannot be built, {MIN_DEPTH} is the least")

    @property
    def cycles(self) -> int:
        """Cycles per frame at full throughput."""
        return self.words
