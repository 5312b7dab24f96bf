"""Cores of several streams: HLS = RTL = reference model, element by element and cycle by cycle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.cores.core_cases import Case
from bench.cores.core_checks import batch_faults
from bench.cores.port_cases import random_add, random_bank, random_fork, random_inputs
from codegen.cores.neuron_bank import BankConstants, NeuronBank

BATCH_SIZE = 14


def check(cases: list[Case], folder: Path, seed: int) -> None:
    faults = batch_faults(cases, folder, seed)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("batch", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("draw", [random_fork, random_add, random_bank])
def test_random_cores(draw: Callable[[str, int], Case], batch: int, tmp_path: Path) -> None:
    """All cores of a batch in one program and one Verilated top; seeds are batch * 1000 + index."""
    check([draw(f"core_{index}", 1000 * batch + index) for index in range(BATCH_SIZE)], tmp_path, seed=batch)


def test_banks_with_a_delayed_reset(tmp_path: Path) -> None:
    """One unit, a chain of units and a step a cycle; from 0 and from half the threshold; every kind of sum."""
    cases = []
    for index, (timesteps, tp) in enumerate([(4, 1), (4, 4), (6, 3), (8, 2), (20, 20), (32, 1)]):
        plain = NeuronBank(
            f"core_{index}", vectors=8, channels=4, pe=2, timesteps=timesteps, tp=tp, sum_bits=6,
            static_sums=index % 3 == 0, signs=index % 2 == 0, neuron="DelayedLIF", leak_shift=1 + index % 4,
            reset="soft", half_start=index > 2, frac_bits=index, potential_bits=1, bias_bits=1, threshold_bits=1,
        )  # fmt: skip
        cases.append(random_inputs(plain.with_random_constants(index), 3, index))
    assert all(case.outputs[0].any() for case in cases), "each must spike somewhere"
    check(cases, tmp_path, seed=0)


def test_the_largest_bias_of_late_neurons_with_a_negative_sign(tmp_path: Path) -> None:
    """The stored bias is T * bias + T * 2^frac_bits then, the widest where T is no power of two."""
    cases = []
    for index, timesteps in enumerate((2, 3, 5, 6, 7, 20)):
        frac_bits, sum_bits = 4, 4
        bias_bits = frac_bits + timesteps.bit_length()
        largest = ((1 << (bias_bits - 1)) - 1) // timesteps
        sign, bias = np.array([-1, -1, 1, 0]), np.array([largest, -largest, largest, largest])
        threshold = np.array([4, -3, 9, largest])
        plain = NeuronBank(
            f"core_{index}", vectors=8, channels=4, pe=2, timesteps=timesteps, tp=1, sum_bits=sum_bits,
            static_sums=index % 2 == 0, signs=True, neuron="LateIF", leak_shift=0, reset="soft", half_start=True,
            frac_bits=frac_bits, potential_bits=1, bias_bits=1, threshold_bits=1,
        )  # fmt: skip
        core = plain.fitted(BankConstants(sign, bias, threshold))
        assert core.bias_bits == bias_bits
        cases.append(random_inputs(core, 3, index))
    check(cases, tmp_path, seed=0)
