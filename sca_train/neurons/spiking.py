"""The spiking neurons: SpikingJelly's IF and LIF nodes, the same as the kernels see them, and their potentials."""

from __future__ import annotations

import torch
from spikingjelly.activation_based import neuron as sj_neuron
from spikingjelly.activation_based import surrogate
from torch import Tensor

from sca_train.config import TrainConfig
from sca_train.kernels import Neuron

SURROGATE_ALPHA = 4.0
DELAYED = "delayed"
"""The reset that only layers of imported networks have (``sca_train.specs.NeuronSpec``)."""


def make_neuron(config: TrainConfig) -> sj_neuron.BaseNode:
    """SpikingJelly's multi-step IF or LIF node with the sigmoid surrogate (paper Eq. 1 to 3).

    Layers of LateIF neurons are always computed as rates, and have no use for their node.
    """
    v_reset = 0.0 if config.reset == "hard" else None
    sigmoid = surrogate.Sigmoid(alpha=SURROGATE_ALPHA)
    if config.reset == DELAYED:
        return DelayedLIFNode(config.tau, True, config.threshold, None, sigmoid, detach_reset=True, step_mode="m")
    if config.neuron != "LIF":
        return sj_neuron.IFNode(config.threshold, v_reset, sigmoid, detach_reset=True, step_mode="m")
    return sj_neuron.LIFNode(config.tau, True, config.threshold, v_reset, sigmoid, detach_reset=True, step_mode="m")


class DelayedLIFNode(sj_neuron.LIFNode):
    """LIF whose reset comes one step later, behind the leak: V = V - (V - I) / tau - threshold if the last V spiked.

    ``v_seq`` holds V before that reset, which is all that there is: a spike leaves V as it was.
    """

    def multi_step_forward(self, x_seq: Tensor) -> Tensor:
        """Spikes [T, N, ...] from currents [T, N, ...]."""
        potential = torch.zeros_like(x_seq[0]) + self.v  # type: ignore[has-type]  # a number before the first step
        spikes, potentials = [], []
        taken = torch.zeros_like(x_seq[0])
        for current in x_seq:
            potential = potential + (current - potential) / self.tau - taken
            spike = self.surrogate_function(potential - self.v_threshold)
            taken = spike.detach() * self.v_threshold
            spikes.append(spike)
            potentials.append(potential)
        self.v = potential
        if self.store_v_seq:
            self.v_seq = torch.stack(potentials)
        return torch.stack(spikes)


def kernel_neuron(config: TrainConfig) -> Neuron:
    """The same neuron as the event-driven kernels see it."""
    keep, gain = (1.0, 1.0) if config.neuron != "LIF" else (1.0 - 1.0 / config.tau, 1.0 / config.tau)
    return Neuron(keep, gain, config.threshold, SURROGATE_ALPHA, config.reset == "soft", config.v_init)


def potential_before_reset(
    node: sj_neuron.BaseNode, current: Tensor, after_reset: Tensor, initial: float = 0.0
) -> Tensor:
    """Membrane potentials H[t] before the reset, from currents and potentials after it, all [T, N, ...].

    IF: H[t] = V[t-1] + I[t]; LIF (``decay_input``, resting potential 0): H[t] = V[t-1] + (I[t] - V[t-1]) / tau.
    """
    if isinstance(node, DelayedLIFNode):
        return after_reset
    before = torch.cat([torch.full_like(after_reset[:1], initial), after_reset[:-1]])
    if isinstance(node, sj_neuron.LIFNode):
        return before + (current - before) / node.tau
    return before + current
