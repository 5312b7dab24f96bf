"""Elements as steps: what is split is what was joined, also where an element is wider than a machine word."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegen.words import join_steps, split_steps


@given(steps=st.integers(1, 32), bits=st.integers(1, 8), seed=st.integers(0, 2**16))
def test_steps_are_split_as_they_were_joined(steps: int, bits: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 1 << bits, (2, 3, steps))
    elements = join_steps(values, bits)
    assert elements.shape == (2, 3)
    assert all(0 <= int(element) < 1 << steps * bits for element in elements.flat)
    np.testing.assert_array_equal(split_steps(elements, steps, bits), values)


@pytest.mark.parametrize(("steps", "bits", "kind"), [(63, 1, np.int64), (21, 3, np.int64), (8, 8, object)])
def test_the_first_step_is_in_the_low_bits(steps: int, bits: int, kind: type) -> None:
    values = np.zeros((1, steps), np.int64)
    values[0, 0], values[0, -1] = 1, (1 << bits) - 1
    elements = join_steps(values, bits)
    assert elements.dtype == kind
    assert elements.tolist() == [1 | (1 << bits * steps) - (1 << bits * (steps - 1))]
