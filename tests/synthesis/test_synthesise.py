"""The stage on a small run folder, with Yosys: resources, both families, cache, ROM contents, and what does not fit."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codegen.cores.core import Core, Stream
from codegen.cores.spike_pool import SpikePool
from codegen.cores.spiking_mvau import SpikingMVAU
from codegen.digests import sources_digest
from codegen.errors import RunFolderError, SynthesisError, UnknownBoardError
from codegen.hardware_results import SynthesisResult
from codegen.neurons import Constants
from codegen.render.manifest import Manifest, RenderedNode, write_manifest
from codegen.run_folder import RunFolder
from codegen.synthesis import synthesise
from codegen.synthesis.cache import SynthesisCache
from codegen.synthesis.yosys import CoreSources, SynthesisedCore, content_key, synthesise_core
from fpga.boards import BOARDS, Board, Family
from hls_templates import RTL_DIR

CORE = SpikingMVAU(
    name="layer_0",
    mw=16,
    mh=32,
    simd=1,
    pe=1,
    timesteps=2,
    tp=2,
    static_input=False,
    input_bits=1,
    neuron="IF",
    leak_shift=0,
    reset="hard",
    frac_bits=4,
    weight_bits=4,
    acc_bits=8,
    potential_bits=14,
    bias_bits=8,
    threshold_bits=12,
    output_bits=2,
    vectors=4,
    memory_style="distributed",
)
POOL = SpikePool(name="pool_0", height=4, width=4, channels=4, kernel=2, pe=2, timesteps=2)
STREAM = Stream(lanes=1, element_bits=2, signed=False, words=64)
LIMIT_SECONDS = 300.0


def random_weights(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-7, 8, (CORE.mh, CORE.mw))


def add_core(rtl: Path, core: Core) -> RenderedNode:
    for name in core.sources["rtl"]:
        shutil.copyfile(RTL_DIR / name, rtl / name)
    rendered = core.render("rtl", rtl)
    return RenderedNode(
        name=core.name,
        op=f"{core.op}_rtl",
        module=core.name,
        files=(*core.sources["rtl"], *rendered.sources),
        data_files=rendered.data_files,
        inputs=(STREAM,),
        outputs=(STREAM,),
        cycles=core.cycles,
        parameters=core.parameters(),
    )


def add_mvau(rtl: Path, core: SpikingMVAU, weights: np.ndarray) -> RenderedNode:
    return add_core(rtl, replace(core, constants=Constants(weights, np.arange(core.mh), np.arange(core.mh) + 20)))


def sources(node: RenderedNode, rtl: Path) -> CoreSources:
    return CoreSources(op=node.op, module=node.module, root=rtl, files=(*node.files, *node.data_files))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run folder with one core and twice the same pooling under two names."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    rtl = folder / "rtl"
    rtl.mkdir(parents=True)
    (folder / "config.toml").write_text("ratio = 0.5\nweight_bits = 4\n")
    nodes = (add_mvau(rtl, CORE, random_weights(0)), add_core(rtl, POOL), add_core(rtl, replace(POOL, name="pool_1")))
    manifest = Manifest(top="accelerator", bound=1, input=STREAM, output=STREAM, files=(), nodes=nodes, edges=())
    write_manifest(manifest, rtl)
    return RunFolder(folder)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> SynthesisCache:
    return SynthesisCache(tmp_path_factory.mktemp("cache"))


def test_stage_sums_its_cores_and_repeats_nothing(
    run: RunFolder, cache: SynthesisCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = synthesise(run, "pynq-z2", jobs=2, cache=cache)
    core, pool, same = first.cores
    assert (core.pe, core.simd, core.tp, core.cycles) == (1, 1, 2, CORE.cycles)
    assert pool.resources == same.resources
    assert min(core.lut, core.ff, pool.lut, pool.ff) > 0
    assert len(list(cache.folder.iterdir())) == 2, "identical cores share one result"

    saved = json.loads((run.path / "results" / "synth.json").read_text())
    assert saved["board"] == "Pynq-Z2"
    assert saved["part"] == "xc7z020clg400-1"
    assert saved["tool"].startswith("yosys 0.")
    assert saved["total"] == {
        key: sum(entry[key] for entry in saved["cores"]) for key in ("lut", "ff", "bram36", "dsp")
    }
    assert saved["budget"] == {"lut": 53_200, "ff": 106_400, "bram36": 140, "dsp": 220}
    assert saved["fits"] is True
    assert all(0.5 < entry["period_ns"] < 12.0 and entry["critical_end"] for entry in saved["cores"])
    limit = saved["timing"]
    assert limit["period_ns"] == max(entry["period_ns"] for entry in saved["cores"])
    assert (limit["target_ns"], limit["met"], limit["speed_grade"], limit["part_speed_grade"]) == (10.0, True, "1", "1")
    assert saved["sources_sha256"] == sources_digest(run.path / "rtl")
    assert SynthesisResult.load(run) == first

    def reject(*_: object) -> None:
        raise AssertionError("a cached core was synthesised again")

    monkeypatch.setattr("codegen.synthesis.stage.synthesise_core", reject)
    again = synthesise(run, "Pynq-Z1", jobs=2, cache=cache)
    assert [entry.resources for entry in again.cores] == [entry.resources for entry in first.cores]
    assert all(entry.cached for entry in again.cores)


def test_a_core_whose_yosys_was_ended_gets_a_second_chance_alone(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    started: list[str] = []

    def end_the_first(core: CoreSources, family: Family, timeout: float) -> SynthesisedCore:
        started.append(core.module)
        with pytest.MonkeyPatch.context() as patch:
            if len(started) == 1:
                patch.setattr("codegen.synthesis.yosys._RUN_YOSYS", killed)
            return synthesise_core(core, family, timeout)

    monkeypatch.setattr("codegen.synthesis.stage.synthesise_core", end_the_first)
    result = synthesise(run, "Pynq-Z2", jobs=1, cache=SynthesisCache(tmp_path))
    assert len(started) == len({*started}) + 1
    assert all(core.lut > 0 for core in result.cores)

    monkeypatch.setattr("codegen.synthesis.yosys._RUN_YOSYS", killed)
    monkeypatch.setattr("codegen.synthesis.stage.start_yosys", lambda: None)
    with pytest.raises(SynthesisError, match="signal SIGKILL; most often memory is short"):
        synthesise(run, "Pynq-Z2", jobs=1, cache=SynthesisCache(tmp_path / "empty"))


def test_ultrascale_plus(run: RunFolder, cache: SynthesisCache) -> None:
    result = synthesise(run, "KV260", jobs=2, cache=cache)
    assert result.family == "xcup"
    assert result.total.lut > 0


def test_too_small_a_board_is_told_after_saving(
    run: RunFolder, cache: SynthesisCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = Board("Tiny", "Tiny", "none", "xc7", lut=10, ff=10_000, bram36=10, uram=0, dsp=10, clock_mhz=100)
    monkeypatch.setattr("fpga.boards.BOARDS", (tiny, *BOARDS))
    with pytest.raises(SynthesisError, match=r"does not fit Tiny: it needs [\d,]+ of 10 LUT .*BOARD=Pynq-Z1 or "):
        synthesise(run, "Tiny", cache=cache)
    saved = json.loads((run.path / "results" / "synth.json").read_text())
    assert saved["board"] == "Tiny"
    assert saved["fits"] is False


def test_rom_contents_survive(tmp_path: Path) -> None:
    """Equal weights leave nothing to store; different ones cost LUTs; a block ROM costs a block RAM."""
    random = add_mvau(tmp_path, replace(CORE, name="random"), random_weights(1))
    constant = add_mvau(tmp_path, replace(CORE, name="constant"), np.full((CORE.mh, CORE.mw), 3))
    block = add_mvau(tmp_path, replace(CORE, name="block", memory_style="block"), random_weights(1))
    uses = [
        synthesise_core(sources(node, tmp_path), "xc7", LIMIT_SECONDS).use.resources
        for node in (random, constant, block)
    ]
    assert uses[0].lut > uses[1].lut + 20
    assert [use.bram36 for use in uses] == [0, 0, 0.5]


def test_key_depends_on_contents_and_family_but_not_on_the_name(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for folder in folders:
        folder.mkdir()
    base = sources(add_mvau(folders[0], replace(CORE, name="core_1"), random_weights(1)), folders[0])
    renamed = sources(add_mvau(folders[1], replace(CORE, name="core_12"), random_weights(1)), folders[1])
    other = sources(add_mvau(folders[2], replace(CORE, name="core_1"), random_weights(2)), folders[2])
    assert content_key(base, "xc7") == content_key(renamed, "xc7")
    assert len({content_key(base, "xc7"), content_key(base, "xcup"), content_key(other, "xc7")}) == 3


def test_bad_source_names_the_core_and_the_complaint(tmp_path: Path) -> None:
    (tmp_path / "broken.sv").write_text("module broken(input logic a; endmodule\n")
    core = CoreSources(op="SpikePool_rtl", module="broken", root=tmp_path, files=("broken.sv",))
    with pytest.raises(SynthesisError, match=r"^Yosys rejects broken \(SpikePool_rtl\): .*broken\.sv:1"):
        synthesise_core(core, "xc7", LIMIT_SECONDS)


def test_time_limit(tmp_path: Path) -> None:
    node = add_core(tmp_path, POOL)
    with pytest.raises(SynthesisError, match=r"^Yosys did not finish pool_0 \(SpikePool_rtl\) within 0\.01 seconds"):
        synthesise_core(sources(node, tmp_path), "xc7", 0.01)


def test_run_without_rtl_and_unknown_board(tmp_path: Path, run: RunFolder) -> None:
    (tmp_path / "early").mkdir()
    with pytest.raises(RunFolderError, match="has no rtl; run `make hls RUN=early` first"):
        synthesise(RunFolder(tmp_path / "early"), "Pynq-Z2")
    before = (run.path / "results" / "synth.json").read_text()
    with pytest.raises(UnknownBoardError, match="board 'Basys' is not known"):
        synthesise(run, "Basys")
    assert (run.path / "results" / "synth.json").read_text() == before
