"""SpikingMVAU with weights that come in on a stream, once a frame: when that is possible, and what it takes.

The weights of one neuron fold wait in a bank while all vectors of a frame pass, and those of the next fold come into a
second one. So the vectors of a frame are kept and given once for each neuron fold (``frame_replay.sv``), and results,
which come neuron fold by neuron fold, are brought back into the order of pixels (``frame_transpose.sv``). A frame takes
as many cycles as with weights on the chip.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegen.cores.core import Stream
from codegen.cores.memory import MemoryStyle, block_rams, lut_ram
from codegen.fit import Resources, total

if TYPE_CHECKING:
    from codegen.cores.spiking_mvau import SpikingMVAU

LUTS_PER_BRAM36 = 380
"""Of an XC7Z020: weights are outside where block RAM is scarce."""

_BANK_LUTS = 20
"""Counters and handshakes of the weights' two banks."""
_REPLAY_LUTS = 40
"""The same of the memory of vectors."""
_TRANSPOSE_LUTS = 60
"""The same of the memory of results."""
_TRANSPOSE_MARGIN = 2
"""Cycles by which the results of a frame must have gone before those of the next one need their places."""


def weight_stream(core: SpikingMVAU) -> Stream:
    """One weight word for each synapse fold and neuron fold, neuron fold by neuron fold."""
    words = core.synapse_folds * core.neuron_folds
    return Stream(core.pe * core.simd, core.weight_bits, signed=True, words=words)


def streaming_fault(core: SpikingMVAU) -> str:
    """Why a core of this folding cannot have its weights from a stream; empty where it can."""
    if core.event:
        return "an event-driven core reads them in another order in each vector"
    if core.map_pixels > 1:
        return "a read-out that sums a map has its weights on the chip"
    if replays(core) and core.vectors * core.synapse_folds == 1:
        return f"SIMD={core.simd} reads a whole frame in one word, which leaves no time to fetch the next one"
    vector = core.synapse_folds * core.time_folds
    words, time = core.vectors * core.neuron_folds, (2 * core.vectors - 1) * vector
    if transposes(core) and core.neuron_folds > vector and words + _TRANSPOSE_MARGIN > time:
        return f"its {core.neuron_folds} neuron folds give more results than leave in {vector} cycles a vector"
    return ""


def replays(core: SpikingMVAU) -> bool:
    """Whether vectors are given several times."""
    return core.neuron_folds > 1


def transposes(core: SpikingMVAU) -> bool:
    """Whether results come in another order than pixels leave."""
    return core.neuron_folds > 1 and core.vectors > 1


def bank_shape(core: SpikingMVAU) -> tuple[int, int]:
    """Bits and words of the memory of two banks of weights."""
    return weight_stream(core).bits, 2 * core.synapse_folds


def vectors_shape(core: SpikingMVAU) -> tuple[int, int]:
    """Bits and words of the memory of a frame's vectors."""
    return core.inputs[0].bits, core.inputs[0].words


def results_shape(core: SpikingMVAU) -> tuple[int, int]:
    """Bits and words of the memory of a frame's results."""
    return core.outputs[0].bits, core.outputs[0].words


def memory_style(shape: tuple[int, int]) -> MemoryStyle:
    """Where a memory of so many bits and words goes: block RAM where that saves the LUTs that a part has for it."""
    width, depth = shape
    return "block" if lut_ram(width, depth) > LUTS_PER_BRAM36 * block_rams(width, depth) else "distributed"


def streaming_resources(core: SpikingMVAU) -> Resources:
    """Estimate of what takes the place of the weight ROM."""
    parts = [_memory(bank_shape(core), _BANK_LUTS)]
    if replays(core):
        parts.append(_memory(vectors_shape(core), _REPLAY_LUTS))
    if transposes(core):
        parts.append(_memory(results_shape(core), _TRANSPOSE_LUTS))
    return total(parts)


def _memory(shape: tuple[int, int], control: int) -> Resources:
    width, depth = shape
    if memory_style(shape) == "block":
        return Resources(lut=control, ff=control, bram36=block_rams(width, depth), dsp=0)
    return Resources(lut=round(control + lut_ram(width, depth)), ff=control + width, bram36=0, dsp=0)
