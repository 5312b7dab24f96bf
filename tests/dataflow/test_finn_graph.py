"""The dataflow graph computes what ONNX Runtime computes, at any folding, and FINN's analyses agree with the cores."""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from finn.analysis.fpgadataflow.exp_cycles_per_layer import exp_cycles_per_layer
from finn.analysis.fpgadataflow.res_estimation import res_estimation
from finn.util.basic import getHWCustomOp
from finn_networks import events, mini, networks, summed, vgg16
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qonnx.core.datatype import DataType

from bench.networks import random_images, run_of
from codegen.arithmetic.ranges import acc_range, signed_bits
from codegen.cores import core_of
from codegen.cores.core import divisors
from codegen.cores.spiking_mvau import SpikingMVAU
from codegen.dataflow.build import build_graph
from codegen.dataflow.execute import run_finn
from codegen.errors import RunFolderError, SimulationError
from codegen.run_folder import RunFolder

FINN_STREAM_CORES = {
    "FMPadding_rtl",
    "ConvolutionInputGenerator_rtl",
    "StreamingFIFO_rtl",
    "StreamingDataWidthConverter_rtl",
}


def onnx_logits(run: RunFolder, images: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(run.path / "model.onnx"))
    return session.run(None, {"image": images})[0]


def random_folding(model, draw) -> dict:
    """Any divisors for the cores, the windows and the pools of a graph."""
    folding: dict = {"Defaults": {}}
    for node in model.graph.node:
        instance = getHWCustomOp(node)
        if node.op_type == "SpikingMVAU_rtl":
            core = instance.core()
            folding[node.name] = {
                "SIMD": draw(st.sampled_from(divisors(core.mw))),
                "PE": draw(st.sampled_from(divisors(core.mh))),
                "TP": core.timesteps if core.sums_once else draw(st.sampled_from(divisors(core.timesteps))),
            }
        elif node.op_type == "ConvolutionInputGenerator_rtl":
            folding[node.name] = {"SIMD": draw(st.sampled_from(divisors(instance.get_nodeattr("IFMChannels"))))}
        elif node.op_type in ("SpikePool_rtl", "SumPool_rtl"):
            folding[node.name] = {"PE": draw(st.sampled_from(divisors(instance.core().channels)))}
    return folding


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(network=networks(), data=st.data())
def test_any_network_at_any_folding_equals_onnx_runtime(network, data):
    with tempfile.TemporaryDirectory() as folder:
        run = run_of(network, Path(folder) / "run")
        unfolded = build_graph(run, board=None)
        file = Path(folder) / "folding.json"
        file.write_text(json.dumps(random_folding(unfolded, data.draw)))
        graph = build_graph(run, board=None, folding_file=file)

        images = random_images(network, 3)
        assert np.array_equal(run_finn(run, images), onnx_logits(run, images))

        cycles = graph.analysis(exp_cycles_per_layer)
        for node in graph.graph.node:
            if node.op_type in ("SpikingMVAU_rtl", "SpikePool_rtl", "SumPool_rtl"):
                assert cycles[node.name] == getHWCustomOp(node).core().cycles > 0
        assert json.loads((run.path / "results" / "folding.json").read_text())["bound"] == max(cycles.values())


def test_the_streams_of_every_core_are_finns(tmp_path):
    graph = build_graph(run_of(mini(), tmp_path / "run"), target_cycles=700)
    for node in graph.graph.node:
        operator = getHWCustomOp(node)
        core = core_of(operator)
        for stream, shape, datatype, width in (
            (core.inputs[0], operator.get_folded_input_shape(), operator.get_input_datatype(), "in"),
            (core.outputs[0], operator.get_folded_output_shape(), operator.get_output_datatype(), "out"),
        ):
            assert (stream.words, stream.lanes) == (math.prod(shape[:-1]), shape[-1]), node.name
            assert (stream.element_bits, stream.signed) == (datatype.bitwidth(), datatype.signed()), node.name
            assert stream.bits == getattr(operator, f"get_{width}stream_width")(), node.name


def test_graph_is_made_of_finn_stream_cores_and_own_cores(tmp_path):
    graph = build_graph(run_of(mini(), tmp_path / "run"))
    kinds = [node.op_type for node in graph.graph.node]
    assert set(kinds) - FINN_STREAM_CORES == {"SpikingMVAU_rtl", "SpikePool_rtl"}
    assert kinds.count("SpikingMVAU_rtl") == 4
    assert kinds.count("SpikePool_rtl") == 2
    assert len({node.name for node in graph.graph.node}) == len(kinds)
    assert not graph.model.functions


def test_sum_pooling_is_read_with_several_bits_a_step(tmp_path):
    run = run_of(summed(), tmp_path / "run")
    graph = build_graph(run)
    kinds = [node.op_type for node in graph.graph.node]
    assert set(kinds) - FINN_STREAM_CORES == {"SpikingMVAU_rtl", "SumPool_rtl"}
    cores = {
        node.name: getHWCustomOp(node).core() for node in graph.graph.node if node.op_type not in FINN_STREAM_CORES
    }
    layers = [core for core in cores.values() if isinstance(core, SpikingMVAU)]
    assert [core.step_bits for core in layers] == [1, 3, 1, 4, 1]
    assert [core.element_bits for core in layers] == [8, 12, 4, 16, 4]
    # Sums of windows are at most 4 and 9, though their bits hold 7 and 15.
    for core, node, largest in ((layers[1], "conv2", 4), (layers[3], "conv4", 9)):
        weights = graph.get_initializer(f"{node}_weights")
        bounds = acc_range(weights.T.astype(np.int64), largest)
        assert core.acc_bits == signed_bits(bounds.low, bounds.high)
    images = random_images(summed(), 3)
    assert np.array_equal(run_finn(run, images), onnx_logits(run, images))


def test_event_frames_enter_with_eight_bits_a_step(tmp_path):
    network = events()
    run = run_of(network, tmp_path / "run")
    graph = build_graph(run)
    first = graph.graph.input[0].name
    assert graph.get_tensor_shape(first) == [1, 8, 8, 2]
    assert graph.get_tensor_datatype(first) == DataType["UINT24"]
    layers = [getHWCustomOp(node).core() for node in graph.graph.node if node.op_type == "SpikingMVAU_rtl"]
    assert [(core.step_bits, core.static_input, core.reads_image) for core in layers] == [
        (8, False, True),
        (3, False, False),
        (1, False, False),
    ]
    frames = random_images(network, 4)
    assert np.array_equal(run_finn(run, frames), onnx_logits(run, frames))
    assert not np.array_equal(run_finn(run, frames[:, ::-1].copy()), onnx_logits(run, frames))
    with pytest.raises(SimulationError, match=r"\[4, 8, 8, 2\], but the network takes uint8 \[N, 3, 8, 8, 2\]"):
        run_finn(run, frames[:, 0])


def test_one_event_frame_is_an_image(tmp_path):
    network = events(timesteps=1)
    run = run_of(network, tmp_path / "run")
    build_graph(run)
    frames = random_images(network, 4)
    assert np.array_equal(run_finn(run, frames), onnx_logits(run, frames))


def test_event_frames_beyond_float32_are_built_but_not_executed(tmp_path):
    run = run_of(events(timesteps=32), tmp_path / "run")
    build_graph(run)
    with pytest.raises(SimulationError, match=r"elements of at most 24 bits exactly; the input has 256$"):
        run_finn(run, random_images(events(timesteps=32), 1))


def test_hls_variants_are_chosen_on_request(tmp_path):
    network = mini()
    run = run_of(network, tmp_path / "run")
    graph = build_graph(run, impl="hls")
    kinds = {node.op_type for node in graph.graph.node}
    assert kinds - FINN_STREAM_CORES == {"SpikingMVAU_hls", "SpikePool_hls"}
    images = random_images(network, 4)
    assert np.array_equal(run_finn(run, images), onnx_logits(run, images))


def test_every_own_core_has_an_estimate(tmp_path):
    graph = build_graph(run_of(mini(), tmp_path / "run"))
    for name, resources in res_estimation(graph, "xc7z020clg400-1").items():
        if name.startswith("Spik"):
            assert resources["LUT"] > 0


def test_analyses_are_recorded_per_node(tmp_path):
    run = run_of(mini(), tmp_path / "run")
    build_graph(run, target_cycles=2000)
    record = json.loads((run.path / "results" / "folding.json").read_text())
    cores = [node for node in record["nodes"] if node["op"] == "SpikingMVAU_rtl"]
    assert [node["layer"] for node in cores] == ["conv1", "conv2", "conv3", "readout"]
    assert record["bound"] == max(node["cycles"] for node in record["nodes"]) <= 2000
    for node in cores:
        assert node["lut"] > 0 and node["pe"] >= 1 and node["simd"] >= 1


def test_images_of_another_shape_or_type_are_refused(tmp_path):
    run = run_of(mini(), tmp_path / "run")
    with pytest.raises(RunFolderError, match="make hls"):
        run_finn(run, np.zeros((1, 8, 8, 1), np.uint8))
    build_graph(run)
    with pytest.raises(SimulationError, match=r"shape \[1, 8, 9, 1\], but the network takes uint8 \[N, 8, 8, 1\]"):
        run_finn(run, np.zeros((1, 8, 9, 1), np.uint8))
    with pytest.raises(SimulationError, match="of type float32, but the network takes"):
        run_finn(run, np.zeros((1, 8, 8, 1), np.float32))


def test_trains_beyond_float32_are_built_but_not_executed(tmp_path):
    network = mini(timesteps=25)
    run = run_of(network, tmp_path / "run")
    build_graph(run)
    with pytest.raises(SimulationError, match=r"at most 24 bits exactly; .* has 25$"):
        run_finn(run, random_images(network, 1))


def test_vgg16_is_built_within_time_and_memory(tmp_path):
    run = run_of(vgg16(0.5), tmp_path / "run")
    start = time.monotonic()
    graph = build_graph(run, board="none")
    assert time.monotonic() - start < 30
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2 * 1024**2  # KiB
    assert sum(node.op_type == "SpikingMVAU_rtl" for node in graph.graph.node) == 14


def test_nothing_is_written_outside_the_run(tmp_path):
    run = run_of(mini(), tmp_path / "run")
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    script = (
        "import sys; from pathlib import Path; from codegen.run_folder import RunFolder\n"
        "from codegen.dataflow.build import build_graph; build_graph(RunFolder(Path(sys.argv[1])))"
    )
    root = Path(__file__).parents[2]
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": str(root)}
    for name in ("FINN_BUILD_DIR", "FINN_SETTINGS"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", script, str(run.path)], cwd=elsewhere, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""
    assert not list(home.iterdir()) and not list(elsewhere.iterdir())
    assert sorted(path.name for path in run.path.rglob("*")) == [
        "folding.json",
        "folding.json",
        "graph.onnx",
        "model.onnx",
        "results",
    ]
