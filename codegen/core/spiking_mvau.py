"""SpikingMVAU: matrix-vector product of spike trains (or a static image) with neurons, or the read-out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from codegen.core.rendering import hex_lines, render, uint64_rows
from codegen.dialect import MAX_TIMESTEPS
from codegen.errors import FoldingError, RenderError
from codegen.neurons import NO_NEURON, Neuron, ResetKind, neuron_of
from codegen.words import pack_lanes, padded_bits, word_bytes

MemoryStyle = Literal["block", "distributed"]
IDEAL_LUTS_PER_RAMB18 = 50
"""Saving at which a ROM moves from look-up tables to block RAM."""

RTL_SOURCES = (
    "delay_line.sv",
    "constant_rom.sv",
    "sum_tree.sv",
    "adder_tree.sv",
    "popcount.sv",
    "map_counter.sv",
    "spike_dot.sv",
    "product_dot.sv",
    "neuron_serial.sv",
    "neuron_chain.sv",
    "spiking_mvau.sv",
)
"""Hand-written modules in hls_templates/rtl that a rendered wrapper needs."""

HLS_SOURCES = ("trip_count.hpp", "integers.hpp", "neuron.hpp", "map_counter.hpp", "spiking_mvau.hpp")
"""Headers in hls_templates/hls that a rendered instance includes."""


@dataclass(frozen=True)
class SpikingMVAUSpec:
    """Parameters of one core. All widths are in bits; accumulator, potential, bias, threshold and logits are signed.

    mw, mh: matrix width (inputs of a vector) and height (output channels); simd divides mw, pe divides mh.
    timesteps T in 1..32; tp time steps per cycle, divides T (static input and read-out: tp = T, the sums are shared).
    static_input: elements are unsigned ``input_bits``-bit integers, the same at every step; else spike trains UINT{T}.
    vectors: output pixels per frame.
    neuron: kind of the neurons, with leak_shift, reset, frac_bits and half_start as in ``Neuron``; their output is
    UINT{T} trains. NO_NEURON is the read-out: one signed ``output_bits`` logit per channel.
    use_dsp: products of static inputs and of the read-out in DSP slices; else in look-up tables, radix-4 digits.
    map_pixels: pixels over which a read-out counts the spikes of each input before it multiplies, once a frame.
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
    memory_style: MemoryStyle
    use_dsp: bool = False
    half_start: bool = False
    map_pixels: int = 1

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
        reads_map = self.neuron == NO_NEURON and not self.static_input and self.vectors == 1
        if self.map_pixels < 1 or (self.map_pixels > 1 and not reads_map):
            raise FoldingError(f"{where}: only a read-out of spikes, of one vector a frame, can sum a map")

    @property
    def dynamics(self) -> Neuron | None:
        """The neurons as one description, None for the read-out."""
        return neuron_of(self.neuron, self.leak_shift, self.reset, self.half_start, self.frac_bits)

    @property
    def sums_once(self) -> bool:
        """Whether one sum per vector serves all time steps (static image, or read-out over spike counts)."""
        return self.static_input or self.neuron == NO_NEURON

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
        return self.output_bits if self.neuron == NO_NEURON else self.timesteps

    @property
    def count_bits(self) -> int:
        """Width of the number of spikes of one input, over all steps and pixels of the map."""
        return (self.map_pixels * self.timesteps).bit_length()

    @property
    def cycles(self) -> int:
        """Cycles per frame at full throughput; a map is counted while the counts of the one before are multiplied."""
        folds = max(self.map_pixels, self.neuron_folds * self.time_folds)
        return self.vectors * self.synapse_folds * folds

    @property
    def in_bits(self) -> int:
        """Width of an input word on the stream, without padding."""
        return self.simd * self.element_bits

    @property
    def out_bits(self) -> int:
        """Width of an output word on the stream, without padding."""
        return self.pe * self.output_element_bits


def choose_memory_style(depth: int, width: int) -> MemoryStyle:
    """Where a weight ROM of ``depth`` words of ``width`` bits goes: block RAM or look-up tables.

    A LUT6 holds 64 bits of ROM and a RAMB18 18,432 bits at 36 bits a word. A Zynq-7020 has 190 LUTs for each RAMB18,
    and synthesis needs 1.3 to 4 times the ideal count for a ROM in LUTs: the ROM goes to block RAM when each RAMB18
    that it takes saves more than 50 ideal LUTs.
    """
    lut_cost = width * -(-depth // 64) if depth > 1 else 0
    ramb18 = -(-width // 36) * -(-depth // 512)
    return "block" if lut_cost > IDEAL_LUTS_PER_RAMB18 * ramb18 else "distributed"


def reference(
    spec: SpikingMVAUSpec,
    inputs: NDArray[np.integer],
    weights: NDArray[np.integer],
    bias: NDArray[np.integer],
    threshold: NDArray[np.integer],
) -> NDArray[np.int64]:
    """Naive model of the core, step by step.

    inputs [vectors * map_pixels, MW] unsigned elements, weights [MH, MW], bias and threshold [MH] (see IntegerLayer);
    returns [vectors, MH]: spike trains UINT{T}, or logits.
    """
    steps = range(spec.timesteps)
    matrix = np.asarray(weights, dtype=np.int64).T
    elements = np.asarray(inputs, dtype=np.int64)
    biases = np.asarray(bias, dtype=np.int64)
    levels = np.asarray(threshold, dtype=np.int64)
    neuron = spec.dynamics
    if neuron is None:
        maps = elements.reshape(-1, spec.map_pixels, spec.mw)
        logits = np.zeros((len(maps), spec.mh), dtype=np.int64)
        for t in steps:
            spikes = maps if spec.static_input else (maps >> t) & 1
            logits += spikes.sum(axis=1) @ matrix + biases
        return logits
    potential = np.broadcast_to(neuron.initial(levels), (len(elements), spec.mh))
    trains = np.zeros((len(elements), spec.mh), dtype=np.int64)
    for t in steps:
        current = elements if spec.static_input else (elements >> t) & 1
        spiked, potential = neuron.step(potential, neuron.drive(current @ matrix, biases), levels)
        trains |= spiked.astype(np.int64) << t
    return trains


def write_rtl(
    spec: SpikingMVAUSpec,
    weights: NDArray[np.integer],
    bias: NDArray[np.integer],
    threshold: NDArray[np.integer],
    folder: Path,
) -> list[Path]:
    """Write <name>.sv, <name>_weights.hex and <name>_neurons.hex; returns these files.

    The wrapper's parameters WEIGHT_FILE and NEURON_FILE default to the bare file names.
    Raises RenderError when a constant does not fit its width.
    """
    _check_constants(spec, weights, bias, threshold)
    word_bits = spec.pe * spec.simd * spec.weight_bits
    weight_file = folder / f"{spec.name}_weights.hex"
    weight_file.write_text(hex_lines(_weight_words(spec, weights, word_bytes(word_bits)), word_bits))

    initial = np.asarray(bias, dtype=np.int64).reshape(spec.neuron_folds, spec.pe) * _bias_factor(spec)
    levels = np.asarray(threshold, dtype=np.int64).reshape(spec.neuron_folds, spec.pe)
    threshold_bits = 0 if spec.neuron == NO_NEURON else spec.threshold_bits
    initial_bits = _initial_bits(spec)
    stride = initial_bits + threshold_bits
    digits = -(-spec.pe * stride // 4)
    lines = []
    for fold in range(spec.neuron_folds):
        word = 0
        for pe in range(spec.pe):
            constant = int(initial[fold, pe]) & ((1 << initial_bits) - 1)
            constant |= (int(levels[fold, pe]) & ((1 << threshold_bits) - 1)) << initial_bits
            word |= constant << (pe * stride)
        lines.append(f"{word:0{digits}x}\n")
    neuron_file = folder / f"{spec.name}_neurons.hex"
    neuron_file.write_text("".join(lines))

    values: dict[str, object] = _template_values(spec) | {
        "in_padded": padded_bits(spec.in_bits),
        "out_padded": padded_bits(spec.out_bits),
        "static_input": int(spec.static_input),
        "neuron": int(spec.neuron != NO_NEURON),
        "leak": int(spec.dynamics is not None and spec.dynamics.leaks),
        "soft_reset": int(spec.reset == "soft"),
        "half_start": int(spec.half_start),
        "bias_bits": initial_bits,
        "block_rom": int(spec.memory_style == "block"),
        "use_dsp": int(spec.use_dsp),
    }
    wrapper = render("rtl", "spiking_mvau_wrapper.sv.j2", values, folder / f"{spec.name}.sv")
    return [wrapper, weight_file, neuron_file]


def write_hls(
    spec: SpikingMVAUSpec,
    weights: NDArray[np.integer],
    bias: NDArray[np.integer],
    threshold: NDArray[np.integer],
    folder: Path,
) -> list[Path]:
    """Write <name>.hpp with the parameters, the weights and the function ``<name>(in, out)`` for one frame.

    Raises RenderError when a constant does not fit its width.
    """
    _check_constants(spec, weights, bias, threshold)
    weight_words = -(-spec.pe * spec.simd * spec.weight_bits // 64)
    initial = np.asarray(bias, dtype=np.int64) * _bias_factor(spec)
    wide = max(_initial_bits(spec), spec.threshold_bits) > 32
    values: dict[str, object] = _template_values(spec) | {
        "static_input": spec.static_input,
        "neuron": spec.neuron.upper(),
        "soft_reset": spec.reset == "soft",
        "weight_words": weight_words,
        "depth": spec.synapse_folds * spec.neuron_folds,
        "weights": uint64_rows(_weight_words(spec, weights, 8 * weight_words)),
        "constant_type": "std::int64_t" if wide else "std::int32_t",
        "initial": ", ".join(map(str, initial.tolist())),
        "threshold": ", ".join(map(str, np.asarray(threshold, dtype=np.int64).tolist())),
        "in_words": spec.vectors * spec.map_pixels * spec.synapse_folds,
        "out_words": spec.vectors * spec.neuron_folds,
        "block_rom": spec.memory_style == "block",
    }
    return [render("hls", "spiking_mvau_instance.hpp.j2", values, folder / f"{spec.name}.hpp")]


def _template_values(spec: SpikingMVAUSpec) -> dict[str, object]:
    return vars(spec) | {"in_bits": spec.in_bits, "out_bits": spec.out_bits, "count_bits": spec.count_bits}


def _bias_factor(spec: SpikingMVAUSpec) -> int:
    """The read-out adds its bias once for all steps."""
    return spec.timesteps if spec.neuron == NO_NEURON else 1


def _initial_bits(spec: SpikingMVAUSpec) -> int:
    """Width of the bias in the neuron ROM; the read-out's T*bias may take as much as a logit."""
    return spec.output_bits if spec.neuron == NO_NEURON else spec.bias_bits


def _weight_words(spec: SpikingMVAUSpec, weights: NDArray[np.integer], bytes_per_word: int) -> NDArray[np.uint8]:
    """ROM words as little-endian bytes [SF*NF, bytes_per_word]: address nf*SF + sf, lane pe*SIMD + simd."""
    folds = np.asarray(weights, dtype=np.int64).reshape(spec.neuron_folds, spec.pe, spec.synapse_folds, spec.simd)
    lanes = folds.transpose(0, 2, 1, 3).reshape(spec.neuron_folds * spec.synapse_folds, spec.pe * spec.simd)
    return pack_lanes(lanes, spec.weight_bits, bytes_per_word)


def _check_constants(
    spec: SpikingMVAUSpec,
    weights: NDArray[np.integer],
    bias: NDArray[np.integer],
    threshold: NDArray[np.integer],
) -> None:
    where = f"SpikingMVAU {spec.name!r}"
    if np.shape(weights) != (spec.mh, spec.mw):
        raise RenderError(f"{where}: weights of shape {np.shape(weights)} were given, it needs ({spec.mh}, {spec.mw})")
    for label, values, bits in (
        ("weights", weights, spec.weight_bits),
        ("biases", np.asarray(bias, dtype=np.int64) * _bias_factor(spec), _initial_bits(spec)),
        ("thresholds", threshold, spec.threshold_bits),
    ):
        if label != "weights" and np.shape(values) != (spec.mh,):
            raise RenderError(f"{where}: {label} of shape {np.shape(values)} were given, it needs ({spec.mh},)")
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        if label == "thresholds" and spec.neuron == NO_NEURON:
            continue
        if np.min(values) < low or np.max(values) > high:
            raise RenderError(
                f"{where}: {label} from {np.min(values)} to {np.max(values)} do not fit {bits} signed bits"
            )
