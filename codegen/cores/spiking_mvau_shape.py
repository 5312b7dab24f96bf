"""What a SpikingMVAU is made of, and what follows from it: how it multiplies, and how wide words are."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from codegen.cores.core import LayerCore
from codegen.cores.dsp_sums import MacStyle
from codegen.cores.memory import WeightStyle, block_rams
from codegen.neurons import NO_NEURON, SUMS, Constants, Neuron, ResetKind, neuron_of

EXTERNAL: WeightStyle = "external"

MOST_WHOLE_COUNT = 4
"""Largest count whose product is a shift of the weight, inverted or not, taken from the middle of the counts."""
MOST_PLANES = 8
"""Bits of an element that the hardware takes as spikes; an element of more is multiplied."""


@dataclass(frozen=True)
class MvauShape(LayerCore):
    """One core. All widths are in bits; accumulator, potential, bias, threshold and logits are signed.

    mw, mh: matrix width (inputs of a vector) and height (output channels); simd divides mw, pe divides mh.
    timesteps T in 1..32; tp time steps per cycle, divides T (static input and read-out: tp = T, the sums are shared).
    static_input: elements are unsigned ``input_bits``-bit integers, the same at every step; else UINT{T * step_bits},
    unsigned ``step_bits``-bit integers of each step: 1 are spike trains, 2..8 are counts.
    vectors: output pixels per frame.
    neuron "none" is the read-out: one signed ``output_bits`` logit per channel. "sums" sends the sums of the weights as
    they are, ``acc_bits`` each: T signed integers per channel, or one where the input is static (codegen.cores.steps);
    its only constants are the weights. Else the output is UINT{T} trains.
    use_dsp: products of static inputs and of the read-out in DSP slices; else in look-up tables, radix-4 digits.
    mac_style: sums are accumulated in look-up tables, or in DSP slices ("dsp"), up to four of them in each.
    half_start: the potential starts at ``threshold >> 1`` instead of 0.
    map_pixels: pixels over which a read-out counts the spikes of each input before it multiplies, once a frame.
    reads_events: the input is event frames from memory, which can wait.
    event: event-driven, it skips elements that are zero at all steps (codegen.cores.event_cycles).
    taps: kernel positions of a vector, one behind the other, each with mw / taps channels.
    memory_style: of the weights' ROM; "external" has none, and the weights come in on a stream once a frame.
    """

    mw: int
    mh: int
    simd: int
    pe: int
    timesteps: int
    tp: int
    static_input: bool
    input_bits: int
    neuron: str
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
    memory_style: WeightStyle
    use_dsp: bool = False
    mac_style: MacStyle = "lut"
    half_start: bool = False
    map_pixels: int = 1
    step_bits: int = 1
    reads_events: bool = field(default=False, compare=False)
    event: bool = False
    taps: int = 1
    input_shape: tuple[int, ...] = field(default=(), compare=False, repr=False)
    """Of the input in the dataflow graph, where it is not [vectors, mw]."""
    vector_shape: tuple[int, ...] = field(default=(), compare=False, repr=False)
    """``vectors`` as the dataflow graph has them, [1, rows, columns] of a map."""
    constants: Constants | None = field(default=None, compare=False, repr=False)

    @property
    def external(self) -> bool:
        """Whether the weights come in on a stream."""
        return self.memory_style == EXTERNAL

    @property
    def dynamics(self) -> Neuron | None:
        """The neuron behind the sums; None for the read-out, and where the sums are sent on."""
        return neuron_of(self.neuron, self.leak_shift, self.reset, self.half_start, self.frac_bits)

    @property
    def sums_once(self) -> bool:
        """Whether one sum per vector serves all time steps (static image, or spikes that are counted first)."""
        return self.static_input or self.counts_spikes

    @property
    def counts_spikes(self) -> bool:
        """Whether the inputs are summed over the steps before they are multiplied: for all that the steps add up to."""
        late = self.dynamics is not None and self.dynamics.late
        return not self.static_input and (self.neuron == NO_NEURON or late)

    @property
    def multiplies(self) -> bool:
        """Whether elements are multiplied as integers, and not bit by bit as spikes."""
        return self.static_input or self.neuron == NO_NEURON or self.lane_planes > MOST_PLANES

    @property
    def most_count(self) -> int:
        """The largest sum of an input over all steps of a vector."""
        return self.timesteps * self.largest_input

    @property
    def counted_whole(self) -> bool:
        """Whether RTL multiplies counts by small multiples of a weight, not bit by bit; corrected as ``ternary``."""
        small = self.counts_spikes and not self.multiplies and 1 < self.most_count <= MOST_WHOLE_COUNT
        return small and not self.event

    @property
    def ternary(self) -> bool:
        """Whether RTL counts products instead of adding weights: weights -1, 0, 1 in a core with a bias to correct.

        The correction is that of all elements, of which an event-driven core leaves some out.
        """
        return self._of_ternary_weights and self.neuron != SUMS and not self.event

    @property
    def signed_ternary(self) -> bool:
        """Whether RTL adds or subtracts the elements that an event-driven core takes: weights -1, 0, 1."""
        return self._of_ternary_weights and self.event

    @property
    def _of_ternary_weights(self) -> bool:
        if self.weight_bits != 2 or self.multiplies:
            return False
        return self.constants is None or int(self.constants.weights.min()) >= -1

    @property
    def paired(self) -> bool:
        """Whether RTL stores the sum and the difference of each pair of weights: of spikes, if block RAMs have room."""
        spikes = not self.multiplies and not self.counts_spikes and self.step_bits == 1 and self.neuron != SUMS
        if not spikes or self.ternary or self.event or self.memory_style != "block":
            return False
        depth = self.synapse_folds * self.neuron_folds
        stored = (self.pe * self.simd * self.weight_bits, self.pe * self.pair_word_bits)
        return len({block_rams(width, depth) for width in stored}) == 1

    @property
    def pair_word_bits(self) -> int:
        """Width of the pairs of a row in a word of weights: the difference has the sum's lowest bit."""
        return math.ceil(self.simd / 2) * (2 * self.weight_bits + 1)

    @property
    def weight_word_bits(self) -> int:
        """Width of a word of the weight memory in RTL."""
        return self.pe * (self.pair_word_bits if self.paired else self.simd * self.weight_bits)

    @property
    def sums(self) -> int:
        """Sums of an output channel that are worked at a time."""
        return 1 if self.sums_once else self.tp

    @property
    def current_bits(self) -> int:
        """Width of a sum with the integer part of its bias, as the accumulators of RTL hold it before neurons."""
        biased = max(self.acc_bits, self.bias_bits - self.frac_bits, 1) + 1
        return min(biased, max(self.potential_bits - self.frac_bits, 1))

    @property
    def lane_planes(self) -> int:
        """Bits of an element that are taken as spikes for each of these sums."""
        return self.count_bits if self.counts_spikes else self.step_bits

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
    def rotate_words(self) -> int:
        """Input words of one kernel tap, where an event-driven core rotates the elements from tap to tap; 0: not."""
        channels = self.mw // self.taps
        return channels // self.simd if self.taps > 1 and self.simd > 1 and channels % self.simd == 0 else 0

    @property
    def element_bits(self) -> int:
        """Width of one input element on the stream."""
        return self.input_bits if self.static_input else self.timesteps * self.step_bits

    @property
    def largest_input(self) -> int:
        """The largest value of an input at a step that its bits hold."""
        return (1 << (self.input_bits if self.static_input else self.step_bits)) - 1

    @property
    def output_steps(self) -> int:
        """Steps of a channel's result: the bits of a spike train, or integers beside each other."""
        return 1 if self.sums_once and self.dynamics is None else self.timesteps

    @property
    def count_bits(self) -> int:
        """Width of the sum of one input over all steps and pixels of the map: the number of its spikes."""
        return (self.map_pixels * self.timesteps * ((1 << self.step_bits) - 1)).bit_length()
