"""Random networks of every kind: ONNX Runtime = FINN = csim = RTL, as `python -m bench random-networks` has more."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.network_cases import KINDS, kind_of
from bench.random_networks import check_network

SEEDS = (135, 226, 137, 138, 166, 149, 132, 232, 215)
"""One of each kind; together they have all neurons, resets, initial potentials, poolings, weights and shortcuts."""


def test_the_seeds_are_of_all_kinds() -> None:
    assert {kind_of(seed) for seed in SEEDS} == set(KINDS)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_implementation_gives_onnx_runtimes_logits(seed: int, tmp_path: Path) -> None:
    outcome = check_network(seed, tmp_path / "run")
    assert not outcome.refused
    assert not outcome.faults
    assert outcome.in_finn and outcome.tells_apart
