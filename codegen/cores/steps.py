"""How integers of all time steps lie on a stream, for the cores that read or write sums.

Spikes and counts are UINT{steps * bits} elements, bit t * bits the lowest of step t. Sums are too wide for that in
the dataflow graph, whose values are float32: they are ``steps`` elements of INT{bits} beside each other for each
channel. On the wires both are the same, step 0 lowest. What is the same at all steps is one step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codegen.cores.core import Frame, Stream, Tensor
from codegen.words import split_steps

MAX_ELEMENT_BITS = 62
"""Widest element that the reference models compute with."""


def step_stream(pe: int, steps: int, bits: int, signed: bool, words: int) -> Stream:
    """``pe`` channels a word, each with so many steps of so many bits."""
    return Stream(pe * steps, bits, True, words) if signed else Stream(pe, steps * bits, False, words)


def step_tensor(vectors: tuple[int, ...], channels: int, steps: int, signed: bool) -> Tensor:
    """The tensor of such a stream: [*vectors, channels] of spikes or counts, [*vectors, channels * steps] of sums."""
    return Tensor((*vectors, channels * steps if signed else channels), vectors)


def step_values(frame: Frame, steps: int, bits: int, signed: bool) -> NDArray[np.int64]:
    """[words, pe, steps] of the elements of a frame."""
    if signed:
        return frame.reshape(len(frame), -1, steps)
    return split_steps(frame, steps, bits)
