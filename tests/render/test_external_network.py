"""Networks whose weights are not on the chip: both simulators give ONNX Runtime's logits, at the stated bandwidth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.networks import integer_layer, random_images, run_of
from codegen.dataflow.build import DEFAULT_PART, build_graph
from codegen.dataflow.dataflow import load_model, to_dataflow
from codegen.dataflow.folding.choose import FoldingRequest, WeightPlaces, choose_folding, front_of
from codegen.dataflow.folding.solver import Plan, plan_resources, within
from codegen.digests import sources_digest
from codegen.errors import FoldingError, RenderError
from codegen.fit import estimated_budget
from codegen.network import IntegerNetwork
from codegen.neurons import NO_NEURON
from codegen.pruning import pruning_of
from codegen.render.manifest import read_manifest
from codegen.render.render import render_sources
from codegen.results import FoldingResult, FrontPoint
from codegen.run_folder import RunFolder
from codegen.verify.csim import run_csim
from codegen.verify.onnx_runtime import run_onnx
from codegen.verify.rtlsim import run_rtlsim
from codegen.weight_bus import bus_cycles, frame_beats, region_bytes, slot_bits
from fpga.boards import get_board
from tests.render.external_run import external_network, external_run

IMAGES = 4
MOST_SLOWER = 1.02


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return external_run(tmp_path_factory.mktemp("runs") / "external")


def test_both_simulators_give_onnx_runtimes_logits(run: RunFolder) -> None:
    images = random_images(external_network(), IMAGES)
    golden = run_onnx(run.path / "model.onnx", images)
    assert len(np.unique(golden, axis=0)) == IMAGES
    assert np.array_equal(run_csim(run, images, quick=True).logits, golden)
    rtl = run_rtlsim(run, images, quick=True)
    assert np.array_equal(rtl.logits, golden)
    manifest = read_manifest(run.path / "rtl")
    assert rtl.interval is not None and rtl.interval <= MOST_SLOWER * manifest.bound
    stalled = run_rtlsim(run, images, quick=True, stall_in=0.3, stall_out=0.3, seed=1)
    assert np.array_equal(stalled.logits, golden)


def test_weights_that_come_slower_than_they_are_used_set_the_pace(run: RunFolder, tmp_path: Path) -> None:
    fast = run_of(external_network(), tmp_path / "fast")
    build_graph(fast, target_cycles=400, weights="external")
    folding = FoldingResult.load(fast)
    assert folding is not None
    slowest = bus_cycles(folding.weight_beats)
    build_graph(fast, target_cycles=slowest, weights="external")
    render_sources(fast)
    manifest = read_manifest(fast.path / "rtl")
    assert manifest.bound == slowest > max(node.cycles for node in manifest.nodes)
    images = random_images(external_network(), 8)
    rtl = run_rtlsim(fast, images, quick=True)
    assert np.array_equal(rtl.logits, run_onnx(fast.path / "model.onnx", images))
    assert rtl.interval is not None and slowest <= rtl.interval <= 1.05 * slowest
    with pytest.raises(FoldingError, match=rf"the weights that are not on the chip take {slowest} cycles per frame"):
        build_graph(fast, board="none", target_cycles=slowest - 1, weights="external")


def test_each_weight_is_read_once_a_frame(run: RunFolder) -> None:
    manifest = read_manifest(run.path / "rtl")
    assert [region.node for region in manifest.weights] == [f"SpikingMVAU_rtl_{index}" for index in range(4)]
    weights = [8 * 2 * 9, 16 * 8 * 9, 16 * 16 * 9, 4 * 64]
    for region, count in zip(manifest.weights, weights, strict=True):
        assert region.words * region.word_bits == 4 * count
        assert region.beats == frame_beats(region.word_bits, region.words)
    last = manifest.weights[-1]
    size = (last.first_burst + last.bursts) * 16 * 8
    assert (run.path / "rtl" / "weights.bin").stat().st_size == size
    assert (run.path / "rtl" / "weights.bin").read_bytes() == (run.path / "hls" / "weights.bin").read_bytes()


def test_other_weights_are_other_sources(run: RunFolder) -> None:
    image = run.path / "rtl" / "weights.bin"
    before, content = sources_digest(run.path / "rtl"), image.read_bytes()
    image.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    assert sources_digest(run.path / "rtl") != before
    image.unlink()
    with pytest.raises(RenderError, match=r"names weights.bin, which is no file"):
        read_manifest(run.path / "rtl")
    image.write_bytes(content)


@pytest.mark.parametrize("bits", [1, 2, 3, 5, 8, 12, 16, 33, 64, 65, 128, 200])
def test_words_lie_in_slots(bits: int) -> None:
    rng = np.random.default_rng(bits)
    words = [int.from_bytes(rng.bytes(32), "little") % (1 << bits) for _ in range(37)]
    packed = np.array([list(word.to_bytes(-(-bits // 8), "little")) for word in words], np.uint8)
    region = int.from_bytes(region_bytes(packed, bits).tobytes(), "little")
    slot = slot_bits(bits)
    assert bits <= slot < max(2 * bits, bits + 64) and (64 % slot == 0 or slot % 64 == 0)
    assert [region >> (slot * index) & ((1 << bits) - 1) for index in range(len(words))] == words
    assert frame_beats(bits, len(words)) == -(-len(words) * slot // 64)


def test_weights_on_the_chip_stay_there_while_they_fit(tmp_path: Path) -> None:
    made = run_of(external_network(), tmp_path / "auto")
    build_graph(made, target_cycles=1600, weights="auto")
    chosen = FoldingResult.load(made)
    build_graph(made, target_cycles=1600)
    on_chip = FoldingResult.load(made)
    assert chosen is not None and on_chip is not None
    assert chosen.nodes == on_chip.nodes and chosen.weight_beats == 0


@pytest.mark.parametrize(("bram36", "outside"), [(6, []), (3, ["fc0"]), (1, ["fc0", "fc1"])])
def test_as_few_layers_as_needed_are_outside(bram36: int, outside: list[str], tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    layers = (
        integer_layer(rng, "conv0", "image", (8, 2, 3, 3), padding=1),
        integer_layer(rng, "fc0", "conv0", (128, 128), bits=8),
        integer_layer(rng, "fc1", "fc0", (64, 128), bits=8),
        integer_layer(rng, "readout", "fc1", (4, 64), neuron=NO_NEURON),
    )
    made = run_of(IntegerNetwork((4, 4, 2), True, 4, 4, 4, layers), tmp_path / "few")
    small = replace(get_board("Pynq-Z2"), lut=3000, bram36=bram36)

    def folded(weights: WeightPlaces) -> tuple[Plan, tuple[FrontPoint, ...]]:
        model = to_dataflow(load_model(made.path / "model.onnx"), "rtl", DEFAULT_PART)
        request = FoldingRequest(small, 20_000, None, weights=weights)
        choice = choose_folding(model, request, pruning_of(made))
        return choice.plan, front_of(choice, request)

    plan, front = folded("auto")
    assert [layer_plan.layer.name for layer_plan in plan if layer_plan.core.weight_beats] == outside
    assert within(plan_resources(plan), estimated_budget(small))
    assert any(point.cycles <= 20_000 for point in front)
    assert all(point.bram36 <= bram36 for point in front)
    if outside:
        with pytest.raises(FoldingError, match=r"the network does not fit Pynq-Z2.*WEIGHTS=auto.* would fit"):
            folded("chip")


def test_what_is_not_possible_is_one_sentence(run: RunFolder) -> None:
    with pytest.raises(FoldingError, match=r"ULX3S-85F has no memory port to read weights through; WEIGHTS=chip, or a"):
        build_graph(run, board="ULX3S-85F", weights="auto")
    with pytest.raises(FoldingError, match=r"WEIGHTS=external was asked for with a folding file; it sets memStyle of"):
        build_graph(run, folding_file=run.path / "folding.json", weights="external")
