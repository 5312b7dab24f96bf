"""A graph with a fork and a join, through folding, FINN's execution, both renderings and both simulators."""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
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

from codegen.dataflow.dataflow import fold
from codegen.dataflow.environment import build_folder, quiet
from codegen.dataflow.folding.file import plan_folding, read_folding, write_folding
from codegen.dataflow.folding.from_file import explicit, plan_from_file
from codegen.dataflow.folding.joins import join_depths, join_resources
from codegen.dataflow.folding.layers import Source, read_layers
from codegen.dataflow.folding.plan import NO_FIFO
from codegen.dataflow.folding.solver import fold_for_target, plan_resources
from codegen.dataflow.passes.check_streams import CheckStreams
from codegen.errors import FoldingError, MappingError, SimulationError
from codegen.render.graph import read_graph
from codegen.render.manifest import read_manifest
from codegen.render.render import render_sources
from codegen.run_folder import RunFolder
from codegen.verify import fifo_depths
from codegen.verify.csim import run_csim, vendor_headers
from codegen.verify.fifo_depths import measure_depths
from codegen.verify.rtlsim import RtlResult, run_rtlsim, verilator_program, write_waivers

PART = "xc7z020clg400-1"
IMAGES = np.random.default_rng(3).integers(0, 256, (6, SIZE, SIZE, 3)).astype(np.uint8)
TARGET = 400


def folded(depths: list[int]) -> ModelWrapper:
    """The graph folded for TARGET cycles, with FIFOs of these depths before the addition."""
    model = residual_graph()
    folding: dict[str, Mapping[str, Any]] = dict(plan_folding(fold_for_target(read_layers(model), TARGET)))
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
    layers = read_layers(residual_graph())
    stem, conv = fold_for_target(layers, TARGET)
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
    before_join = join_resources((stem, conv))
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
    result = run_rtlsim(run, IMAGES, stall_in=stall_in, stall_out=stall_out, seed=seed)
    np.testing.assert_array_equal(result.logits, expected)


def test_a_fifo_that_is_too_small_is_a_deadlock_between_named_streams(tmp_path: Path) -> None:
    run = save(folded([2, 4]), tmp_path / "small")
    with pytest.raises(SimulationError, match="is in a deadlock after") as caught:
        run_rtlsim(run, IMAGES)
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


def test_depths_before_a_join_are_guessed_and_measured(expected: np.ndarray, tmp_path: Path) -> None:
    model = residual_graph()
    plan = fold_for_target(read_layers(model), TARGET)
    guess = join_depths(plan)["add"]
    assert guess[0] == NO_FIFO < guess[1]
    found = measure_depths(model, plan_folding(plan), PART, IMAGES, tmp_path / "fifos")
    assert found.depths["add"] == found.folding["add"]["inFIFODepths"]
    np.testing.assert_array_equal(found.measured.logits, expected)
    # The rate is that without any limit.
    assert found.measured.interval == found.unbounded.interval
    # The guess is what the branch needs, and the measurement what a fork that runs ahead puts there.
    assert NO_FIFO < guess[1] <= found.depths["add"][1] < 2 * 144
    guessed = save(fold(residual_graph(), plan_folding(plan), PART), tmp_path / "guessed")
    result = run_rtlsim(guessed, IMAGES)
    np.testing.assert_array_equal(result.logits, expected)
    assert result.interval == found.unbounded.interval


def test_a_measurement_that_says_nothing_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = residual_graph()
    folding = plan_folding(fold_for_target(read_layers(model), TARGET))
    result = RtlResult(np.zeros((1, 1), np.int32), 1, 1, 1, 1, 1.0, 1.0)
    most = {"first": 288}
    monkeypatch.setattr(fifo_depths, "count_occupancy", lambda *_: (result, defaultdict(lambda: most["first"])))
    with pytest.raises(SimulationError, match=r"^the FIFO of 288 words before input 0 of add was full$"):
        measure_depths(model, folding, PART, IMAGES, tmp_path / "full")
    most["first"] = 5
    other = replace(result, logits=result.logits + 1)
    monkeypatch.setattr(fifo_depths, "run_rtlsim", lambda *_, stall_in=0.0, **__: other if stall_in else result)
    with pytest.raises(SimulationError, match=r"gives other results under back-pressure$"):
        measure_depths(model, folding, PART, IMAGES, tmp_path / "other")
    graph = read_graph(tmp_path / "other" / "measured" / "graph.onnx")
    add = next(node for node in graph.nodes if len(node.core.inputs) > 1)
    before = [graph.edges[edge].producer for edge in graph.inputs_of(add)]
    assert [node and node.core.stream_depth for node in before] == [6, 6]
