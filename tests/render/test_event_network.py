"""A tiny network with event-driven layers: both simulators give ONNX Runtime's logits, with back-pressure too."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from accel_graphs import TinyNetwork, tiny_network

from codegen.cores.spiking_mvau import SpikingMVAU
from codegen.dataflow.build import build_graph
from codegen.errors import FoldingError
from codegen.render.graph import read_graph
from codegen.render.render import render_sources
from codegen.verify.csim import run_csim
from codegen.verify.onnx_runtime import run_onnx
from codegen.verify.rtlsim import run_rtlsim

IMAGES = 8
FOLDING = {
    "SpikingMVAU_rtl_1": {"SIMD": 2, "PE": 2, "TP": 2, "event": 1},
    "SpikingMVAU_rtl_2": {"SIMD": 4, "PE": 1, "event": 1},
}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> TinyNetwork:
    tiny = tiny_network(tmp_path_factory.mktemp("runs") / "events", IMAGES)
    file = tiny.run.path / "event_folding.json"
    file.write_text(json.dumps(FOLDING))
    build_graph(tiny.run, folding_file=file)
    render_sources(tiny.run)
    return tiny


def test_the_graph_has_event_driven_cores_that_know_their_kernels(network: TinyNetwork) -> None:
    cores = [node.core for node in read_graph(network.run.path / "graph.onnx").nodes]
    products = [core for core in cores if isinstance(core, SpikingMVAU)]
    assert [core.event for core in products] == [False, True, True]
    assert [core.taps for core in products] == [9, 9, 1]
    assert [core.rotate_words for core in products[1:]] == [2, 0]


def test_both_simulators_give_onnx_runtimes_logits(network: TinyNetwork) -> None:
    golden = run_onnx(network.run.path / "model.onnx", network.images)
    csim = run_csim(network.run, network.images, quick=True)
    np.testing.assert_array_equal(csim.logits, golden)
    rtl = run_rtlsim(network.run, network.images, quick=True)
    np.testing.assert_array_equal(rtl.logits, golden)
    stalled = run_rtlsim(network.run, network.images, quick=True, stall_in=0.4, stall_out=0.6, seed=3)
    np.testing.assert_array_equal(stalled.logits, golden)
    bound = read_graph(network.run.path / "graph.onnx").bound
    assert rtl.interval is not None and max(csim.trips.values()) <= bound


def test_an_image_layer_cannot_be_event_driven(network: TinyNetwork, tmp_path: Path) -> None:
    file = tmp_path / "folding.json"
    file.write_text(json.dumps({"SpikingMVAU_rtl_0": {"event": 1}}))
    with pytest.raises(FoldingError, match=r"event=1 is not possible, an image has no spikes$"):
        build_graph(network.run, folding_file=file)
