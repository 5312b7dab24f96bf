"""Forwards that add up time steps themselves: logits are those of the forward, in whichever way it writes the sum."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional as jelly
from spikingjelly.activation_based import neuron
from torch import nn

from codegen.errors import ImportingError
from codegen.importing.doors import from_snntorch, from_spikingjelly
from codegen.importing.interpreter import run

snntorch = pytest.importorskip("snntorch")
T, N = 5, 3


def in_a_variable(net, steps, batch):
    logits = 0
    for spikes in steps:
        logits = logits + net.readout(spikes)
    return logits


def onto_zeros(net, steps, batch):
    logits = torch.zeros(batch, 6)
    for spikes in steps:
        logits = net.readout(spikes) + logits
    return logits


def in_place(net, steps, batch):
    logits = torch.zeros(batch, 6)
    for spikes in steps:
        logits += net.readout(spikes)
    return logits


def onto_the_first(net, steps, batch):
    logits = net.readout(steps[0])
    for spikes in steps[1:]:
        logits.add_(net.readout(spikes))
    return logits / len(steps)


def of_a_list(net, steps, batch):
    return sum([net.readout(spikes) for spikes in steps]) / len(steps)


def mean_of_a_stack(net, steps, batch):
    return torch.stack([net.readout(spikes) for spikes in steps]).mean(0)


def sum_of_a_stack_behind_the_batch(net, steps, batch):
    return torch.stack([net.readout(spikes) for spikes in steps], dim=1).sum(dim=1)


def read_out_of_counts(net, steps, batch):
    return net.readout(torch.stack(steps).sum(0))


def read_out_of_rates(net, steps, batch):
    return net.readout(torch.stack(steps).mean(0)) + 0.5


def counts(net, steps, batch):
    return torch.stack(steps).sum(0)


def counts_in_a_loop(net, steps, batch):
    total = torch.zeros_like(steps[0])
    for spikes in steps:
        total += spikes
    return total


def two_heads(net, steps, batch):
    logits = 0
    for spikes in steps:
        logits = logits + net.readout(spikes)
        logits = logits - 0.5 * net.other(spikes)
    return logits


def of_picked_steps(net, steps, batch):
    record = net.readout(torch.stack(steps))
    return record[0] + record[1] + sum(record[step] for step in range(2, len(steps)))


def twice_in_a_step(net, steps, batch):
    return torch.stack([net.readout(spikes) + net.readout(spikes) for spikes in steps])


RIGHT = [
    in_a_variable, onto_zeros, in_place, onto_the_first, of_a_list, mean_of_a_stack, sum_of_a_stack_behind_the_batch,
    read_out_of_counts, read_out_of_rates, counts, counts_in_a_loop, two_heads, of_picked_steps, twice_in_a_step,
]  # fmt: skip


class Net(nn.Module):
    """64 inputs, 12 spiking neurons, and an ending that takes the spikes of all steps."""

    def __init__(self, ending, steps=T):
        super().__init__()
        self.fc, self.lif = nn.Linear(64, 12), snntorch.Leaky(beta=0.5)
        self.readout, self.other, self.last = nn.Linear(12, 6), nn.Linear(12, 6), snntorch.Leaky(beta=0.5)
        self.ending, self.steps = ending, steps
        generator = torch.Generator().manual_seed(2)
        for parameter in self.parameters():
            if parameter.requires_grad:
                parameter.data = torch.randint(-8, 9, parameter.shape, generator=generator) / 16

    def forward(self, x):
        membrane, steps = self.lif.reset_mem(), []
        for _ in range(self.steps):
            spikes, membrane = self.lif(self.fc(x.flatten(1)), membrane)
            steps.append(spikes)
        return self.ending(self, steps, len(x))


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 3, (N, 8, 8, 1)).astype(np.uint8)


def tensor(images):
    return torch.from_numpy(images).permute(0, 3, 1, 2).float()


@pytest.mark.parametrize("ending", RIGHT)
@pytest.mark.parametrize("batch", [1, N])
def test_logits_are_those_of_the_forward(images, ending, batch):
    net = Net(ending)
    network = from_snntorch(net, tensor(images)[:batch], input_shape=(8, 8, 1))
    with torch.no_grad():
        logits = net(tensor(images))
    logits = logits.sum(0) if logits.dim() == 3 else logits
    assert network.timesteps == T and logits.abs().max() > 1
    np.testing.assert_allclose(run(network, images), logits.numpy(), rtol=1e-6, atol=1e-6)


def last_step(net, steps, batch):
    return net.readout(steps[-1])


def without_the_first(net, steps, batch):
    return sum(net.readout(spikes) for spikes in steps[1:])


def first_steps(net, steps, batch):
    return sum(net.readout(spikes) for spikes in steps[:3])


def first_of_the_stack(net, steps, batch):
    return torch.stack(steps)[:2]


def leaking(net, steps, batch):
    logits = 0
    for spikes in steps:
        logits = 0.5 * logits + net.readout(spikes)
    return logits


def neurons_on_counts(net, steps, batch):
    return net.last(net.readout(sum(steps)), net.last.reset_mem())[0]


def neurons_a_step_late(net, steps, batch):
    membrane, spikes = net.last.reset_mem(), []
    for read in (steps[-1], *steps[:-1]):
        spike, membrane = net.last(net.readout(read), membrane)
        spikes.append(spike)
    return torch.stack(spikes)


@pytest.mark.parametrize(
    "ending, sentence",
    [
        (last_step, "readout, which the forward returns, is that of time step 5 of 5 alone; logits are all steps"),
        (without_the_first, "does not add up the same of every time step"),
        (first_steps, "readout, which the forward returns, is the sum over 3 time steps of 5"),
        (first_of_the_stack, "lif, which the forward returns, is not all of 5 time steps in their order"),
        (leaking, "does not add up the same of every time step"),
        (neurons_on_counts, "last reads a sum over time steps, and neurons have to read each step"),
        (neurons_a_step_late, "reads in one time step what another gives"),
    ],
)
def test_what_is_no_sum_of_all_steps_is_refused(images, ending, sentence):
    with pytest.raises(ImportingError, match=re.escape(sentence)) as raised:
        from_snntorch(Net(ending), tensor(images))
    assert "\n" not in str(raised.value)


class Jelly(nn.Module):
    """One-step SpikingJelly whose forward goes over frames and keeps the sum; ``mean`` divides it."""

    def __init__(self, mean):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), neuron.IFNode(), nn.Linear(12, 6))
        self.mean = mean

    def forward(self, x):
        jelly.reset_net(self)
        total = 0.0
        for frame in x:
            total += self.net(frame)
        return total / len(x) if self.mean else total


@pytest.mark.parametrize("mean", [False, True])
def test_frames_of_spikingjelly(mean):
    torch.manual_seed(0)
    net = Jelly(mean).double()
    frames = np.random.default_rng(0).integers(0, 3, (N, T, 8, 8, 1)).astype(np.uint8)
    example = torch.from_numpy(frames).permute(1, 0, 4, 2, 3).double()
    network = from_spikingjelly(net, example, input="counts", input_shape=(8, 8, 1))
    with torch.no_grad():
        np.testing.assert_allclose(run(network, frames), net(example).numpy(), rtol=1e-12, atol=1e-12)
    assert network.timesteps == T
