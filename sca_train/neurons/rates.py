"""Rate-equivalent neurons: what soft-reset IF neurons send in T steps of a constant current, evaluated once.

A neuron that starts from ``v_init`` thresholds and is driven by the same current I at every step spikes
``clip(floor(T * I / threshold + v_init), 0, T)`` times. A network of such layers is one with quantized activations
(Bu et al., "Optimal ANN-SNN Conversion for High-accuracy and Ultra-low-latency Spiking Neural Networks", ICLR 2022): it
trains without a loop over time, and the same parameters are then those of the spiking network.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def spike_rates(current: Tensor, threshold: float, v_init: float, timesteps: int) -> Tensor:
    """Spikes per step, 0, 1/T .. 1, of constant currents of any shape; ``v_init`` in thresholds.

    The gradient passes the rounding straight through, and is zero where the current leaves 0..threshold.
    """
    rates: Tensor = _SpikeRates.apply(current, threshold, v_init, timesteps)
    return rates


class _SpikeRates(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, current: Tensor, threshold: float, v_init: float, timesteps: int) -> Tensor:
        ctx.save_for_backward((current >= 0.0) & (current <= threshold))
        ctx.threshold = threshold
        counts = (current * (timesteps / threshold)).add_(v_init).floor_()
        return counts.clamp_(0.0, timesteps).div_(timesteps)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (inside,) = ctx.saved_tensors
        return gradient * inside / ctx.threshold, None, None, None


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
