"""Accumulators in DSP slices (dsp_sums.sv): how many slices a core takes for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from codegen.cores.spiking_mvau import SpikingMVAU

MacStyle = Literal["lut", "dsp"]
"""Where a core accumulates its sums: look-up tables, or DSP slices."""
MAC_STYLES: tuple[MacStyle, ...] = get_args(MacStyle)

SLICE_BITS = 48
LANES_OF_SLICE = (4, 2, 1)
"""Accumulators that a slice may hold, of equal width (UG479, USE_SIMD)."""


def sum_bits(core: SpikingMVAU) -> int:
    """Width of an accumulator: pairs hold twice the sum."""
    return (core.current_bits if core.dynamics else core.output_bits) + core.paired


def lane_bits(core: SpikingMVAU) -> int:
    """Width of an accumulator in a slice: carries lie below it, but those of pairs in its lowest bit."""
    return sum_bits(core) + ((core.counted_whole and not core.ternary) or core.signed_ternary)


def dsp_slices(core: SpikingMVAU) -> int:
    """Slices for the accumulators of a core."""
    lanes = next(lanes for lanes in LANES_OF_SLICE if lane_bits(core) * lanes <= SLICE_BITS)
    return -(-core.pe * core.sums // lanes)
