"""A graph with a fork and a join, through folding, FINN's execution, both renderings and both simulators."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from finn.core.onnx_exec import execute_onnx
from finn.transformation.fpgadataflow.prepare_ip import PrepareIP
from finn.transformation.fpgadataflow.set_exec_mode import SetExecMode
from finn.util.basic import getHWCustomOp
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.general import GiveUniqueNodeNames
from residual_graph import CHANNELS, SIZE, evaluate, residual_graph

from codegen.cores.core import Stream
from codegen.dataflow import build
from codegen.dataflow.dataflow import fold
from codegen.dataflow.environment import build_folder, quiet
from codegen.dataflow.folding.file import plan_folding, read_folding, with_depths, write_folding
from codegen.dataflow.folding.from_file import explicit, plan_from_file
from codegen.dataflow.folding.joins import depths_resources, join_depths, planned_depths
from codegen.dataflow.folding.layers import Source, read_layers
from codegen.dataflow.folding.plan import NO_FIFO
from codegen.dataflow.folding.solver import Plan, plan_resources
from codegen.dataflow.passes.check_streams import CheckStreams
from codegen.errors import DeadlockError, FoldingError, MappingError, SimulationError
from codegen.render.graph import read_graph
from codegen.render.manifest import read_manifest
from codegen.render.render import render_sources
from codegen.run_folder import RunFolder
from codegen.verify import fifo_depths
from codegen.verify.csim import run_csim, vendor_headers
from codegen.verify.fifo_depths import MAX_SLOWDOWN, measure_depths, search_depths
from codegen.verify.rtl_model import write_waivers
from codegen.verify.rtlsim import RtlResult, run_gauged, run_rtlsim
from codegen.verify.verilator import verilator_program

PART = "xc7z020clg400-1"
IMAGES = np.random.default_rng(3).integers(0, 256, (6, SIZE, SIZE, 3)).astype(np.uint8)
TARGET = 400
FOLDING = {
    "stem": {"SIMD": 1, "PE": 2},
    "padding": {"SIMD": 4},
    "window": {"SIMD": 4},
    "conv": {"SIMD": 36, "PE": 1, "TP": 2},
}
"""A folding for TARGET cycles in which the fork writes wider words than the addition reads."""
ADD = "ResidualAdd_rtl_0"
"""The addition under the name that FINN gives it."""


def plan_of(model: ModelWrapper) -> Plan:
    """The plan of FOLDING."""
    return plan_from_file(read_layers(model), FOLDING)


def folded(depths: list[int]) -> ModelWrapper:
    """The graph folded by FOLDING, with FIFOs of these depths before the addition."""
    model = residual_graph()
    folding: dict[str, Mapping[str, Any]] = dict(plan_folding(plan_of(model)))
    folding["add"] = {**folding["add"], "inFIFODepths": depths}
    return fold(model, folding, PART)


def save(model: ModelWrapper, folder: Path) -> RunFolder:
    folder.mkdir()
    model.save(str(folder / "graph.onnx"))
    run = RunFolder(folder)
    render_sources(run)
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return save(folded([2, 100]), tmp_path_factory.mktemp("runs") / "residual")


@pytest.fixture(scope="module")
def expected(run: RunFolder) -> np.ndarray:
    spikes = evaluate(read_graph(run.path / "graph.onnx"), IMAGES)
    per_channel = spikes.reshape(-1, CHANNELS)
    assert all(len(np.unique(channel)) > 1 for channel in per_channel.T[:3]), "the neurons must not all do the same"
    return spikes


def test_layers_know_what_they_read() -> None:
    model = residual_graph()
    stem, conv = read_layers(model)
    assert (stem.source, conv.source) == (None, Source("fork", 0))
    assert [follower.core.name for follower in stem.followers] == ["fork"]
    assert [core.name for core in conv.streams] == ["padding", "window"]
    add, bank = conv.followers
    assert (add.source, add.port, add.joins) == (Source("conv", 0), 0, ((1, Source("fork", 1)),))
    assert (bank.source, bank.joins) == (Source("add", 0), ())


def test_followers_take_the_lanes_and_keep_up() -> None:
    stem, conv = plan_of(residual_graph())
    pe = conv.core.pe  # type: ignore[attr-defined]
    add, bank = conv.followers
    assert [stream.lanes for stream in add.inputs] == [pe * 4, pe]
    assert bank.inputs[0].lanes == add.outputs[0].lanes == pe * 4
    assert bank.cycles <= conv.core.cycles < bank.cycles * 2
    assert conv.cycles <= TARGET
    # The converter from the fork to the other input of the addition is in the estimate where the lanes differ.
    assert stem.output_lanes != pe
    apart = conv.resources(stem.cores).lut - conv.resources({}).lut
    same = conv.resources({"fork": stem.followers[0].with_lanes(pe)}).lut
    assert apart > 0
    before_join = depths_resources((stem, conv), join_depths((stem, conv)))
    assert before_join.lut > 0
    assert plan_resources((stem, conv)) == stem.resources({}) + conv.resources(stem.cores) + before_join
    assert same < conv.resources(stem.cores).lut


def test_the_graph_branches_and_joins(run: RunFolder) -> None:
    names = read_manifest(run.path / "rtl").edge_names
    assert sum("(output 0)" in name for name in names) == 1
    assert sum("(output 1)" in name for name in names) == 1
    assert sum("(input 0)" in name for name in names) == 1
    assert sum("(input 1)" in name for name in names) == 1


def test_finns_execution_gives_the_composed_reference_models(run: RunFolder, expected: np.ndarray) -> None:
    model = ModelWrapper(str(run.path / "graph.onnx")).transform(SetExecMode("cppsim"))
    for image, spikes in zip(IMAGES[:2], expected, strict=False):
        (given,) = execute_onnx(model, {"image": image[np.newaxis].astype(np.float32)}).values()
        np.testing.assert_array_equal(given.reshape(-1), spikes)


def test_csim_gives_the_composed_reference_models(run: RunFolder, expected: np.ndarray) -> None:
    result = run_csim(run, IMAGES)
    np.testing.assert_array_equal(result.logits, expected)
    graph = read_graph(run.path / "graph.onnx")
    computing = [node for node in graph.nodes if node.op in ("StreamFork_rtl", "ResidualAdd_rtl", "NeuronBank_rtl")]
    assert {node.name: result.trips[node.name] for node in computing} == {
        node.name: node.core.cycles for node in computing
    }


@pytest.mark.parametrize(
    ("stall_in", "stall_out", "seed"), [(0.0, 0.0, 0), (0.4, 0.6, 1), (0.9, 0.1, 2), (0.1, 0.9, 3)]
)
def test_rtl_gives_the_composed_reference_models(
    run: RunFolder, expected: np.ndarray, stall_in: float, stall_out: float, seed: int
) -> None:
    result = run_rtlsim(run, IMAGES, quick=True, stall_in=stall_in, stall_out=stall_out, seed=seed)
    np.testing.assert_array_equal(result.logits, expected)


def test_a_fifo_that_is_too_small_is_a_deadlock_between_named_streams(tmp_path: Path) -> None:
    run = save(folded([2, 4]), tmp_path / "small")
    with pytest.raises(SimulationError, match="is in a deadlock after") as caught:
        run_rtlsim(run, IMAGES, quick=True)
    full, empty = re.fullmatch(r".*of its streams, full: (.*); empty: (.*)", str(caught.value)).groups()  # type: ignore[union-attr]
    # The shortcut is full up to the fork, which starves the branch: the addition waits for it.
    assert "(output 1)" in full and "ResidualAdd_rtl_0 (input 1)" in full
    assert "(output 0)" in empty and "ResidualAdd_rtl_0 (input 0)" in empty


def test_verilator_lint_is_clean(run: RunFolder, tmp_path: Path) -> None:
    rtl = run.path / "rtl"
    manifest = read_manifest(rtl)
    waivers = write_waivers(rtl, manifest, tmp_path / "waivers.vlt")
    command = [verilator_program(), "--lint-only", "-Wall", "--top-module", manifest.top, waivers, *manifest.files]
    lint = subprocess.run(command, cwd=rtl, capture_output=True, text=True)
    assert lint.returncode == 0, lint.stderr


def test_a_folding_file_sets_steps_per_cycle_and_depths(tmp_path: Path) -> None:
    model = residual_graph()
    file = tmp_path / "folding.json"
    write_folding({"bank": {"TP": 4}, "conv": {"PE": 2}, "add": {"inFIFODepths": [2, 90]}}, file)
    asked = read_folding(file, model)
    plan = plan_from_file(read_layers(model), asked)
    folding = explicit(plan_folding(plan), asked)
    assert folding["bank"] == {"PE": 2, "TP": 4}
    assert folding["add"] == {"PE": 2, "inFIFODepths": [2, 90]}
    write_folding({"bank": {"TP": 3}}, file)
    sentence = r"^bank of layer 'conv' \(conv\): TP=3 does not divide its 4 time steps; valid are 1, 2, 4$"
    with pytest.raises(FoldingError, match=sentence):
        plan_from_file(read_layers(model), read_folding(file, model))


def test_streams_that_do_not_fit_are_named_with_their_ports() -> None:
    model = residual_graph()
    add = next(node for node in model.graph.node if node.name == "add")
    next(entry for entry in add.attribute if entry.name == "secondDataType").s = b"UINT2"
    with pytest.raises(MappingError, match=r"^fork \(output 1\) writes UINT4, add \(input 1\) reads UINT8$"):
        model.transform(CheckStreams(widths=False))
    next(entry for entry in add.attribute if entry.name == "secondDataType").s = b"UINT1"
    next(entry for entry in add.attribute if entry.name == "PE").i = 2
    with pytest.raises(MappingError, match=r"^fork \(output 1\) writes words of 4 bits, add \(input 1\) reads 8$"):
        model.transform(CheckStreams(widths=True))


def test_followers_need_a_layer() -> None:
    model = residual_graph()
    stem = model.graph.node[0]
    fork = model.graph.node[1]
    fork.input[0] = "image"
    model.graph.node.remove(stem)
    with pytest.raises(
        FoldingError, match=r"^fork stands before the first layer; it is folded with the one before it$"
    ):
        read_layers(model)
    model = residual_graph()
    bank = model.graph.node[-1]
    bank.input[0] = "padded"
    with pytest.raises(FoldingError, match=r"^bank stands behind padding, which leads to no layer$"):
        read_layers(model)


def test_finn_takes_the_hls_operators_with_all_their_streams(tmp_path: Path) -> None:
    """FINN's PrepareIP writes a top function for each, which compiles."""
    with build_folder(tmp_path / "finn"), quiet():
        model = residual_graph(back_end="hls").transform(GiveUniqueNodeNames())
        model = model.transform(PrepareIP(PART, 10.0))
    include = tmp_path / "include"
    include.mkdir()
    # FINN's template includes finn-hlslib's umbrella header, which is not part of the Python package.
    (include / "bnn-library.h").write_text('#include "ap_int.h"\n#include "hls_stream.h"\n')
    tops = {}
    for node in model.graph.node:
        if node.op_type.endswith("_hls"):
            folder = Path(getHWCustomOp(node).get_nodeattr("code_gen_dir_ipgen"))
            top = folder / f"top_{node.name}.cpp"
            command = ["g++", "-std=c++14", "-fsyntax-only", "-w", f"-I{vendor_headers()}", f"-I{include}", str(top)]
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            tops[node.op_type] = top.read_text()
    assert "axis port=out1_V" in tops["StreamFork_hls"] and "axis port=in1_V" not in tops["StreamFork_hls"]
    assert "axis port=in1_V" in tops["ResidualAdd_hls"] and "axis port=in1_V" not in tops["NeuronBank_hls"]
    add = next(getHWCustomOp(node) for node in model.graph.node if node.op_type == "ResidualAdd_hls")
    names = add.get_verilog_top_module_intf_names()
    assert [name for name, _ in names["s_axis"]] == ["in0_V", "in1_V"]
    assert (add.get_nodeattr("inFIFODepths"), add.get_nodeattr("outFIFODepths")) == ([2, 2], [2])


def test_measured_depths_keep_the_rate_in_finns_fifos(expected: np.ndarray, tmp_path: Path) -> None:
    model = residual_graph().transform(GiveUniqueNodeNames())
    plan = plan_of(model)
    assert join_depths(plan)[ADD][0] == NO_FIFO < join_depths(plan)[ADD][1]
    found = search_depths(model, plan_folding(plan), PART)
    # The longer way has two rows of its window before its first word: so much waits on the shorter one, and no frame.
    assert found.depths[ADD][0] == NO_FIFO and 2 * SIZE < found.depths[ADD][1] < 144
    measured = save(fold(model, with_depths(plan_folding(plan), found.depths), PART), tmp_path / "measured")
    result = run_rtlsim(measured, IMAGES, quick=True)
    np.testing.assert_array_equal(result.logits, expected)
    assert result.interval is not None
    assert result.interval <= MAX_SLOWDOWN * read_manifest(measured.path / "rtl").bound
    assert abs(result.interval - found.interval) <= 2
    stalled = run_rtlsim(measured, IMAGES, quick=True, stall_in=0.4, stall_out=0.4)
    np.testing.assert_array_equal(stalled.logits, expected)


def test_a_gauge_of_some_depth_is_finns_fifo_of_that_depth(expected: np.ndarray, tmp_path: Path) -> None:
    run = save(folded([3, 40]), tmp_path / "gauged")
    fifos = {node.name: node.core.stream_depth for node in read_graph(run.path / "graph.onnx").nodes}
    depths = {name: depth for name, depth in fifos.items() if depth}
    assert len(depths) > 2 and 40 in depths.values()
    with_gauges, held = run_gauged(run, IMAGES, depths)
    np.testing.assert_array_equal(with_gauges.logits, expected)
    assert all(0 < held[name] <= depth for name, depth in depths.items())
    own = run_rtlsim(run, IMAGES, quick=True)
    assert own.interval is not None and with_gauges.interval is not None
    assert abs(own.interval - with_gauges.interval) <= 2 and abs(own.latency - with_gauges.latency) <= 2 * len(depths)
    # Other depths need no other model; without room on the shorter way there is a deadlock.
    shallow = {name: 2 if depth == 40 else depth for name, depth in depths.items()}
    with pytest.raises(DeadlockError, match=r"in a deadlock after \d+ cycles; of its streams, full: "):
        run_gauged(run, IMAGES, shallow, patience=2000)
    # Words that come evenly, one frame in 1000 cycles, leave at that rate.
    paced, _ = run_gauged(run, IMAGES, depths, pace=1000)
    assert paced.interval == 1000


def test_depths_are_reduced_together_or_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search against a rule in the simulation's place: each FIFO needs so many words, and no more."""
    need = {("a", 0): 0, ("b", 0): 40, ("c", 0): 0, ("c", 1): 90, ("d", 0): 0, ("e", 0): 7}
    held = {("a", 0): 200, ("b", 0): 60, ("c", 0): 2, ("c", 1): 100, ("d", 0): 6, ("e", 0): 7}
    gauges = {port: f"{port[0]}{port[1]}" for port in need}
    result = RtlResult(np.zeros((5, 1), np.int32), 900, 100, 100, 1000, 1.0, 1.0)

    def simulate(_run: object, _images: object, depths: Mapping[str, int], **_options: object) -> object:
        given = {port: depths[name] for port, name in gauges.items()}
        if given["c", 1] < 30:
            raise DeadlockError("full")
        short = any(given[port] < words for port, words in need.items())
        slow = replace(result, interval=150, interval_max=150)
        return slow if short else result, {gauges[port]: words for port, words in held.items()}

    monkeypatch.setattr(fifo_depths, "run_gauged", simulate)
    stream = Stream(lanes=4, element_bits=4, signed=False, words=100)
    model = fifo_depths._GaugedModel(
        RunFolder(Path()), gauges, dict.fromkeys(gauges, stream), np.zeros((5, 1), np.uint8), bound=100
    )
    found = model.search()
    # Halved up to three times, small ones left out; two words more where FINN's FIFO is a memory.
    assert found.depths == {"a": [25], "b": [62], "c": [NO_FIFO, 102], "d": [NO_FIFO], "e": [7]}
    assert found.interval == 100 and found.runs < 30
    # A FIFO that needs one word more than ever waited in it: all get that word.
    need["b", 0] = 61
    model.runs = 0
    model.expected = None
    assert model.search().depths["b"] == [63]


def test_other_results_with_other_depths_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    model = residual_graph().transform(GiveUniqueNodeNames())
    folding = plan_folding(plan_of(model))
    results = iter(range(10))

    def simulate(_run: object, images: np.ndarray, depths: Mapping[str, int], **_options: object) -> object:
        logits = np.full((len(images), 1), next(results), np.int32)
        return RtlResult(logits, 9, 9, 9, 9, 1.0, 1.0), dict.fromkeys(depths, 5)

    monkeypatch.setattr(fifo_depths, "run_gauged", simulate)
    with pytest.raises(SimulationError, match=r"^the accelerator gives other results with other FIFO depths$"):
        measure_depths(model, folding, PART)


def test_depths_that_a_file_names_are_not_measured() -> None:
    plan = plan_of(residual_graph())
    chain = plan[:1]
    named = {"add": {"inFIFODepths": [2, 90]}}
    assert build._measures("auto", plan, {})
    assert not build._measures("auto", plan, named)
    assert not build._measures("planned", plan, {})
    assert build._measures("measured", plan, named)
    assert not build._measures("auto", chain, {})
    # Whoever set a depth, the estimate has it.
    planned = plan_resources(plan)
    assert planned == plan_resources(plan, planned_depths(plan))
    deep = plan_resources(plan, planned_depths(plan) | {"add": [2, 5000]})
    assert deep.bram36 > planned.bram36
