"""Rate-equivalent neurons: what soft-reset IF neurons send in T steps of a constant current, evaluated once.

A neuron that starts from ``v_init`` thresholds and is driven by the same current I at every step spikes
``clip(floor(T * I / threshold + v_init), 0, T)`` times. A network of such layers is one with quantized activations
(Bu et al., "Optimal ANN-SNN Conversion for High-accuracy and Ultra-low-latency Spiking Neural Networks", ICLR 2022): it
trains without a loop over time, and the same parameters are then those of the spiking network.
"""

from __future__ import annotations

import torch
from torch import Tensor


def spike_rates(current: Tensor, threshold: float, v_init: float, timesteps: int) -> Tensor:
    """Spikes per step, 0, 1/T .. 1, of constant currents of any shape; ``v_init`` in thresholds.

    The gradient passes the rounding straight through, and is zero where the current leaves 0..threshold.
    """
    counts = (current.detach() * (timesteps / threshold) + v_init).floor().clamp(0.0, timesteps)
    passed = current.clamp(0.0, threshold) / threshold
    # The value is that of the counts: what is added to it is zero, with the gradient of the clipped current.
    return counts / timesteps + (passed - passed.detach())


def mean_potential(current: Tensor, threshold: float, v_init: float, timesteps: int) -> Tensor:
    """|Membrane potential before reset| under a constant current, averaged over the T steps; the shape of ``current``.

    At step t (from 0) the potential is that of t + 1 currents less the threshold for each of the spikes before it,
    of which there are clip(floor(v_init + t * I / threshold), 0, t).
    """
    total = torch.zeros_like(current)
    for step in range(timesteps):
        spikes = (current * (step / threshold) + v_init).floor().clamp_(0.0, step)
        total += (current * (step + 1) + (v_init - spikes) * threshold).abs()
    return total / timesteps
