"""SpikingMVAU: matrix-vector product of spike trains, counts or a static image: neurons, the read-out, or sums."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
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
    Rendered,
    Stream,
    Tensor,
    divisors,
)
from codegen.cores.dsp_sums import MAC_STYLES
from codegen.cores.event_cycles import why_not_event
from codegen.cores.memory import MEMORY_STYLES, choose_memory_style
from codegen.cores.rendering import Language
from codegen.cores.spiking_mvau_reference import reference_outputs
from codegen.cores.spiking_mvau_resources import mvau_resources
from codegen.cores.spiking_mvau_shape import EXTERNAL, MvauShape
from codegen.cores.steps import step_stream, step_tensor
from codegen.cores.streamed_weights import replays, streaming_fault, weight_stream
from codegen.dialect import MAX_STEP_BITS, MAX_TIMESTEPS
from codegen.errors import FoldingError, RenderError
from codegen.fit import Resources
from codegen.neurons import NEURONS, NO_NEURON, SUMS, Constants

_READING_PASSES = 2
"""Passes over a frame that is kept in which the next one comes in: the last one, and its own first one."""


@dataclass(frozen=True)
class SpikingMVAU(MvauShape):
    """One core; ``MvauShape`` has its values and widths."""

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
    def weight_stream(self) -> Stream | None:
        return weight_stream(self) if self.external else None

    def weight_words(self) -> NDArray[np.uint8]:
        stream = weight_stream(self)
        return rendering.weight_words(self, self._constants().weights, stream.bytes)

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
