"""Width converter: words of one width to words of another, the HLS counterpart of StreamingDataWidthConverter_rtl."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codegen.core.plumbing import Constant, PlumbingNode, write_node
from codegen.errors import FoldingError

HLS_SOURCES = ("width_converter.hpp", "trip_count.hpp")


@dataclass(frozen=True)
class WidthConverterSpec:
    """Parameters of one core: in_words words of in_bits per frame become words of out_bits.

    A frame must be a whole number of output words.
    """

    name: str
    in_bits: int
    out_bits: int
    in_words: int

    def __post_init__(self) -> None:
        if (self.in_bits * self.in_words) % self.out_bits:
            raise FoldingError(
                f"WidthConverter {self.name!r}: a frame of {self.in_words} words of {self.in_bits} bits "
                f"is not a whole number of {self.out_bits}-bit words"
            )

    @property
    def out_words(self) -> int:
        return self.in_bits * self.in_words // self.out_bits

    @property
    def cycles(self) -> int:
        """Cycles per frame at full throughput."""
        return max(self.in_words, self.out_words)


def reference(spec: WidthConverterSpec, frame: NDArray[np.int64]) -> NDArray[np.int64]:
    """Naive model on bits: [in_words, in_bits] of 0/1 to [out_words, out_bits], column 0 being the lowest bit."""
    return frame.reshape(spec.out_words, spec.out_bits)


def write_hls(spec: WidthConverterSpec, folder: Path) -> list[Path]:
    """Write <name>.hpp into the folder; returns the file written."""
    values = {
        "IN_BITS": spec.in_bits,
        "OUT_BITS": spec.out_bits,
        "IN_WORDS": spec.in_words,
        "OUT_WORDS": spec.out_words,
    }
    return write_node(
        PlumbingNode(
            name=spec.name,
            summary=f"{spec.in_bits}-bit words to {spec.out_bits}-bit words",
            header="width_converter.hpp",
            function="width_converter",
            in_bits=spec.in_bits,
            out_bits=spec.out_bits,
            constants=tuple(Constant(*item) for item in values.items()),
        ),
        folder,
    )
