"""SpikingMVAU: matrix-vector product of spike trains (or a static image) with neurons, or the read-out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from codegen.errors import FoldingError
from codegen.network import NeuronKind, ResetKind

MemoryStyle = Literal["block", "distributed"]
MAX_TIMESTEPS = 32


@dataclass(frozen=True)
class SpikingMVAUSpec:
    """Parameters of one core. All widths are in bits; accumulator, potential, bias, threshold and logits are signed.

    mw, mh: matrix width (inputs of a vector) and height (output channels); simd divides mw, pe divides mh.
    timesteps T in 1..32; tp time steps per cycle, divides T (static input and read-out: tp = T, the sums are shared).
    static_input: elements are unsigned ``input_bits``-bit integers, the same at every step; else spike trains UINT{T}.
    vectors: output pixels per frame.
    neuron "none" is the read-out: one signed ``output_bits`` logit per channel; else the output is UINT{T} spike trains.
    """

    name: str
    mw: int
    mh: int
    simd: int
    pe: int
    timesteps: int
    tp: int
    static_input: bool
    input_bits: int
    neuron: NeuronKind
    leak_shift: int
    reset: ResetKind
    frac_bits: int
    weight_bits: int
    acc_bits: int
    potential_bits: int
    bias_bits: int
    threshold_bits: int
    output_bits: int
    vectors: int
    memory_style: MemoryStyle

    def __post_init__(self) -> None:
        where = f"SpikingMVAU {self.name!r}"
        if self.simd < 1 or self.mw % self.simd:
            raise FoldingError(f"{where}: SIMD={self.simd} does not divide the {self.mw} inputs of the layer")
        if self.pe < 1 or self.mh % self.pe:
            raise FoldingError(f"{where}: PE={self.pe} does not divide the {self.mh} output channels of the layer")
        if not 1 <= self.timesteps <= MAX_TIMESTEPS:
            raise FoldingError(f"{where}: T={self.timesteps} is outside 1..{MAX_TIMESTEPS}")
        if self.tp < 1 or self.timesteps % self.tp:
            raise FoldingError(f"{where}: TP={self.tp} does not divide T={self.timesteps}")
        if self.sums_once and self.tp != self.timesteps:
            raise FoldingError(f"{where}: TP={self.tp} must equal T={self.timesteps}, its sums are shared by all steps")

    @property
    def sums_once(self) -> bool:
        """Whether one sum per vector serves all time steps (static image, or read-out over spike counts)."""
        return self.static_input or self.neuron == "none"

    @property
    def synapse_folds(self) -> int:
        return self.mw // self.simd

    @property
    def neuron_folds(self) -> int:
        return self.mh // self.pe

    @property
    def time_folds(self) -> int:
        return self.timesteps // self.tp

    @property
    def element_bits(self) -> int:
        """Width of one input element on the stream."""
        return self.input_bits if self.static_input else self.timesteps

    @property
    def output_element_bits(self) -> int:
        """Width of one output element on the stream."""
        return self.output_bits if self.neuron == "none" else self.timesteps

    @property
    def cycles(self) -> int:
        """Cycles per frame at full throughput."""
        return self.vectors * self.synapse_folds * self.neuron_folds * self.time_folds
