"""Range analysis against every possible input of small layers: none leaves the bounds, and the bounds are reached."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codegen.arithmetic.ranges import acc_range, drive_ranges, layer_widths, potential_range, signed_bits, sum_widths
from codegen.neurons import Constants, neuron_of


def _neuron(leak_shift=0, reset="hard", half_start=False, frac_bits=0):
    kind = "IF" if leak_shift == 0 else "DelayedLIF" if reset == "delayed" else "LIF"
    return neuron_of(kind, leak_shift, "hard" if reset == "hard" else "soft", half_start, frac_bits)


def _widths(weights, bias, threshold, timesteps, neuron, largest_input=1):
    constants = Constants(np.array([weights]), np.array([bias]), np.array([threshold]))
    return layer_widths(constants, largest_input, timesteps, neuron)


def _potentials(drives, leak_shift, reset, threshold, initial):
    """Every value V takes, before and after each reset, along all sequences of drives [sequences, T].

    A delayed reset comes with the leak of the next step, at the end of this one.
    """
    if reset == "delayed" and leak_shift:
        return _delayed_potentials(drives, leak_shift, threshold, initial)
    seen = [0, initial]
    potential = np.full(len(drives), initial, np.int64)
    for drive in drives.T:
        potential = (potential - (potential >> leak_shift) if leak_shift else potential) + drive
        seen += [potential.min(), potential.max()]
        if threshold is not None:
            potential = np.where(potential >= threshold, potential - threshold if reset != "hard" else 0, potential)
            seen += [potential.min(), potential.max()]
    return min(seen), max(seen)


def _delayed_potentials(drives, leak_shift, threshold, initial):
    carried = np.full(len(drives), initial - (initial >> leak_shift), np.int64)
    seen = [0, carried[0]]
    for drive in drives.T:
        potential = carried + drive
        owed = 0 if threshold is None else threshold * (potential >= threshold)
        carried = potential - (potential >> leak_shift) - owed
        seen += [potential.min(), potential.max(), carried.min(), carried.max()]
    return min(seen), max(seen)


def _all_drives(weights, bias, frac_bits, timesteps):
    """Drives [2^(inputs*T), T] of one channel for every sequence of spike vectors."""
    sums = np.array([np.dot(weights, spikes) for spikes in product((0, 1), repeat=len(weights))])
    return np.array(list(product((sums << frac_bits) + bias, repeat=timesteps)))


@settings(max_examples=150, deadline=None)
@given(
    weights=st.lists(st.integers(-7, 7), min_size=1, max_size=3),
    bias=st.integers(-60, 60),
    threshold=st.integers(-30, 200),
    leak_shift=st.integers(0, 3),
    reset=st.sampled_from(["hard", "soft", "delayed"]),
    frac_bits=st.integers(0, 4),
    timesteps=st.integers(1, 4),
    half_start=st.booleans(),
)
def test_no_potential_leaves_the_widths(weights, bias, threshold, leak_shift, reset, frac_bits, timesteps, half_start):
    drives = _all_drives(weights, bias, frac_bits, timesteps)
    initial = threshold // 2 if half_start else 0
    low, high = _potentials(drives, leak_shift, reset, threshold, initial)
    widths = _widths(weights, bias, threshold, timesteps, _neuron(leak_shift, reset, half_start, frac_bits))
    bound = 1 << (widths.potential_bits - 1)
    assert -bound <= low <= high < bound
    for value, bits in ((bias, widths.bias_bits), (threshold, widths.threshold_bits)):
        assert -(1 << (bits - 1)) <= value < 1 << (bits - 1)
    assert widths.output_bits == timesteps


@settings(max_examples=100, deadline=None)
@given(
    weights=st.lists(st.integers(-7, 7), min_size=1, max_size=3),
    bias=st.integers(-60, 60),
    leak_shift=st.integers(0, 3),
    timesteps=st.integers(1, 4),
    initial=st.integers(-30, 60),
    reset=st.sampled_from(["hard", "delayed"]),
)
def test_bounds_without_spikes_are_reached(weights, bias, leak_shift, timesteps, initial, reset):
    drives = _all_drives(weights, bias, 2, timesteps)
    neuron = _neuron(leak_shift, reset, frac_bits=2)
    ranges = drive_ranges(neuron, acc_range(np.array([weights]), 1), np.array([bias]), timesteps)
    low, high = _potentials(drives, leak_shift, reset, None, initial)
    if neuron.delayed:
        initial -= initial >> leak_shift
    bounds = potential_range(neuron, ranges, None, np.array([initial]))
    # Zero and the potential before the first step count as reached in both.
    assert (min(0, initial, bounds.low[0]), max(0, initial, bounds.high[0])) == (low, high)


def test_the_initial_potential_counts_for_the_width():
    """One input of weight -1, threshold 200: V starts at 100 and only falls from there."""
    widths = _widths([-1], bias=-1, threshold=200, timesteps=2, neuron=_neuron(half_start=True))
    assert widths.potential_bits == signed_bits(np.array([100])) == 8


@settings(max_examples=100, deadline=None)
@given(weights=st.lists(st.integers(-7, 7), min_size=1, max_size=3), largest=st.sampled_from([1, 3]))
def test_sum_bounds_are_reached_and_hold_partial_sums(weights, largest):
    bounds = acc_range(np.array([weights]), largest)
    inputs = np.array(list(product(range(largest + 1), repeat=len(weights))))
    sums = inputs @ np.array(weights)
    assert (bounds.low[0], bounds.high[0]) == (sums.min(), sums.max())
    partial = np.cumsum(inputs * np.array(weights), axis=1)
    assert bounds.low[0] <= partial.min() and partial.max() <= bounds.high[0]


@settings(max_examples=100, deadline=None)
@given(weights=st.lists(st.integers(-7, 7), min_size=1, max_size=4), bias=st.integers(-50, 50), t=st.integers(1, 32))
def test_logit_width_is_minimal(weights, bias, t):
    widths = _widths(weights, bias, threshold=0, timesteps=t, neuron=None)
    logits = [t * (sum(w for w in weights if sign * w > 0) + bias) for sign in (-1, 1)]
    assert widths.output_bits == widths.potential_bits == signed_bits(np.array(logits))
    sums = [t * sum(w for w in weights if sign * w > 0) for sign in (-1, 1)]
    assert widths.acc_bits == signed_bits(np.array(sums))
    assert widths.bias_bits == signed_bits(np.array([bias * t]))


def test_static_image_sums_use_the_whole_pixel_range():
    widths = _widths([127, -127], 0, 5, timesteps=1, neuron=_neuron(), largest_input=255)
    assert widths.acc_bits == signed_bits(np.array([127 * 255, -127 * 255])) == 16


@pytest.mark.parametrize(
    ("values", "bits"), [([0], 1), ([-1], 1), ([1], 2), ([-2], 2), ([127], 8), ([-128], 8), ([128, -3], 9)]
)
def test_signed_bits(values, bits):
    assert signed_bits(np.array(values)) == bits


@settings(max_examples=60, deadline=None)
@given(weights=st.lists(st.integers(-7, 7), min_size=1, max_size=3), largest_input=st.integers(1, 3))
def test_sums_that_are_sent_on_have_the_width_of_the_largest(weights, largest_input):
    inputs = product(range(largest_input + 1), repeat=len(weights))
    reached = np.array([np.dot(weights, values) for values in inputs])
    widths = sum_widths(np.array([weights]), largest_input)
    bound = 1 << (widths.acc_bits - 1)
    assert -bound <= reached.min() <= reached.max() < bound
    assert widths.acc_bits == 1 or reached.min() < -(bound >> 1) or reached.max() >= bound >> 1
    assert widths.output_bits == widths.acc_bits
