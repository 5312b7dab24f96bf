"""Results know what they were measured on: no report mixes two networks or two foldings, and every field is checked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
from run_folders import BIT_FILE, RESULTS, change, complete_run, trained_run, write_network

from codegen.cli.main import main
from codegen.digests import sources_digest
from codegen.errors import CodegenError, ExportError, FoldingError, RenderError, SimulationError, SynthesisError
from codegen.event_results import DensityResult, EventCore, EventCyclesResult, LayerDensity
from codegen.hardware_results import BitstreamResult, CoreResult, PlacedCore, SynthesisResult
from codegen.results import (
    CoreToggles,
    FoldedNode,
    FoldingResult,
    FrontPoint,
    HlsSimulationResult,
    OnnxResult,
    PredictionsResult,
    Raster,
    Result,
    RtlSimulationResult,
    Sample,
    SourcesResult,
    Spread,
    TogglesResult,
)
from codegen.run_folder import RunFolder
from sca_train.config import TrainConfig, config_to_toml

RUN = "RUN='<mini>'"
CLASSES: dict[str, type[Result]] = {
    "onnx": OnnxResult,
    "folding": FoldingResult,
    "sources": SourcesResult,
    "csim": HlsSimulationResult,
    "rtl": RtlSimulationResult,
    "synth": SynthesisResult,
    "bitstream": BitstreamResult,
    "predictions": PredictionsResult,
    "toggles": TogglesResult,
    "density": DensityResult,
    "event_cycles": EventCyclesResult,
}
COUNTED = {"accuracy", "shipped_accuracy", "images", "mismatches", "seconds", "images_per_second"}
KEYS: dict[type, set[str]] = {
    OnnxResult: COUNTED
    | {"spike_sparsity", "spike_sparsity_images", "compact_sha256", "model_sha256", "test_set_sha256"},
    FoldingResult: {"target_cycles", "estimate", "bound", "nodes", "front"},
    FrontPoint: {"cycles", "lut", "bram36", "dsp"},
    FoldedNode: {"name", "op", "layer", "pe", "simd", "tp", "cycles", "lut", "bram36", "dsp"},
    HlsSimulationResult: COUNTED | {"trips"},
    RtlSimulationResult: COUNTED
    | {"latency", "interval", "interval_max", "cycles", "cycles_per_second", "stall_in", "stall_out", "seed"},
    SynthesisResult: {"tool", "board", "part", "family", "cores", "total", "budget", "fits"},
    CoreResult: {"name", "op", "pe", "simd", "tp", "cycles", "lut", "ff", "bram36", "dsp", "memory_luts", "seconds"}
    | {"cached"},
    BitstreamResult: {
        "tool",
        "board",
        "part",
        "shell",
        "impl",
        "clock_mhz",
        "fmax_mhz",
        "slack_ns",
        "timing_met",
        "critical_path",
        "lut",
    }
    | {"ff", "bram", "dsp", "power_w", "cores", "bitstream", "bitstream_sha256", "sources_sha256"},
    PlacedCore: {"name", "lut", "ff", "bram", "dsp"},
    PredictionsResult: {"images", "shipped", "classes", "confusion", "samples", "raster", "model_sha256"}
    | {"test_set_sha256"},
    Sample: {"number", "label", "decided", "png", "logits"},
    Raster: {"layer", "number", "steps", "channels", "positions", "all_channels", "all_positions", "bits"},
    TogglesResult: {"images", "cycles", "cores", "seconds", "model_sha256", "sources_sha256"},
    CoreToggles: {"name", "bits", "toggles"},
    DensityResult: {"images", "kind", "layers", "model_sha256", "test_set_sha256"},
    LayerDensity: {"layer", "nonzero", "channels", "scans"},
    EventCyclesResult: {"images", "kind", "interval", "guaranteed", "cores", "simulated"},
    EventCore: {"name", "layer", "nonzero", "ideal", "cycles", "guaranteed"},
    Spread: {"mean", "p99", "worst"},
}
"""Keys of results/*.json that tools outside read."""


@pytest.mark.parametrize("kind", KEYS, ids=lambda kind: kind.__name__)
def test_no_key_of_the_files_goes_away(kind: type) -> None:
    assert KEYS[kind] <= {entry.name for entry in fields(kind)}


@pytest.mark.parametrize("stage", CLASSES)
def test_what_is_saved_is_loaded(tmp_path: Path, stage: str) -> None:
    run = complete_run(tmp_path)
    file = run.path / "results" / f"{stage}.json"
    before = json.loads(file.read_text())
    result = CLASSES[stage].load(run)
    assert result is not None
    file.unlink()
    assert CLASSES[stage].load(run) is None
    result.save(run)
    assert json.loads(file.read_text()) == before
    assert CLASSES[stage].load(run) == result


def test_later_keys_are_passed_over(tmp_path: Path) -> None:
    run = complete_run(tmp_path)
    before = OnnxResult.load(run)
    change(run, "onnx", more=1)
    assert OnnxResult.load(run) == before


@pytest.mark.parametrize(
    ("stage", "error", "command"),
    [
        ("onnx", ExportError, "make export"),
        ("folding", FoldingError, "make hls"),
        ("sources", RenderError, "make hls"),
        ("csim", SimulationError, "make csim"),
        ("rtl", SimulationError, "make rtlsim"),
        ("synth", SynthesisError, "make synth"),
        ("bitstream", SynthesisError, "make bitstream"),
        ("predictions", ExportError, "make export"),
        ("toggles", SimulationError, "make rtlsim"),
        ("density", ExportError, "make export"),
        ("event_cycles", SimulationError, "make rtlsim"),
    ],
)
def test_a_result_without_its_digest_is_to_be_made_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], stage: str, error: type[CodegenError], command: str
) -> None:
    run = complete_run(tmp_path)
    file = run.path / "results" / f"{stage}.json"
    content = json.loads(file.read_text())
    missing = next(key for key in content if key.endswith("sha256"))
    del content[missing]
    file.write_text(json.dumps(content))
    with pytest.raises(error):
        CLASSES[stage].load(run)
    assert main(["report", str(run.path)]) == 2
    assert capsys.readouterr().err == f"error: {file} has no {missing}; run `{command} {RUN}{_options(stage)}` again\n"


def _options(stage: str) -> str:
    return "".join(f" {name}={value}" for name, value in CLASSES[stage].OPTIONS.items())


def _sample(**values: object) -> dict[str, object]:
    return {**RESULTS["predictions"]["samples"][0], **values}


@pytest.mark.parametrize(
    ("stage", "values", "sentence"),
    [
        ("onnx", {"images": "many"}, "has 'many' as images, which is not a whole number"),
        ("onnx", {"images": True}, "has True as images, which is not a whole number"),
        ("onnx", {"accuracy": "0.9"}, "has '0.9' as accuracy, which is not a number"),
        ("onnx", {"mismatches": 3}, "has 3 as mismatches, which is not null"),
        ("onnx", {"spike_sparsity": {"conv1": None}}, "has None as spike_sparsity.conv1, which is not a number"),
        ("onnx", {"spike_sparsity": [0.5]}, "has [0.5] as spike_sparsity, which is not of its form"),
        ("synth", {"fits": 1}, "has 1 as fits, which is not true or false"),
        ("synth", {"board": None}, "has None as board, which is not text"),
        ("synth", {"cores": [{}]}, "has no name in cores[0]"),
        ("folding", {"estimate": {"lut": 1}}, "has no ff in estimate"),
        ("bitstream", {"bitstream": "../../x.bit"}, "has '../../x.bit' as bitstream, which is not a plain name"),
        ("bitstream", {"impl": "vhdl"}, "has 'vhdl' as impl, which is not of its form"),
        ("toggles", {"images": 0}, "has 0 as images, which is not of its form"),
        ("predictions", {"confusion": [[1, 2]]}, "is damaged (it is of 1 and of 2 and of 3 classes)"),
        ("predictions", {"confusion": []}, "is damaged (it is of 0 and of 3 classes)"),
        ("predictions", {"confusion": [[-1, 0, 0]] * 3}, "is damaged (it counts less than no image)"),
        ("predictions", {"classes": ["a"]}, "is damaged (it is of 1 and of 3 classes)"),
        ("predictions", {"samples": [_sample(label=3)]}, "is damaged (an image is of a class that there is not)"),
        ("predictions", {"samples": [_sample(decided=-1)]}, "is damaged (an image is of a class that there is not)"),
        (
            "predictions",
            {"samples": [_sample(), _sample(logits=[])]},
            "is damaged (its images have different numbers of time steps, or none)",
        ),
        (
            "predictions",
            {"samples": [_sample(png='"><b>')]},
            "has '\"><b>' as samples[0].png, which is not a plain name",
        ),
        (
            "predictions",
            {"raster": {**RESULTS["predictions"]["raster"], "steps": 9}},
            "is damaged (a raster of [9, 2, 3] spikes has 16 bits)",
        ),
    ],
)
def test_a_wrong_field_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], stage: str, values: dict[str, object], sentence: str
) -> None:
    run = complete_run(tmp_path)
    change(run, stage, **values)
    assert main(["report", str(run.path)]) == 2
    file = run.path / "results" / f"{stage}.json"
    again = f"run `make {CLASSES[stage].COMMAND} {RUN}{_options(stage)}` again"
    assert capsys.readouterr().err == f"error: {file} {sentence}; {again}\n"


def _write(file: str) -> Callable[[RunFolder], None]:
    def write(run: RunFolder) -> None:
        (run.path / file).write_text("another")

    return write


STALE = {
    "trained again": (
        lambda run: write_network(run.path, TrainConfig(seed=7), weight=1.0),
        "was trained again after its export; run `make export",
    ),
    "another model": (_write("model.onnx"), "results/onnx.json .* belongs to another model.onnx .* run `make export"),
    "another folding": (_write("graph.onnx"), "results/folding.json .* to another graph.onnx .* run `make hls"),
    "folding of another model": (
        lambda run: change(run, "folding", model_sha256="0"),
        "results/folding.json .* to another model.onnx .* run `make hls",
    ),
    "sources of another folding": (
        lambda run: change(run, "sources", graph_sha256="0"),
        "results/sources.json .* to another graph.onnx .* run `make hls",
    ),
    "another C++": (_write("hls/accelerator.cpp"), "results/sources.json .* to another hls .* run `make hls"),
    "one more header": (_write("hls/more.hpp"), "results/sources.json .* to another hls .* run `make hls"),
    "another RTL": (_write("rtl/accelerator.sv"), "results/sources.json .* to another rtl .* run `make hls"),
    "C simulation of other sources": (
        lambda run: change(run, "csim", sources_sha256="0"),
        "results/csim.json .* to another hls .* run `make csim",
    ),
    "C simulation against another model": (
        lambda run: change(run, "csim", model_sha256="0"),
        "results/csim.json .* to another model.onnx .* run `make csim",
    ),
    "RTL simulation of other sources": (
        lambda run: change(run, "rtl", sources_sha256="0"),
        "results/rtl.json .* to another rtl .* run `make rtlsim",
    ),
    "RTL simulation against another model": (
        lambda run: change(run, "rtl", model_sha256="0"),
        "results/rtl.json .* to another model.onnx .* run `make rtlsim",
    ),
    "synthesis of other sources": (
        lambda run: change(run, "synth", sources_sha256="0"),
        "results/synth.json .* to another rtl .* run `make synth",
    ),
    "bitstream of other sources": (
        lambda run: change(run, "bitstream", sources_sha256="0"),
        "results/bitstream.json .* to another rtl .* run `make bitstream",
    ),
    "predictions of another model": (
        lambda run: change(run, "predictions", model_sha256="0"),
        "results/predictions.json .* to another model.onnx .* run `make export",
    ),
    "densities of another model": (
        lambda run: change(run, "density", model_sha256="0"),
        "results/density.json .* to another model.onnx .* run `make export",
    ),
    "cycles over images of other sources": (
        lambda run: change(run, "event_cycles", sources_sha256="0"),
        "results/event_cycles.json .* to another rtl .* run `make rtlsim",
    ),
    "toggles of other sources": (
        lambda run: change(run, "toggles", sources_sha256="0"),
        "results/toggles.json .* to another rtl .* run `make rtlsim",
    ),
    "toggles with another model": (
        lambda run: change(run, "toggles", model_sha256="0"),
        "results/toggles.json .* to another model.onnx .* run `make rtlsim",
    ),
    "another bitstream": (
        _write(BIT_FILE),
        f"results/bitstream.json .* to another {BIT_FILE} .* run `make bitstream",
    ),
    "no bitstream": (
        lambda run: (run.path / BIT_FILE).unlink(),
        f"results/bitstream.json .* to another {BIT_FILE} .* run `make bitstream",
    ),
}


@pytest.mark.parametrize(("spoil", "sentence"), STALE.values(), ids=STALE)
def test_a_stale_result_is_named_with_its_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[RunFolder], None], sentence: str
) -> None:
    run = complete_run(tmp_path)
    assert main(["report", str(run.path)]) == 0
    spoil(run)
    for file in ("report.json", "report.html"):
        (run.path / file).unlink()
    capsys.readouterr()
    assert main(["report", str(run.path)]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert re.search(f"^error: .*{sentence} {re.escape(RUN)}[ `]", message), message
    assert not (run.path / "report.json").exists() and not (run.path / "report.html").exists()


def test_a_configuration_that_was_edited_is_not_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = complete_run(tmp_path)
    (run.path / "config.toml").write_text(config_to_toml(TrainConfig(seed=8)))
    assert main(["report", str(run.path)]) == 2
    message = capsys.readouterr().err
    assert "config.toml and compact.safetensors differ in seed: one of them is not of this training" in message
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    ("missing", "command"),
    [("onnx", "make export"), ("folding", "make hls"), ("sources", "make hls")],
)
def test_without_the_result_between_nothing_says_of_which_network_a_later_one_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], missing: str, command: str
) -> None:
    run = complete_run(tmp_path)
    (run.path / "results" / f"{missing}.json").unlink()
    assert main(["report", str(run.path)]) == 2
    assert f"has no results/{missing}.json; run `{command} {RUN}` first" in capsys.readouterr().err


def test_a_run_that_is_only_trained_or_exported_has_a_report(tmp_path: Path) -> None:
    (tmp_path / "trained").mkdir()
    assert main(["report", str(trained_run(tmp_path / "trained").path)]) == 0
    run = complete_run(tmp_path)
    for later in ("folding", "sources", "csim", "rtl", "synth", "bitstream", "toggles", "event_cycles"):
        (run.path / "results" / f"{later}.json").unlink()
    for file in (run.path / "rtl").iterdir():
        file.unlink()
    (run.path / "rtl").rmdir()
    assert main(["report", str(run.path)]) == 0
    report = json.loads((run.path / "report.json").read_text())
    assert (report["accuracy"]["onnx"], report["accuracy"]["rtl"], report["layers"]) == (0.96, None, [])


def test_what_vendor_tools_leave_beside_the_sources_changes_no_digest(tmp_path: Path) -> None:
    run = complete_run(tmp_path)
    before = sources_digest(run.path / "hls"), sources_digest(run.path / "rtl")
    project = run.path / "hls" / "accelerator_hls" / "solution"
    project.mkdir(parents=True)
    (project / "accelerator.cpp").write_text("made by the tool")
    (run.path / "hls" / "results.bin").write_bytes(b"\0")
    (run.path / "rtl" / "vivado.log").write_text("made by the tool")
    assert (sources_digest(run.path / "hls"), sources_digest(run.path / "rtl")) == before
