"""Whole residual networks from model.onnx to both simulators: ONNX Runtime's logits, at any stalls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from codegen.dataflow.build import build_graph
from codegen.render.render import render_sources
from codegen.verify.csim import run_csim
from codegen.verify.onnx_runtime import run_onnx
from codegen.verify.rtlsim import run_rtlsim
from tests.dataflow.finn_networks import random_images, residual, run_of

NETWORKS: Mapping[str, dict[str, Any]] = {
    "resnet": {"before_addition": False, "neuron": "IF", "reset": "hard"},
    "preresnet": {"before_addition": True, "neuron": "LIF", "reset": "soft", "half_start": True},
    "resnet-events": {"before_addition": False, "neuron": "IF", "reset": "soft", "half_start": True, "static": False},
}
IMAGES = 4


@pytest.mark.parametrize("name", NETWORKS)
def test_both_simulators_give_onnx_runtimes_logits(name: str, tmp_path) -> None:
    network = residual(**NETWORKS[name])
    run = run_of(network, tmp_path / "run")
    images = random_images(network, IMAGES)
    golden = run_onnx(run.path / "model.onnx", images)
    assert len(np.unique(golden, axis=0)) == IMAGES
    build_graph(run, board=None, target_cycles=1500)
    render_sources(run)
    np.testing.assert_array_equal(run_csim(run, images).logits, golden)
    np.testing.assert_array_equal(run_rtlsim(run, images).logits, golden)
    stalled = run_rtlsim(run, images, stall_in=0.3, stall_out=0.3, seed=5)
    np.testing.assert_array_equal(stalled.logits, golden)
