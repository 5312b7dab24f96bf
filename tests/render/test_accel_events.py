"""Event frames in 20 steps, elements of 160 bits, from model.onnx to both simulators: ONNX Runtime's logits."""

from __future__ import annotations

import numpy as np
import pytest
from accel_graphs import TinyNetwork, event_network

from codegen.cores.spiking_mvau import SpikingMVAU
from codegen.dataflow.build import build_graph
from codegen.errors import SimulationError
from codegen.render.graph import read_graph
from codegen.render.render import render_sources
from codegen.verify.csim import run_csim
from codegen.verify.onnx_runtime import run_onnx
from codegen.verify.rtlsim import run_rtlsim

FRAMES = 5


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> TinyNetwork:
    made = event_network(tmp_path_factory.mktemp("runs") / "events", FRAMES)
    build_graph(made.run, board=None, target_cycles=8000)
    render_sources(made.run)
    return made


@pytest.fixture(scope="module")
def golden(network: TinyNetwork) -> np.ndarray:
    logits = run_onnx(network.run.path / "model.onnx", network.images)
    assert len(np.unique(logits, axis=0)) == FRAMES, "the frames must not look the same to the network"
    return logits


def test_cores_have_the_bits_of_what_they_read(network: TinyNetwork) -> None:
    graph = read_graph(network.run.path / "graph.onnx")
    assert graph.input.element_bits == 160
    cores = [node.core for node in graph.nodes if isinstance(node.core, SpikingMVAU)]
    assert [core.step_bits for core in cores] == [8, 3, 1, 1, 3]
    assert cores[-1].map_pixels == 4
    operators = {node.op for node in graph.nodes}
    assert {"SumPool_rtl", "SpikePool_rtl", "FMPadding_rtl", "ConvolutionInputGenerator_rtl"} < operators


def test_csim_gives_onnx_runtimes_logits(network: TinyNetwork, golden: np.ndarray) -> None:
    np.testing.assert_array_equal(run_csim(network.run, network.images).logits, golden)


def test_rtl_gives_onnx_runtimes_logits(network: TinyNetwork, golden: np.ndarray) -> None:
    np.testing.assert_array_equal(run_rtlsim(network.run, network.images).logits, golden)
    stalled = run_rtlsim(network.run, network.images[:2], stall_in=0.4, stall_out=0.6, seed=3)
    np.testing.assert_array_equal(stalled.logits, golden[:2])


def test_frames_of_another_number_are_refused(network: TinyNetwork) -> None:
    with pytest.raises(SimulationError, match=r"with 44880 elements each"):
        run_csim(network.run, network.images[:, :10])
    flat = network.images.reshape(FRAMES, 34, 33, 40)
    with pytest.raises(SimulationError, match=r"shape \[5, 34, 33, 40\], but the network takes 20 event frames each$"):
        run_csim(network.run, flat)
