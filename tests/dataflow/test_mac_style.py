"""Where sums are accumulated: what the solver chooses, what a folding file may say, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from finn_networks import mini

from bench.networks import random_images, run_of
from codegen.cores.dsp_sums import dsp_slices
from codegen.cores.spiking_mvau import SpikingMVAU
from codegen.dataflow.build import DEFAULT_PART, build_graph
from codegen.dataflow.dataflow import load_model, to_dataflow
from codegen.dataflow.folding.choose import FoldingRequest, choose_folding
from codegen.dataflow.folding.options import MacPlaces
from codegen.dataflow.folding.solver import Plan, plan_cycles, plan_resources, within
from codegen.errors import FoldingError, SynthesisError
from codegen.fit import estimated_budget
from codegen.pruning import pruning_of
from codegen.render.render import render_sources
from codegen.results import FoldingResult
from codegen.run_folder import RunFolder
from codegen.synthesis.stage import synthesise
from codegen.verify.onnx_runtime import run_onnx
from codegen.verify.rtlsim import run_rtlsim
from fpga.boards import get_board

TARGET = 4000


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return run_of(mini(), tmp_path_factory.mktemp("mac") / "mini")


@pytest.fixture(scope="module")
def in_slices(run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    made = run_of(mini(), tmp_path_factory.mktemp("mac") / "slices")
    build_graph(made, target_cycles=TARGET, mac="dsp")
    render_sources(made)
    return made


def _plan(run: RunFolder, mac: MacPlaces, dsp: int = 220) -> Plan:
    model = to_dataflow(load_model(run.path / "model.onnx"), "rtl", DEFAULT_PART)
    board = replace(get_board("Pynq-Z2"), dsp=dsp)
    plan = choose_folding(model, FoldingRequest(board, TARGET, None, fill=1.0, mac=mac), pruning_of(run)).plan
    assert within(plan_resources(plan), estimated_budget(board))
    return plan


def _cores(plan: Plan) -> list[SpikingMVAU]:
    return [layer_plan.core for layer_plan in plan if isinstance(layer_plan.core, SpikingMVAU)]


def test_slices_are_taken_where_they_save_luts_and_as_far_as_there_are_some(run: RunFolder) -> None:
    in_luts, everything = _plan(run, "lut"), _plan(run, "auto")
    assert plan_resources(in_luts).dsp == 0
    wanted = plan_resources(everything).dsp
    assert wanted > 1
    assert plan_resources(everything).lut < plan_resources(in_luts).lut
    some = _plan(run, "auto", dsp=wanted - 1)
    assert 0 < plan_resources(some).dsp < wanted
    assert plan_resources(everything).lut <= plan_resources(some).lut <= plan_resources(in_luts).lut
    none = _plan(run, "auto", dsp=0)
    assert plan_resources(none) == plan_resources(in_luts)
    assert all(plan_cycles(plan) <= TARGET for plan in (in_luts, everything, some))


def test_every_core_that_can_has_its_sums_in_slices(run: RunFolder) -> None:
    cores = _cores(_plan(run, "dsp"))
    assert cores and all(core.mac_style == "dsp" for core in cores)
    assert all(core.use_dsp == core.multiplies for core in cores)
    two_bits = replace(next(core for core in cores if core.multiplies), weight_bits=2, constants=None)
    assert not any(core.use_dsp for core in replace(two_bits, use_dsp=False).dsp_choices())


def test_more_slices_than_the_board_has_are_refused(run: RunFolder) -> None:
    with pytest.raises(FoldingError, match=r"^no folding for 4000 cycles per frame stays within 1 of the|does not fit"):
        _plan(run, "dsp", dsp=0)


def test_the_network_computes_the_same(in_slices: RunFolder) -> None:
    estimate = FoldingResult.load(in_slices)
    assert estimate is not None and estimate.estimate.dsp > 0
    images = random_images(mini(), 3)
    assert np.array_equal(run_rtlsim(in_slices, images).logits, run_onnx(in_slices.path / "model.onnx", images))


def test_a_folding_file_sets_each_layer(run: RunFolder, in_slices: RunFolder, tmp_path: Path) -> None:
    folding = json.loads((in_slices.path / "folding.json").read_text())
    layers = {name: values for name, values in folding.items() if "macStyle" in values}
    assert {values["macStyle"] for values in layers.values()} == {"dsp"}
    file = tmp_path / "folding.json"
    file.write_text(json.dumps(folding))
    build_graph(run, folding_file=file)
    again, asked = FoldingResult.load(run), FoldingResult.load(in_slices)
    assert again is not None and asked is not None and again.estimate.dsp == asked.estimate.dsp
    assert json.loads((run.path / "folding.json").read_text()) == folding

    for values in layers.values():
        del values["macStyle"]
    file.write_text(json.dumps(folding))
    build_graph(run, folding_file=file)
    older = FoldingResult.load(run)
    assert older is not None and older.estimate.dsp < again.estimate.dsp


def test_slices_of_a_network_are_those_of_its_cores(in_slices: RunFolder, run: RunFolder) -> None:
    cores = _cores(_plan(run, "dsp"))
    products = sum(core.pe * core.simd for core in cores if core.use_dsp)
    assert plan_resources(_plan(run, "dsp")).dsp == products + sum(dsp_slices(core) for core in cores)


def test_boards_without_dsp48(run: RunFolder, in_slices: RunFolder) -> None:
    with pytest.raises(FoldingError, match=r"^ULX3S-85F has no DSP48 slices to accumulate sums in; MAC=lut, or a Zynq"):
        build_graph(run, board="ULX3S-85F", target_cycles=TARGET, mac="dsp")
    build_graph(run, board="ULX3S-85F", target_cycles=TARGET, mac="auto")
    found = FoldingResult.load(run)
    assert found is not None and found.estimate.dsp == 0
    with pytest.raises(FoldingError, match=r"^the folding file gives SpikingMVAU_rtl_0 macStyle 'dsp', and ULX3S"):
        build_graph(run, board="ULX3S-85F", folding_file=in_slices.path / "folding.json")
    with pytest.raises(SynthesisError, match=r"^the sums of SpikingMVAU_rtl_0, .* DSP48 slices, which ULX3S"):
        synthesise(in_slices, "ULX3S-85F")


def test_what_is_not_possible_is_one_sentence(run: RunFolder, in_slices: RunFolder) -> None:
    file = in_slices.path / "folding.json"
    with pytest.raises(FoldingError, match=r"^MAC=auto was asked for with a folding file; it sets macStyle"):
        build_graph(run, folding_file=file, mac="auto")
    with pytest.raises(FoldingError, match=r"^sums in DSP slices \(MAC, macStyle\) are of the RTL; with IMPL=hls"):
        build_graph(run, target_cycles=TARGET, mac="dsp", impl="hls")
