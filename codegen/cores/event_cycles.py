"""Exact cycles of event-driven SpikingMVAU cores: a fold takes as long as the longest queue of non-zero elements.

A vector of ``mw`` elements arrives as words of ``simd``, each element for one of ``simd`` banks, which queue those that
are not zero. All folds of a vector read the queues from their beginnings, one entry of each bank a cycle, while the
next vector arrives. The lane of an element alone would give a bank the same channels at every tap of a kernel, which
spike together; so elements are rotated by the tap: bank (lane + tap) mod ``simd``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from codegen.cores.spiking_mvau import SpikingMVAU

END_WORDS = 1
"""Cycles of a vector's arrival that end its queues, behind one for each of its words."""


def why_not_event(core: SpikingMVAU) -> str:
    """What keeps a core, as it is folded, from being event-driven and faster than a dense one; else empty."""
    if core.static_input:
        return "an image has no spikes"
    if core.map_pixels > 1:
        return f"its inputs are counted over {core.map_pixels} pixels before they are multiplied"
    if core.neuron_folds * core.time_folds == 1 or core.synapse_folds == 1:
        folds = f"SIMD={core.simd}, PE={core.pe}, TP={core.tp}"
        return f"with {folds} it takes no longer than its inputs take to arrive"
    return ""


def shortest_scan(core: SpikingMVAU) -> int:
    """Fewest cycles of a fold: what its neurons take, as in a dense core, and two where each fold gives a result."""
    steps = 1
    if core.dynamics is not None and core.time_folds == 1:
        steps = min(core.timesteps, core.synapse_folds)
    elif core.dynamics is not None:
        steps = next(count for count in range(min(core.tp, core.synapse_folds), 0, -1) if core.tp % count == 0)
    return max(steps, 2) if core.time_folds == 1 else steps


def bank_lanes(words: int, simd: int, rotate_words: int) -> NDArray[np.int64]:
    """The lane whose element each bank takes, [words, simd].

    ``rotate_words``: words of one kernel tap, after which the elements are rotated by one more bank; 0: never.
    """
    taps = np.arange(words) // rotate_words if rotate_words else np.zeros(words, np.int64)
    return np.asarray((np.arange(simd) - taps[:, np.newaxis]) % simd, np.int64)


def scan_lengths(nonzero: NDArray[np.bool_], simd: int, rotate_words: int) -> NDArray[np.int64]:
    """Cycles [vectors] that a fold needs to read each vector: the entries of its longest queue, at least 1.

    ``nonzero`` [vectors, mw]: which elements are not zero at all steps. ``rotate_words``: see ``bank_lanes``.
    """
    vectors, mw = nonzero.shape
    words = mw // simd
    lanes = bank_lanes(words, simd, rotate_words)
    banked = nonzero.reshape(vectors, words, simd)[:, np.arange(words)[:, np.newaxis], lanes]
    return np.maximum(np.count_nonzero(banked, axis=1).max(axis=1), 1).astype(np.int64)


def vector_cycles(lengths: NDArray[np.int64], core: SpikingMVAU) -> NDArray[np.int64]:
    """Cycles of an event-driven core for vectors whose ``scan_lengths`` are given, in an array of the same shape.

    They are the longer of two: all folds of the vector, and the arrival of the next one. The cycles of successive
    vectors, across frames, add up to what the RTL takes where its input waits and its output does not.
    """
    scans = core.neuron_folds * core.time_folds * np.maximum(lengths, shortest_scan(core))
    return np.maximum(scans, core.synapse_folds + END_WORDS)


def event_frame_cycles(lengths: NDArray[np.int64], core: SpikingMVAU) -> int:
    """Cycles of an event-driven core for a frame of vectors whose ``scan_lengths`` [vectors] are given."""
    return int(vector_cycles(lengths, core).sum())
