"""DelayedLIF and thresholds to exceed against snnTorch's own Leaky and against neurons of exact arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import snntorch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from codegen.neurons import Neuron, folded_neuron
from sca_train.description import NeuronDescription

STEPS = 8


def _spikes(neuron: Neuron, sums: NDArray[np.int64], threshold: int) -> NDArray[np.bool_]:
    """[T, n] of the sums [T, n], without a bias."""
    bias, level = np.zeros(1, np.int64), np.array([threshold])
    potential, train = neuron.initial(level), []
    for drive in neuron.drives(list(sums), bias):
        spikes, potential = neuron.step(potential, drive, level)
        train.append(spikes)
    return np.array(train)


def _folded(neuron: NeuronDescription, frac_bits: int) -> tuple[Neuron, int]:
    """The neuron, and its threshold where one unit of the sum is one of the current."""
    folded = folded_neuron(neuron, frac_bits, "layer 'x'")
    threshold = folded.fold_channels(np.ones(1), np.zeros(1), folded.level(neuron.threshold), neuron.compare)[1]
    return folded, int(threshold[0])


def _snntorch(beta: float, threshold: float, reset: str, inputs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Spikes [T, n] of snnTorch's Leaky with its delayed reset, float64."""
    leaky = snntorch.Leaky(beta=torch.tensor(beta, dtype=torch.float64), threshold=threshold, reset_mechanism=reset)
    membrane, train = torch.zeros(inputs.shape[1], dtype=torch.float64), []
    for step in torch.from_numpy(inputs):
        spikes, membrane = leaky(step, membrane)
        train.append(spikes.numpy() > 0)
    return np.array(train)


@pytest.mark.parametrize(("reset", "mechanism"), [("delayed", "subtract"), ("hard", "zero")])
@pytest.mark.parametrize("tau", [2, 4])
def test_spikes_are_those_of_snntorch_where_no_leak_is_rounded(tau, reset, mechanism):
    """Inputs and threshold are multiples of tau^T: every membrane is an integer, and some of them equal the threshold.

    The core's V is tau times snnTorch's membrane, so that its sums are tau times snnTorch's inputs.
    """
    rng = np.random.default_rng(tau)
    unit = tau**STEPS
    inputs = rng.integers(-6, 13, (STEPS, 4000)) * unit
    threshold = 4 * unit
    expected = _snntorch(1 - 1 / tau, float(threshold), mechanism, inputs.astype(np.float64))
    description = NeuronDescription("LIF", reset, float(threshold), float(tau), compare="gt")
    neuron, level = _folded(description, 0)
    assert 0.2 < expected.mean() < 0.8
    np.testing.assert_array_equal(_spikes(neuron, inputs * tau, level), expected)
    for other in ({"reset": "soft"} if reset == "delayed" else {"reset": "delayed"}, {"compare": "ge"}):
        different, level = _folded(NeuronDescription(**{**vars(description), **other}), 0)
        assert (_spikes(different, inputs * tau, level) != expected).any(), f"the inputs must tell {other} apart"


def _real(description: NeuronDescription, currents: Sequence[float]) -> list[tuple[float, bool]]:
    """Potential before the reset and spike of each step, as NeuronDescription has them; V times tau, in float64."""
    leak = 1 / description.tau if description.kind == "LIF" else 0.0
    level = description.threshold * (description.tau if description.kind == "LIF" else 1.0)
    potential, steps = 0.0, []
    for current in currents:
        potential = potential - leak * potential + current
        spiked = potential > level if description.compare == "gt" else potential >= level
        steps.append((potential, spiked))
        if spiked:
            if description.reset == "delayed":
                potential -= level / (1 - leak)  # so that the next step takes away the threshold itself
            else:
                potential = 0.0 if description.reset == "hard" else potential - level
    return steps


@settings(max_examples=200, deadline=None)
@given(
    sums=st.lists(st.integers(-20, 60), min_size=1, max_size=32),
    threshold=st.integers(1, 50),
    reset=st.sampled_from(["hard", "soft"]),
)
def test_a_neuron_without_leak_that_must_exceed_its_threshold_is_exact_up_to_the_documented_spikes(
    sums, threshold, reset
):
    description = NeuronDescription("IF", reset, float(threshold), 1.0, compare="gt")
    frac_bits = 3
    neuron, level = _folded(description, frac_bits)
    expected = [spiked for _, spiked in _real(description, sums)]
    # What a soft reset takes too much is one unit, of which 2^frac_bits are one of the sum's.
    exact = len(sums) if reset == "hard" else int(np.searchsorted(np.cumsum(expected), 2**frac_bits)) + 1
    assert _spikes(neuron, np.array(sums)[:, None], level)[:exact, 0].tolist() == expected[:exact]


@settings(max_examples=200, deadline=None)
@given(
    sums=st.lists(st.integers(-20, 60), min_size=1, max_size=16),
    threshold=st.floats(0.5, 40.0),
    kind=st.sampled_from(["IF", "LIF"]),
    reset=st.sampled_from(["hard", "soft", "delayed"]),
    compare=st.sampled_from(["ge", "gt"]),
    tau=st.sampled_from([2.0, 4.0, 8.0]),
)
def test_potentials_stay_as_close_as_documented(sums, threshold, kind, reset, compare, tau):
    """While the spikes are the same, V is off by at most a unit for each leak and each soft reset, less what leaks."""
    frac_bits = 4
    description = NeuronDescription(kind, reset, threshold, tau if kind == "LIF" else 1.0, compare=compare)
    neuron, level = _folded(description, frac_bits)
    potential, off = neuron.initial(np.array([level])), 0.0
    for current, (real, spiked) in zip(sums, _real(description, sums), strict=True):
        drive = neuron.drive(np.array([current]), np.array([0]))
        before = neuron.charge(potential, drive)
        if kind == "LIF":
            off = off * (1 - 1 / tau) + 1
        assert abs(before[0] - real * 2**frac_bits) <= off + 1e-6
        spikes, potential = neuron.step(potential, drive, np.array([level]))
        if spikes[0] != spiked:
            return
        if spiked and reset == "hard":
            off = 0.0
        elif spiked:
            off += 1 / (1 - 1 / tau) if neuron.delayed else 1
