"""SpikingMVAU: matrix-vector product of spike trains, counts or a static image: neurons, the read-out, or sums."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from codegen.cores import spiking_mvau_rendering as rendering
from codegen.cores.core import (
    FIFO_DEPTHS,
    MAX_STREAM_BITS,
    Attribute,
    Constant,
    Fold,
    Frame,
    LayerCore,
    Rendered,
    Stream,
    Tensor,
    divisors,
)
from codegen.cores.dsp_sums import MAC_STYLES, MacStyle
from codegen.cores.event_cycles import why_not_event
from codegen.cores.memory import MEMORY_STYLES, WeightStyle, block_rams, choose_memory_style
from codegen.cores.rendering import Language
from codegen.cores.spiking_mvau_reference import reference_outputs
from codegen.cores.spiking_mvau_resources import mvau_resources
from codegen.cores.steps import step_stream, step_tensor
from codegen.cores.streamed_weights import replays, streaming_fault, weight_stream
from codegen.dialect import MAX_STEP_BITS, MAX_TIMESTEPS
from codegen.errors import FoldingError, RenderError
from codegen.fit import Resources
from codegen.neurons import NEURONS, NO_NEURON, SUMS, Constants, Neuron, ResetKind, neuron_of

EXTERNAL: WeightStyle = "external"

_READING_PASSES = 2
"""Passes over a frame that is kept in which the next one comes in: the last one, and its own first one."""

MOST_WHOLE_COUNT = 4
"""Largest count whose product is a shift of the weight, inverted or not, taken from the middle of the counts."""
MOST_PLANES = 8
"""Bits of an element that the hardware takes as spikes; an element of more is multiplied."""


@dataclass(frozen=True)
class SpikingMVAU(LayerCore):
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

    op: ClassVar[str] = "SpikingMVAU"
    attributes: ClassVar[tuple[Attribute, ...]] = (
        Attribute("MW", "i", ("mw",), 0),
        Attribute("MH", "i", ("mh",), 0),
        Attribute("SIMD", "i", ("simd",), 1),
        Attribute("PE", "i", ("pe",), 1),
        Attribute("T", "i", ("timesteps",), 1),
        Attribute("TP", "i", ("tp",), 1),
        Attribute("inputDataType", "bits", ("input_bits",), ""),
        Attribute("weightDataType", "bits", ("weight_bits",), ""),
        Attribute("outputDataType", "bits", ("output_bits",), ""),
        Attribute("accBits", "i", ("acc_bits",), 0),
        Attribute("potentialBits", "i", ("potential_bits",), 0),
        Attribute("biasBits", "i", ("bias_bits",), 0),
        Attribute("thresholdBits", "i", ("threshold_bits",), 0),
        Attribute("neuron", "s", ("neuron",), next(iter(NEURONS)), allowed=frozenset({NO_NEURON, SUMS, *NEURONS})),
        Attribute("leakShift", "i", ("leak_shift",), 0, required=False),
        Attribute("resetMode", "s", ("reset",), "hard", required=False, allowed=frozenset({"hard", "soft"})),
        Attribute("fracBits", "i", ("frac_bits",), 0),
        Attribute("staticInput", "flag", ("static_input",), 0),
        Attribute("inputShape", "shape", ("input_shape",), []),
        Attribute("numInputVectors", "count", ("vectors",), [1]),
        Attribute("numInputVectors", "shape", ("vector_shape",), [1]),  # leading 1: the batch
        Attribute("layer", "s", (), "", required=False),  # name of the layer in model.onnx
        Attribute(
            "memStyle", "s", ("memory_style",), "block", required=False, allowed=frozenset({*MEMORY_STYLES, EXTERNAL})
        ),
        Attribute("useDsp", "flag", ("use_dsp",), 0, required=False),
        Attribute("macStyle", "s", ("mac_style",), "lut", required=False, allowed=frozenset(MAC_STYLES)),
        Attribute("halfStart", "flag", ("half_start",), 0, required=False),
        Attribute("mapPixels", "i", ("map_pixels",), 1, required=False),
        Attribute("stepBits", "i", ("step_bits",), 1, required=False),
        Attribute("readsEvents", "flag", ("reads_events",), 0, required=False),
        Attribute("event", "flag", ("event",), 0, required=False),
        Attribute("kernelTaps", "i", ("taps",), 1, required=False),
    )
    folds: ClassVar[tuple[Fold, ...]] = (
        Fold("SIMD", "simd", "mw", "inputs"),
        Fold("PE", "pe", "mh", "output channels"),
        Fold("TP", "tp", "timesteps", "time steps"),
        Fold("memStyle", "memory_style", choices=(*MEMORY_STYLES, EXTERNAL)),
        Fold("useDsp", "use_dsp", choices=(0, 1)),
        Fold("macStyle", "mac_style", choices=MAC_STYLES),
        Fold("event", "event", choices=(0, 1)),
        Fold(FIFO_DEPTHS),
    )
    sources: ClassVar[Mapping[Language, tuple[str, ...]]] = {
        "hls": (
            "trip_count.hpp",
            "integers.hpp",
            "neuron.hpp",
            "map_counter.hpp",
            "mvau_fold.hpp",
            "spiking_mvau.hpp",
            "event_mvau.hpp",
            "streamed_mvau.hpp",
        ),
        "rtl": (
            "delay_line.sv",
            "constant_rom.sv",
            "frame_memory.sv",
            "frame_replay.sv",
            "frame_transpose.sv",
            "weight_source.sv",
            "sum_tree.sv",
            "adder_tree.sv",
            "popcount.sv",
            "step_sum.sv",
            "map_counter.sv",
            "spike_dot.sv",
            "pair_dot.sv",
            "count_dot.sv",
            "ternary_dot.sv",
            "table_dot.sv",
            "signed_dot.sv",
            "plane_tree.sv",
            "plane_sum.sv",
            "product_dot.sv",
            "dsp_slice.sv",
            "dsp_sums.sv",
            "constant_times.sv",
            "neuron_serial.sv",
            "neuron_chain.sv",
            "event_queues.sv",
            "event_weights.sv",
            "output_stage.sv",
            "spiking_mvau.sv",
        ),
    }

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
        if not 1 <= self.step_bits <= MAX_STEP_BITS:
            raise FoldingError(f"{where}: {self.step_bits} bits of each step are outside 1..{MAX_STEP_BITS}")
        if self.static_input and self.step_bits > 1:
            raise FoldingError(f"{where}: an input that is the same at every step has no bits of each step")
        if self.sums_once and self.tp != self.timesteps:
            raise FoldingError(f"{where}: TP={self.tp} must equal T={self.timesteps}, its sums are shared by all steps")
        reads_map = self.neuron == NO_NEURON and not self.static_input and self.vectors == 1
        if self.neuron == SUMS and self.output_bits != self.acc_bits:
            raise FoldingError(f"{where}: its sums have {self.acc_bits} bits, its output {self.output_bits}")
        if self.map_pixels < 1 or (self.map_pixels > 1 and not reads_map):
            raise FoldingError(f"{where}: only a read-out of spikes, of one vector a frame, can sum a map")
        if self.taps < 1 or self.mw % self.taps:
            raise FoldingError(f"{where}: its {self.mw} inputs are not those of {self.taps} kernel positions")
        if self.event and (reason := why_not_event(self)):
            raise FoldingError(f"{where}: event=1 is not possible, {reason}")
        if self.external and (fault := streaming_fault(self)):
            raise FoldingError(f"{where}: its weights cannot be external, {fault}")

    @property
    def external(self) -> bool:
        """Whether the weights come in on a stream."""
        return self.memory_style == EXTERNAL

    @property
    def weight_stream(self) -> Stream | None:
        return weight_stream(self) if self.external else None

    def weight_words(self) -> NDArray[np.uint8]:
        stream = weight_stream(self)
        return rendering.weight_words(self, self._constants().weights, stream.bytes)

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

    @property
    def cycles(self) -> int:
        """Cycles per frame at full throughput; a map is counted while the counts of the one before are multiplied."""
        folds = max(self.map_pixels, self.neuron_folds * self.time_folds)
        return self.vectors * self.synapse_folds * folds

    @property
    def inputs(self) -> tuple[Stream, ...]:
        words = self.vectors * self.map_pixels * self.synapse_folds
        return (Stream(self.simd, self.element_bits, False, words),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        integers = self.dynamics is None
        bits = self.output_bits if integers else 1
        return (step_stream(self.pe, self.output_steps, bits, integers, self.vectors * self.neuron_folds),)

    @property
    def input_tensors(self) -> tuple[Tensor, ...]:
        shape = self.input_shape or (self.vectors * self.map_pixels, self.mw)
        # A map that is summed comes pixel by pixel, and is one vector.
        return (Tensor(shape, shape[:-1] if self.map_pixels > 1 else self.vector_shape or (self.vectors,)),)

    @property
    def output_tensors(self) -> tuple[Tensor, ...]:
        vectors = self.vector_shape or (self.vectors,)
        return (step_tensor(vectors, self.mh, self.output_steps, self.dynamics is None),)

    @property
    def constant_inputs(self) -> tuple[Constant, ...]:
        """Weights, and bias and threshold where sums are not sent on as they are."""
        weights = Constant("weights", (self.mw, self.mh), f"INT{self.weight_bits}")
        bias = Constant("bias", (self.mh,), f"INT{self.bias_bits}")
        threshold = Constant("threshold", (self.mh,), f"INT{self.threshold_bits}")
        return (weights,) if self.neuron == SUMS else (weights, bias, threshold)

    def with_constants(self, *values: NDArray[Any]) -> Self:
        weights, *rest = (value.astype(np.int64) for value in values)
        bias, threshold = rest or np.zeros((2, self.mh), np.int64)
        return replace(self, constants=Constants(weights.T.copy(), bias, threshold))

    @property
    def memory_bits(self) -> int:
        return self.mw * self.mh * self.weight_bits

    def operation_counts(self) -> dict[str, int]:
        return {
            f"op_ac_{self.element_bits}bx{self.weight_bits}b": self.work,
            f"param_weight_{self.weight_bits}b": self.mw * self.mh,
            f"param_threshold_{self.threshold_bits}b": self.mh if self.dynamics else 0,
        }

    @property
    def work(self) -> int:
        return self.mw * self.mh * self.vectors

    @property
    def vector_words(self) -> int:
        return self.synapse_folds * (self.vectors if self.keeps_frames else 1)

    @property
    def vector_cycles(self) -> int:
        return self.vector_words * self.neuron_folds * self.time_folds

    @property
    def keeps_frames(self) -> bool:
        return self.external and replays(self)

    @property
    def reads_image(self) -> bool:
        return self.static_input or self.reads_events

    @property
    def burst_words(self) -> int:
        """A vector: the core reads each input once and then works on the vector that it has, or on a frame."""
        if self.keeps_frames:
            return self.vector_words if self.neuron_folds > _READING_PASSES else 0
        if self.neuron_folds * self.time_folds == 1:
            return 0
        if self.neuron_folds <= self.map_pixels:
            return 0  # it counts the next map while it multiplies
        return self.synapse_folds

    def foldings(self) -> Iterator[Self]:
        """SIMD, PE and TP, with the weights where they cost least; no word is wider than a stream's may be.

        Of an event-driven core those that can be event-driven.
        """
        result_bits = self.outputs[0].bits // self.pe
        for simd in divisors(self.mw):
            for pe in divisors(self.mh):
                if pe * max(simd * self.weight_bits, result_bits) > MAX_STREAM_BITS:
                    continue
                style = choose_memory_style(self.mw // simd * (self.mh // pe), simd * pe * self.weight_bits)
                for tp in (self.timesteps,) if self.sums_once else divisors(self.timesteps):
                    folded = replace(self, simd=simd, pe=pe, tp=tp, memory_style=style, event=False)
                    if not self.event:
                        yield folded
                    elif not why_not_event(folded):
                        yield replace(folded, event=True)

    def event_form(self) -> Self | None:
        return None if why_not_event(self) else replace(self, event=True)

    def folding(self) -> dict[str, Any]:
        event = {"event": 1} if self.event else {}
        mac = {"macStyle": self.mac_style} if self.mac_style != "lut" else {}
        products = {"useDsp": 1} if self.use_dsp else {}
        return {**super().folding(), "memStyle": self.memory_style, **event, **mac, **products}

    def memory_choices(self) -> tuple[Self, ...]:
        if self.synapse_folds * self.neuron_folds == 1:
            return (self,)  # constants, no memory
        return tuple(replace(self, memory_style=style) for style in MEMORY_STYLES)

    def external_choices(self) -> tuple[Self, ...]:
        return () if streaming_fault(self) else (replace(self, memory_style=EXTERNAL),)

    def dsp_choices(self) -> tuple[Self, ...]:
        in_slices = replace(self, mac_style="dsp")
        # A weight of two bits only chooses, and Yosys makes no slice of it.
        products = self.multiplies and self.weight_bits > 2
        return (in_slices, replace(in_slices, use_dsp=True)) if products else (in_slices,)

    def fold(self, asked: Mapping[str, Any], where: str) -> Self:
        tp = int(asked.get("TP", self.timesteps))
        if self.sums_once and tp != self.timesteps:
            image = "its image is the same at every step"
            reason = image if self.static_input else "its spikes are counted over the steps first"
            raise FoldingError(f"{where}: TP={tp} is not possible, {reason}; valid is {self.timesteps}")
        folded = super().fold(asked, where)
        depth, width = folded.synapse_folds * folded.neuron_folds, folded.simd * folded.pe * folded.weight_bits
        style = asked.get("memStyle", choose_memory_style(depth, width))
        return replace(
            folded,
            memory_style=style,
            event=bool(asked.get("event", self.event)),
            use_dsp=bool(asked.get("useDsp", self.use_dsp)),
            mac_style=asked.get("macStyle", self.mac_style),
        )

    @classmethod
    def examples(cls) -> tuple[SpikingMVAU, ...]:
        from codegen.cores.spiking_mvau_examples import examples

        return examples()

    def reference(self, *frames: Frame) -> tuple[Frame, ...]:
        """Raises SimulationError where a sum that is sent on does not fit ``acc_bits``."""
        elements = frames[0].reshape(self.vectors * self.map_pixels, self.mw)
        return (reference_outputs(self, elements, self._constants()).reshape(-1, self.outputs[0].lanes),)

    def resources(self) -> Resources:
        return mvau_resources(self)

    def render(self, language: Language, folder: Path) -> Rendered:
        """The instance with its weights; raises RenderError when a constant does not fit its width."""
        write = rendering.write_rtl if language == "rtl" else rendering.write_hls
        return write(self, self._constants(), folder)

    def _constants(self) -> Constants:
        if self.constants is None:
            raise RenderError(f"SpikingMVAU {self.name!r} has no weights")
        return self.constants
