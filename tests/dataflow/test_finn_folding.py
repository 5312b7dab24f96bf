"""Foldings: from a target, a budget, a file in FINN's format; and the sentences for those that are not possible."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace

import numpy as np
import pytest
from finn.analysis.fpgadataflow.exp_cycles_per_layer import exp_cycles_per_layer
from finn.transformation.general import ApplyConfig
from finn.util.basic import getHWCustomOp
from finn_networks import map_sum, mini, vgg16, write_json

from bench.networks import integer_layer, run_of
from codegen.cores.core import divisors
from codegen.dataflow.build import build_graph
from codegen.dataflow.dataflow import load_model, to_dataflow
from codegen.dataflow.folding.layers import read_layers
from codegen.dataflow.folding.solver import (
    Solver,
    cost,
    fold_for_budget,
    fold_for_target,
    layer_options,
    plan_cycles,
    plan_resources,
)
from codegen.errors import FoldingError, UnknownBoardError
from codegen.fit import Resources
from codegen.network import IntegerNetwork
from codegen.render.render import render_sources
from codegen.results import FoldingResult
from codegen.verify.onnx_runtime import run_onnx
from codegen.verify.rtlsim import run_rtlsim
from sca_train.specs import IMAGE
from tests.report.run_folders import METRICS

PART = "xc7z020clg400-1"


@pytest.fixture
def run(tmp_path):
    return run_of(mini(), tmp_path / "run")


@pytest.fixture
def layers(run):
    return read_layers(to_dataflow(load_model(run.path / "model.onnx"), "rtl", PART))


def cores(graph):
    return {
        node.name: getHWCustomOp(node).core() for node in graph.graph.node if node.op_type.startswith("SpikingMVAU")
    }


def test_divisors():
    assert divisors(12) == (1, 2, 3, 4, 6, 12)
    assert divisors(1) == (1,)
    assert divisors(13) == (1, 13)


@pytest.mark.parametrize("target", [650, 1000, 2000, 10_000, 1_000_000])
def test_every_node_meets_the_target(run, target):
    graph = build_graph(run, target_cycles=target)
    assert max(graph.analysis(exp_cycles_per_layer).values()) <= target


@pytest.mark.parametrize("target", [96, 10_000])
def test_a_summed_map_is_folded_by_its_pixels_and_classes(tmp_path, target):
    """16 pixels of 6 channels take 96 / SIMD cycles whatever PE is: one class at a time is as fast and the cheapest."""
    layers = read_layers(to_dataflow(load_model(run_of(map_sum(), tmp_path / "run").path / "model.onnx"), "rtl", PART))
    alone = (replace(layers[-1], source=None),)
    readout = fold_for_target(alone, target)[0].core
    assert (readout.mw, readout.mh, readout.map_pixels) == (6, 10, 16)
    assert readout.cycles == 6 // readout.simd * 16 <= target
    assert (readout.simd, readout.pe) == (1, 1)
    with pytest.raises(FoldingError, match=r"layer 'readout' needs at least 16 cycles .* the target is 15"):
        fold_for_target(alone, 15)


def test_the_folding_for_a_target_is_the_cheapest(layers):
    plan = fold_for_target(layers, 2000)
    first = plan[0]
    fast_enough = [option for option in layer_options(layers[0]) if option.cycles <= 2000]
    assert len(fast_enough) > 5
    # With the layer's own words as they are, what stands behind it is the same.
    alike = [option for option in fast_enough if option.output_lanes == first.output_lanes]
    assert cost(first.resources({})) == min(cost(option.resources({})) for option in alike)
    assert cost(plan_resources(plan)) < cost(plan_resources(fold_for_target(layers, 700)))


def test_a_larger_budget_is_never_slower(layers):
    speeds = []
    smallest = plan_resources(Solver(layers).smallest()).lut
    for lut in (smallest, smallest + 200, smallest + 400, 40_000):
        plan = fold_for_budget(layers, Resources(lut, 10**6, 100, 0))
        assert plan is not None and plan_resources(plan).lut <= lut
        speeds.append(plan_cycles(plan))
    assert len(speeds) > 2
    assert speeds == sorted(speeds, reverse=True)
    assert speeds[0] > speeds[-1]
    assert fold_for_budget(layers, Resources(100, 10**6, 100, 0)) is None


def test_folding_file_round_trip(run, tmp_path):
    first = build_graph(run, target_cycles=1000)
    written = (run.path / "folding.json").read_text()
    assert json.loads(written)["Defaults"] == {}
    copy = tmp_path / "copy.json"
    copy.write_text(written)
    again = build_graph(run, folding_file=copy)
    assert cores(again) == cores(first)
    assert (run.path / "folding.json").read_text() == written
    assert [node.op_type for node in again.graph.node] == [node.op_type for node in first.graph.node]


def test_finn_reads_the_folding_file(run):
    folded = build_graph(run, target_cycles=1000)
    unfolded = to_dataflow(load_model(run.path / "model.onnx"), "rtl", PART)
    configured = unfolded.transform(ApplyConfig(str(run.path / "folding.json")))
    assert cores(configured) == cores(folded)


def test_defaults_of_a_file_apply_where_nodes_say_nothing(run, tmp_path):
    content = {"Defaults": {"PE": [2, "all"]}, "SpikingMVAU_rtl_1": {"PE": 3, "SIMD": 4, "TP": 2}}
    graph = build_graph(run, folding_file=write_json(tmp_path / "f.json", content))
    found = [(core.simd, core.pe, core.tp) for core in cores(graph).values()]
    assert found == [(1, 2, 4), (4, 3, 2), (1, 2, 4), (1, 2, 4)]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            {"SpikingMVAU_rtl_1": {"PE": 5}},
            r"layer 'conv2' \(SpikingMVAU_rtl_1\): PE=5 does not divide its 6 output channels; valid are 1, 2, 3, 6$",
        ),
        (
            {"SpikingMVAU_rtl_2": {"SIMD": 7}},
            r"layer 'conv3' .*: SIMD=7 does not divide its 54 inputs; valid are 1, 2, 3, 6, 9, 18, 27, 54$",
        ),
        (
            {"SpikingMVAU_rtl_1": {"TP": 3}},
            r"layer 'conv2' .*: TP=3 does not divide its 4 time steps; valid are 1, 2, 4$",
        ),
        (
            {"SpikingMVAU_rtl_0": {"TP": 2}},
            r"layer 'conv1' .*: TP=2 is not possible, its image is the same at every step; valid is 4$",
        ),
        (
            {"SpikingMVAU_rtl_3": {"TP": 1}},
            r"layer 'readout' .*: TP=1 is not possible, its spikes are counted over the steps first; valid is 4$",
        ),
        (
            {"ConvolutionInputGenerator_rtl_1": {"SIMD": 3}},
            r"ConvolutionInputGenerator_rtl_1 of layer 'conv2' .*: SIMD=3 does not divide its 4 channels; valid are",
        ),
        (
            {"SpikePool_rtl_0": {"PE": 3}},
            r"SpikePool_rtl_0 of layer 'conv1' .*: PE=3 does not divide its 4 channels; valid are 1, 2, 4$",
        ),
        ({"MVAU_rtl_0": {"PE": 1}}, r"names 'MVAU_rtl_0', which the graph does not have; it has .*SpikingMVAU_rtl_3"),
        ({"SpikingMVAU_rtl_0": {"M": 1}}, r"'SpikingMVAU_rtl_0' has no attribute 'M'; valid are SIMD, PE, TP"),
        ({"SpikingMVAU_rtl_0": {"PE": 0}}, r"PE=0 is not a positive integer"),
        ({"SpikingMVAU_rtl_0": {"PE": "2"}}, r"PE='2' is not a positive integer"),
        ({"SpikingMVAU_rtl_0": {"memStyle": "ultra"}}, r"memStyle='ultra' is not one of block, distributed"),
        ({"SpikingMVAU_rtl_0": {"useDsp": 1.0}}, r"useDsp=1\.0 is not one of 0, 1"),
        ({"SpikingMVAU_rtl_0": {"useDsp": True}}, r"useDsp=True is not one of 0, 1"),
        ({"SpikingMVAU_rtl_0": 3}, r"'SpikingMVAU_rtl_0' must hold an object of attributes"),
        ({"Defaults": {"PE": 2}}, r"default 'PE' must be \[value, "),
        ({"Defaults": {"SMID": [2, "all"]}}, r"no operator has the attribute 'SMID' of 'Defaults'; valid are .*SIMD"),
        ({"Defaults": {"PE": [2, ["MVAU"]]}}, r"default 'PE' is for the unknown operator 'MVAU'"),
        ({"Defaults": {"PE": [2, "SpikingMVAU"]}}, r"default 'PE' is for 'SpikingMVAU', which is neither"),
        ({"Defaults": {"PE": [3, 5]}}, r"default 'PE' is for 5, which is neither \"all\" nor a list of operators"),
        ({"SpikingMVAU_rtl_1": {"inFIFODepths": 4}}, r"inFIFODepths=4 is not a list of one depth$"),
        ({"SpikingMVAU_rtl_1": {"inFIFODepths": [4, 4]}}, r"inFIFODepths=\[4, 4\] is not a list of one depth$"),
        ({"SpikingMVAU_rtl_1": {"inFIFODepths": [10**30]}}, r"is not positive integers up to 1048576$"),
        ({"SpikingMVAU_rtl_1": {"inFIFODepths": [True]}}, r"\[True\] is not positive integers up to 1048576$"),
        ([1], r"must hold an object of node names, it holds a list"),
    ],
)
def test_impossible_foldings_are_one_sentence(run, tmp_path, content, sentence):
    with pytest.raises(FoldingError, match=sentence) as caught:
        build_graph(run, folding_file=write_json(tmp_path / "f.json", content))
    assert "\n" not in str(caught.value)
    assert [path.name for path in run.path.iterdir()] == ["model.onnx"]


def test_files_that_cannot_be_read_are_one_sentence(run, tmp_path):
    file = tmp_path / "odd.json"
    file.write_text('{"SpikingMVAU_rtl_0": {"PE": 1, "PE": 2}}')
    with pytest.raises(FoldingError, match=r"odd.json is not JSON: it holds 'PE' 2 times$"):
        build_graph(run, folding_file=file)
    file.write_text("[" * 100_000)
    with pytest.raises(FoldingError, match=r"odd.json is nested too deeply$"):
        build_graph(run, folding_file=file)
    file.write_bytes(b'{"\xff": 1}')
    with pytest.raises(FoldingError, match=r"odd.json is not JSON: .*can't decode"):
        build_graph(run, folding_file=file)
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(FoldingError, match=r"pipe.json is a pipe, not a regular file$"):
        build_graph(run, folding_file=tmp_path / "pipe.json")
    with pytest.raises(FoldingError, match=r"folding file .*nowhere.json cannot be read: No such file"):
        build_graph(run, folding_file=tmp_path / "nowhere.json")
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(FoldingError, match=r"broken.json is not JSON"):
        build_graph(run, folding_file=broken)


def test_a_product_straight_behind_a_pool_gets_a_row_in_advance(tmp_path):
    """A pool gives a row at once and then nothing for as long as its rows are high; a window would hold that row."""
    rng = np.random.default_rng(0)
    layers = (
        integer_layer(rng, "conv1", IMAGE, (8, 1, 3, 3), bits=8, padding=1, pool=2),
        integer_layer(rng, "conv2", "conv1", (16, 8, 1, 1)),
        integer_layer(rng, "readout", "conv2", (10, 16), neuron="none", map_pixels=64),
    )
    run = run_of(IntegerNetwork((16, 16, 1), True, 4, 4, 10, layers), tmp_path / "pooled")
    build_graph(run, board=None, target_cycles=2400)
    folding = json.loads((run.path / "folding.json").read_text())
    assert folding["SpikingMVAU_rtl_1"]["inFIFODepths"] == [8 * 8 // folding["SpikingMVAU_rtl_1"]["SIMD"]]
    render_sources(run)
    images = rng.integers(0, 256, (4, 16, 16, 1), dtype=np.uint8)
    result = run_rtlsim(run, images, quick=True)
    assert result.interval <= 1.02 * FoldingResult.load(run).bound
    np.testing.assert_array_equal(result.logits, run_onnx(run.path / "model.onnx", images))


def test_measured_depths_are_those_of_graph_folding_and_estimate(run, tmp_path):
    deep = {"SpikingMVAU_rtl_1": [5000]}
    asked = []

    def measure(model, folding, part):
        asked.append((folding["SpikingMVAU_rtl_1"]["PE"], part))
        return deep

    build_graph(run, target_cycles=2000, fifo_depths="auto", measure=measure)
    planned = FoldingResult.load(run)
    assert not asked, "a chain keeps its rate with planned depths"
    graph = build_graph(run, target_cycles=2000, fifo_depths="measured", measure=measure)
    assert len(asked) == 1
    assert 5000 in [
        getHWCustomOp(node).get_nodeattr("depth") for node in graph.get_nodes_by_op_type("StreamingFIFO_rtl")
    ]
    folding = json.loads((run.path / "folding.json").read_text())
    assert folding["SpikingMVAU_rtl_1"]["inFIFODepths"] == [5000]
    measured = FoldingResult.load(run)
    assert measured.estimate.bram36 > planned.estimate.bram36
    # A file's own depths stand, and count; where they do not fit the board that is said.
    file = write_json(tmp_path / "own.json", {"SpikingMVAU_rtl_1": {"inFIFODepths": [70]}})
    build_graph(run, folding_file=file, fifo_depths="measured", measure=measure)
    assert json.loads((run.path / "folding.json").read_text())["SpikingMVAU_rtl_1"]["inFIFODepths"] == [70]
    write_json(file, {"SpikingMVAU_rtl_1": {"inFIFODepths": [1_000_000]}})
    with pytest.raises(FoldingError, match=r"by estimate, .*BRAM36"):
        build_graph(run, folding_file=file)


def test_a_target_that_no_folding_meets_is_one_sentence(run):
    with pytest.raises(FoldingError, match=r"layer 'conv1' needs at least 590 cycles per frame .* the target is 10$"):
        build_graph(run, target_cycles=10)
    with pytest.raises(FoldingError, match=r"a target of 0 cycles per frame is not possible, it must be at least 1"):
        build_graph(run, target_cycles=0)


def test_a_share_of_the_board_is_kept_or_refused(run):
    build_graph(run, lut_share=0.3)
    before = (run.path / "graph.onnx").read_bytes()
    assert json.loads((run.path / "results" / "folding.json").read_text())["estimate"]["lut"] <= 0.3 * 53_200
    with pytest.raises(
        FoldingError, match=r"no folding stays within 53 LUTs, the share 0\.001 of Pynq-Z2; the smallest"
    ):
        build_graph(run, lut_share=0.001)
    with pytest.raises(FoldingError, match=r"a share of a board's LUTs was asked for without a board"):
        build_graph(run, board="none", lut_share=0.5)
    assert (run.path / "graph.onnx").read_bytes() == before


def test_the_share_that_is_said_to_fit_is_the_smallest(run):
    with pytest.raises(FoldingError, match=r"; LUT_SHARE=0\.\d+, or BOARD=.* would fit$|; LUT_SHARE=.* fit$") as caught:
        build_graph(run, lut_share=0.01)
    share = float(re.findall(r"LUT_SHARE=([\d.]+)", str(caught.value))[0])
    build_graph(run, lut_share=share)
    with pytest.raises(FoldingError, match="no folding stays within"):
        build_graph(run, lut_share=share - 0.001)


def test_no_more_than_the_fill_is_used(run):
    build_graph(run, lut_share=0.3, fill=0.022)
    filled = FoldingResult.load(run).estimate
    assert filled.bram36 <= 0.022 * 140 and filled.ff <= 0.022 * 106_400
    build_graph(run, lut_share=0.3)
    assert FoldingResult.load(run).estimate.lut < filled.lut
    build_graph(run, target_cycles=10_000, fill=0.02)
    with pytest.raises(
        FoldingError, match=r"no folding for 590 cycles .* within 0.01 of .* of Pynq-Z2; FILL=1.* would"
    ):
        build_graph(run, target_cycles=590, fill=0.01)
    with pytest.raises(FoldingError, match=r"a fill of a board's resources was asked for without a board; name one"):
        build_graph(run, board="none", fill=0.5)
    with pytest.raises(FoldingError, match=r"a fill of a board's resources was asked for with a folding file"):
        build_graph(run, folding_file=run.path / "folding.json", fill=0.5)


def test_a_network_too_large_for_the_board_says_by_how_much_and_what_would_fit(tmp_path):
    run = run_of(vgg16(0.5), tmp_path / "run")
    # Pruned to half by the memory of another board: the advice is scaled from there, not from the option's value.
    (run.path / "config.toml").write_text('ratio = 0.0\nbudget = "ZCU104"\nweight_bits = 4\n')
    write_json(run.path / "metrics.json", {**METRICS, "ratio": 0.5})
    with pytest.raises(FoldingError, match=r"does not fit Pynq-Z2: it needs .* of 140 BRAM36 .* too many.*RATIO=0\.7"):
        build_graph(run, board="Pynq-Z2")
    assert not (run.path / "graph.onnx").exists()


def test_an_unknown_board_is_refused(run):
    with pytest.raises(UnknownBoardError, match=r"Pynq-Z9.*known boards are Pynq-Z1"):
        build_graph(run, board="Pynq-Z9")
