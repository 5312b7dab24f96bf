"""Residual networks in the dataflow graph: forks, additions and neuron banks, bit-exact at any folding."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from finn.util.basic import getHWCustomOp
from finn_networks import residual

from bench.networks import random_images, run_of
from codegen.cores import core_of
from codegen.cores.neuron_bank import NeuronBank
from codegen.cores.residual_add import ResidualAdd
from codegen.dataflow.build import build_graph
from codegen.dataflow.execute import run_finn
from codegen.neurons import SUMS
from codegen.verify.onnx_runtime import load_network


@pytest.mark.parametrize("before_addition", [False, True], ids=["resnet", "preresnet"])
@pytest.mark.parametrize(
    ("neuron", "reset", "half_start"),
    [
        ("IF", "hard", False),
        ("IF", "soft", True),
        ("LIF", "soft", False),
        ("LIF", "hard", True),
        ("LateIF", "soft", True),
        ("DelayedLIF", "soft", True),
    ],
)
def test_residual_networks_equal_onnx_runtime(before_addition, neuron, reset, half_start, tmp_path):
    network = residual(before_addition=before_addition, neuron=neuron, reset=reset, half_start=half_start)
    run = run_of(network, tmp_path / "run")
    images = random_images(network, 4)
    expected = load_network(run.path / "model.onnx").logits(images)
    assert len(np.unique(expected, axis=0)) == len(images)
    build_graph(run, board=None)
    assert np.array_equal(run_finn(run, images), expected)
    build_graph(run, board=None, target_cycles=600)
    assert np.array_equal(run_finn(run, images), expected)


@pytest.mark.parametrize("before_addition", [False, True], ids=["resnet", "preresnet"])
def test_a_residual_graph_has_the_cores_it_needs(before_addition, tmp_path):
    graph = build_graph(run_of(residual(before_addition=before_addition), tmp_path / "run"), board=None)
    cores = [core_of(getHWCustomOp(node), graph) for node in graph.graph.node]
    counts = Counter(core.op for core in cores)
    # Both blocks add; the stem of a PreResNet has its neurons apart, as its sum goes on.
    assert counts["ResidualAdd"] == 2
    assert counts["NeuronBank"] == (3 if before_addition else 2)
    assert counts["StreamFork"] == 2
    sums = [core for core in cores if core.op == "SpikingMVAU" and core.neuron == SUMS]
    assert len(sums) == (4 if before_addition else 3)
    banks = [core for core in cores if isinstance(core, NeuronBank)]
    assert [bank.signs for bank in banks] == [False] * (len(banks) - 1) + [True]
    assert [bank.static_sums for bank in banks] == [before_addition] + [False] * (len(banks) - 1)
    additions = [core for core in cores if isinstance(core, ResidualAdd)]
    assert {operand.factor for core in additions for operand in core.operands} == (
        {1, 2} if before_addition else {1, 2, 4}
    )
