"""Rendering of SpikingMVAU: parameters, weights and neuron constants around the hand-written logic."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from codegen.arithmetic.ranges import signed_bits
from codegen.cores.core import Rendered
from codegen.cores.event_cycles import shortest_scan
from codegen.cores.event_memories import bank_weights, fold_stride, queue_style
from codegen.cores.neuron_memory import constant_lines
from codegen.cores.rendering import hex_lines, render, uint64_rows
from codegen.cores.streamed_weights import (
    bank_shape,
    memory_style,
    replays,
    results_shape,
    transposes,
    vectors_shape,
    weight_stream,
)
from codegen.errors import RenderError
from codegen.neurons import NO_NEURON, SUMS, Constants
from codegen.words import pack_lanes, word_bytes

if TYPE_CHECKING:
    from codegen.cores.spiking_mvau import SpikingMVAU


def write_rtl(core: SpikingMVAU, constants: Constants, folder: Path) -> Rendered:
    """Write <name>.sv, of weights on the chip <name>_weights.hex (one for each bank of an event-driven core), and, but
    for sums, <name>_neurons.hex.

    The wrapper's parameters WEIGHT_FILE (BANK_FILES) and NEURON_FILE, where there are these, default to the bare file
    names. Raises RenderError when a constant does not fit its width.
    """
    _check(core, constants)
    weight_files = () if core.external else _write_weights(core, constants.weights, folder)
    initial = constants.bias * _bias_factor(core)
    bias_word_bits, data_files = _initial_bits(core), list(weight_files)
    if core.ternary:
        initial = initial - _complements(core, constants.weights)
    elif core.paired or core.counted_whole:
        initial = _complement_initial(core, initial, constants.weights)
    bias_word_bits = max(bias_word_bits, signed_bits(initial))
    if core.neuron != SUMS:
        threshold_bits = core.threshold_bits if core.dynamics else 0
        fields = (initial, bias_word_bits), (constants.threshold, threshold_bits)
        data_files.append(f"{core.name}_neurons.hex")
        (folder / data_files[-1]).write_text(constant_lines(fields, core.neuron_folds))

    values: dict[str, object] = _template_values(core) | {
        "in_padded": core.inputs[0].padded_bits,
        "out_padded": core.outputs[0].padded_bits,
        "static_input": int(core.static_input),
        "neuron": int(core.dynamics is not None),
        "sums": core.neuron == SUMS,
        "leak": int(core.dynamics is not None and core.dynamics.leaks),
        "delayed": int(core.dynamics is not None and core.dynamics.delayed),
        "late": int(core.dynamics is not None and core.dynamics.late),
        "soft_reset": int(core.reset == "soft"),
        "half_start": int(core.half_start),
        "ternary": core.ternary or core.signed_ternary,
        "paired": core.paired,
        "own_bias_width": core.ternary or core.paired or core.counted_whole,
        "bias_bits": _initial_bits(core),
        "bias_word_bits": bias_word_bits,
        "block_rom": int((memory_style(bank_shape(core)) if core.external else core.memory_style) == "block"),
        "use_dsp": int(core.use_dsp),
        "replayed": core.external and replays(core),
        "transposed": core.external and transposes(core),
        "block_vectors": int(memory_style(vectors_shape(core)) == "block"),
        "block_results": int(memory_style(results_shape(core)) == "block"),
    }
    if core.event:
        values |= {"block_queues": int(queue_style(core) == "block"), "bank_files": weight_files}
    wrapper = f"{core.name}.sv"
    render("rtl", "spiking_mvau_wrapper.sv.j2", values, folder / wrapper)
    return Rendered((wrapper,), tuple(data_files))


def write_hls(core: SpikingMVAU, constants: Constants, folder: Path) -> Rendered:
    """Write <name>.hpp with the parameters, the weights and the function ``<name>(in, out)`` for one frame.

    Raises RenderError when a constant does not fit its width.
    """
    _check(core, constants)
    words = -(-core.pe * (1 if core.event else core.simd) * core.weight_bits // 64)
    rows = [""] if core.external else _rom_rows(core, constants.weights, words)
    initial = constants.bias * _bias_factor(core)
    wide = max(_initial_bits(core), core.threshold_bits) > 32
    values: dict[str, object] = _template_values(core) | {
        "static_input": core.static_input,
        "neuron": core.neuron.upper(),
        "soft_reset": core.reset == "soft",
        "weight_words": words,
        "depth": core.synapse_folds * (fold_stride(core) if core.event else core.neuron_folds),
        "weights": ",\n".join(f"{{{bank}}}" for bank in rows) if core.event else rows[0],
        "constant_type": "std::int64_t" if wide else "std::int32_t",
        "initial": ", ".join(map(str, initial.tolist())),
        "threshold": ", ".join(map(str, constants.threshold.tolist())),
        "in_words": core.inputs[0].words,
        "out_words": core.outputs[0].words,
        "block_rom": core.memory_style == "block",
        "step_argument": f", {core.step_bits}" if core.step_bits > 1 else "",
    }
    header = f"{core.name}.hpp"
    render("hls", "spiking_mvau_instance.hpp.j2", values, folder / header)
    return Rendered((header,))


def _template_values(core: SpikingMVAU) -> dict[str, object]:
    weights = weight_stream(core)
    bits = {"in_bits": core.inputs[0].bits, "out_bits": core.outputs[0].bits, "count_bits": core.count_bits}
    queues = {"rotate_words": core.rotate_words, "fold_stride": fold_stride(core), "shortest_scan": shortest_scan(core)}
    folds = {"synapse_folds": core.synapse_folds, "neuron_folds": core.neuron_folds, "external": core.external}
    word = {"weight_bits_of_word": weights.bits, "weight_padded": weights.padded_bits}
    return core.parameters() | bits | folds | word | (queues if core.event else {})


def _bias_factor(core: SpikingMVAU) -> int:
    """What sums over all steps adds its bias once for all of them."""
    return core.timesteps if core.neuron == NO_NEURON or core.counts_spikes else 1


def _complements(core: SpikingMVAU, weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """What counting adds to a sum too much, scaled as the bias: each negative weight takes the element's complement."""
    most = core.most_count if core.counted_whole else (1 << core.lane_planes) - 1
    return (weights < 0).sum(axis=1) * most << core.frac_bits


def _complement_initial(core: SpikingMVAU, initial: NDArray[np.int64], weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """What accumulators that hold the complement of a sum (twice: of pairs) start from, the bias's fraction below it.

    Taken off are what the dot products are too much, the sum of the weights by the count from which others are taken,
    and their offset in each fold; all modulo the width of the accumulators.
    """
    if core.paired:
        scale, middle, words = 2, 1, math.ceil(core.simd / 2)
    else:
        scale, middle, words = 1, 2 if core.most_count > 3 else 1, core.simd
    offset = core.synapse_folds << core.weight_bits + math.ceil(math.log2(words))
    start = -scale * (initial >> core.frac_bits) - 1 - middle * weights.sum(axis=1) - offset
    half = 1 << core.current_bits + scale - 2
    wrapped = (start + half) % (2 * half) - half
    return (wrapped << core.frac_bits) + (initial & (1 << core.frac_bits) - 1)


def _initial_bits(core: SpikingMVAU) -> int:
    """Width of the bias in the neuron ROM; the read-out's T*bias may take as much as a logit."""
    return core.output_bits if core.neuron == NO_NEURON else core.bias_bits


def _write_weights(core: SpikingMVAU, weights: NDArray[np.int64], folder: Path) -> tuple[str, ...]:
    """Write the memories of the weights; their files, that of bank 0 first. The names of all have the same length."""
    files: tuple[str, ...] = (f"{core.name}_weights.hex",)
    lanes = core.pe * core.simd
    if core.event:
        digits, lanes = len(str(core.simd - 1)), core.pe
        files = tuple(f"{core.name}_weights_{bank:0{digits}}.hex" for bank in range(core.simd))
    bits = lanes * core.weight_bits if core.event else core.weight_word_bits
    width = word_bytes(bits)
    memories = [_pair_words(core, weights, width)] if core.paired else _rom_words(core, weights, width)
    for file, words in zip(files, memories, strict=True):
        (folder / file).write_text(hex_lines(words, bits))
    return files


def _rom_rows(core: SpikingMVAU, weights: NDArray[np.int64], words: int) -> list[str]:
    """Each ROM as C++ initializer rows, of so many 64-bit words each."""
    return [uint64_rows(rom) for rom in _rom_words(core, weights, 8 * words)]


def _rom_words(core: SpikingMVAU, weights: NDArray[np.int64], bytes_per_word: int) -> list[NDArray[np.uint8]]:
    """Words of each ROM as little-endian bytes, [words, bytes_per_word].

    Of a dense core one ROM, address nf*SF + sf, lane pe*SIMD + simd; of an event-driven one those of ``bank_weights``.
    """
    if core.event:
        return [pack_lanes(bank, core.weight_bits, bytes_per_word) for bank in bank_weights(core, weights)]
    return [weight_words(core, weights, bytes_per_word)]


def weight_words(core: SpikingMVAU, weights: NDArray[np.int64], bytes_per_word: int) -> NDArray[np.uint8]:
    """Weight words as little-endian bytes [SF*NF, bytes_per_word]: address nf*SF + sf, lane pe*SIMD + simd."""
    folds = weights.reshape(core.neuron_folds, core.pe, core.synapse_folds, core.simd)
    lanes = folds.transpose(0, 2, 1, 3).reshape(core.neuron_folds * core.synapse_folds, core.pe * core.simd)
    return pack_lanes(lanes, core.weight_bits, bytes_per_word)


def _pair_words(core: SpikingMVAU, weights: NDArray[np.int64], bytes_per_word: int) -> NDArray[np.uint8]:
    """The same with the pairs of weights of pair_dot.sv: address nf*SF + sf, lane pe*PAIRS + pair."""
    folds = weights.reshape(core.neuron_folds, core.pe, core.synapse_folds, core.simd).transpose(0, 2, 1, 3)
    padded = np.pad(folds, ((0, 0),) * 3 + ((0, core.simd % 2),))
    first, second = padded[..., 0::2], padded[..., 1::2]
    plus, minus = first + second, first - second
    # The sum as it is in the low bits, the difference without its lowest bit above it.
    words = (minus >> 1 << core.weight_bits + 1) + (plus & (2 << core.weight_bits) - 1)
    lanes = words.reshape(core.neuron_folds * core.synapse_folds, -1)
    return pack_lanes(lanes, 2 * core.weight_bits + 1, bytes_per_word)


def _check(core: SpikingMVAU, constants: Constants) -> None:
    where = f"SpikingMVAU {core.name!r}"
    shape = np.shape(constants.weights)
    if shape != (core.mh, core.mw):
        raise RenderError(f"{where}: weights of shape {shape} were given, it needs ({core.mh}, {core.mw})")
    for label, values, bits in (
        ("weights", constants.weights, core.weight_bits),
        ("biases", constants.bias * _bias_factor(core), _initial_bits(core)),
        ("thresholds", constants.threshold, core.threshold_bits),
    ):
        if label != "weights" and core.neuron == SUMS:
            continue
        if label != "weights" and np.shape(values) != (core.mh,):
            raise RenderError(f"{where}: {label} of shape {np.shape(values)} were given, it needs ({core.mh},)")
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        if label == "thresholds" and core.neuron == NO_NEURON:
            continue
        if np.min(values) < low or np.max(values) > high:
            raise RenderError(
                f"{where}: {label} from {np.min(values)} to {np.max(values)} do not fit {bits} signed bits"
            )
