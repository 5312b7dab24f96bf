"""Reference model of SpikingMVAU: integers, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from codegen.cores.core import Frame
from codegen.errors import SimulationError
from codegen.neurons import SUMS, Constants
from codegen.words import split_steps

if TYPE_CHECKING:
    from codegen.cores.spiking_mvau import SpikingMVAU


def reference_outputs(core: SpikingMVAU, elements: Frame, constants: Constants) -> NDArray[np.int64]:
    """Elements [vectors * map_pixels, MW] to [vectors, MH] trains UINT{T} or logits, or [vectors, MH, steps] sums.

    Raises SimulationError where a sum that is sent on does not fit ``acc_bits``.
    """
    values = [elements] * core.timesteps
    if not core.static_input:
        values = list(np.moveaxis(split_steps(elements, core.timesteps, core.step_bits), -1, 0))
    if core.neuron == SUMS:
        return _sums(core, values[: core.output_steps], constants)
    neuron = core.dynamics
    matrix, bias, levels = constants.weights.T, constants.bias, constants.threshold
    if neuron is None:
        logits = np.zeros((core.vectors, core.mh), dtype=np.int64)
        for step in values:
            logits += step.reshape(-1, core.map_pixels, core.mw).sum(axis=1) @ matrix + bias
        return logits
    potential = np.broadcast_to(neuron.initial(levels), (len(elements), core.mh))
    trains = np.zeros((len(elements), core.mh), dtype=np.int64)
    for t, drive in enumerate(neuron.drives([step @ matrix for step in values], bias)):
        spiked, potential = neuron.step(potential, drive, levels)
        trains |= spiked.astype(np.int64) << t
    return trains


def _sums(core: SpikingMVAU, values: list[Frame], constants: Constants) -> NDArray[np.int64]:
    """[vectors, MH, steps] sums of the elements [vectors, MW] of each step."""
    sums = np.stack([step @ constants.weights.T for step in values], axis=-1)
    low, high = -(1 << (core.acc_bits - 1)), (1 << (core.acc_bits - 1)) - 1
    if sums.min() < low or sums.max() > high:
        raise SimulationError(
            f"SpikingMVAU {core.name!r}: sums from {sums.min()} to {sums.max()} do not fit {core.acc_bits} signed bits"
        )
    return sums
