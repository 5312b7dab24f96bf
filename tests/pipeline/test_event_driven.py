"""EVENT=1 on a small network of the digits: cycles over its test images in results, simulation and report."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from codegen.cli.main import main
from codegen.cores.event_cycles import event_frame_cycles, scan_lengths
from codegen.cores.spiking_mvau import SpikingMVAU
from codegen.dataflow.dataflow import load_model, to_dataflow
from codegen.event_results import EventCyclesResult
from codegen.render.manifest import read_manifest
from codegen.results import FoldingResult
from codegen.run_folder import RunFolder
from codegen.run_inputs import load_test_set
from codegen.verify.density import window_elements
from codegen.verify.fifo_depths import search_depths
from codegen.verify.spike_maps import load_spike_maps
from sca_train.__main__ import main as train

ROOT = Path(__file__).parents[2]
TARGET = 2400
IMAGES = 12


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with a trained and exported network of a few channels."""
    folder = tmp_path_factory.mktemp("runs") / "events"
    short = ["--epochs", "2", "--finetune", "1", "--ratio", "0.5", "--timesteps", "2"]
    assert train(["--config", str(ROOT / "configs" / "mini.toml"), *short, "--run", str(folder)]) == 0
    assert main(["export", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def run(exported: Path) -> RunFolder:
    """The same after the stages behind the export."""
    assert main(["hls", str(exported), "--event", "--target-cycles", str(TARGET)]) == 0
    assert main(["rtlsim", str(exported), "--images", str(IMAGES)]) == 0
    assert main(["csim", str(exported)]) == 0
    assert main(["report", str(exported)]) == 0
    return RunFolder(exported)


def test_the_folding_meets_its_target_on_average(run: RunFolder) -> None:
    folding = FoldingResult.load(run)
    assert folding is not None and folding.spread is not None
    events = [node for node in folding.nodes if node.event]
    assert events and folding.statistic == "mean"
    assert folding.spread.mean <= TARGET < folding.bound
    assert all(
        node.spread and node.spread.mean <= node.spread.p99 <= node.spread.worst <= node.cycles for node in events
    )
    assert f"{folding.bound} for any image" in folding.told


def test_results_are_the_exact_model_of_every_test_image(run: RunFolder) -> None:
    """Vector by vector from the windows of what ONNX Runtime computes, with the core's own function."""
    result = EventCyclesResult.load(run)
    assert result is not None
    nodes = read_manifest(run.path / "rtl").nodes
    maps = load_spike_maps(run.path / "model.onnx")
    batches = list(maps.batches(load_test_set(run).images))
    cycles = {node.name: np.full(result.images, node.cycles) for node in nodes}
    for core in result.cores:
        spec = SpikingMVAU(**next(node for node in nodes if node.name == core.name).parameters)
        place = [entry.layer for entry in maps.inputs].index(core.layer)
        window = maps.inputs[place].window
        frames = np.concatenate([window_elements(batch[place], window) for batch in batches])
        assert core.nonzero == pytest.approx(frames.mean(), abs=1e-6)
        lengths = [scan_lengths(frame, spec.simd, spec.rotate_words) for frame in frames]
        cycles[core.name] = np.array([event_frame_cycles(scan, spec) for scan in lengths])
        assert core.cycles.mean == pytest.approx(cycles[core.name].mean())
        assert (core.cycles.worst, core.guaranteed) == (cycles[core.name].max(), spec.cycles)
        assert core.cycles.mean >= core.ideal
    slowest = np.max(list(cycles.values()), axis=0)
    assert result.interval.mean == pytest.approx(slowest.mean())
    assert result.interval.worst == slowest.max() < result.guaranteed == max(node.cycles for node in nodes)


def test_verilator_agrees_with_the_model_and_onnx_runtime(run: RunFolder) -> None:
    report = json.loads((run.path / "report.json").read_text())
    assert report["mismatches"] == {"csim": 0, "rtl": 0}
    simulated = report["event_driven"]["simulated"]
    assert simulated["images"] == IMAGES - 2
    assert simulated["measured"] == pytest.approx(simulated["modelled"], rel=0.05)
    events = [layer for layer in report["layers"] if layer["event"]]
    assert events and all(0 < layer["density"] < 1 for layer in events)
    assert "Event-driven cores" in (run.path / "report.html").read_text()


def test_fifo_depths_are_measured_on_test_images(run: RunFolder) -> None:
    """Less than planned, for the rate of the planned ones."""
    folding = json.loads((run.path / "folding.json").read_text())
    del folding["Defaults"]
    shown = []

    def load() -> np.ndarray:
        shown.append(load_test_set(run).images)
        return shown[0]

    model = to_dataflow(load_model(run.path / "model.onnx"), "rtl", "xc7z020clg400-1")
    found = search_depths(model, folding, "xc7z020clg400-1", load)
    assert len(shown) == 1
    planned = [depth for attributes in folding.values() for depth in attributes.get("inFIFODepths", [])]
    assert sum(map(sum, found.depths.values())) <= sum(planned) + 2 * len(found.depths)
    measured = EventCyclesResult.load(run)
    assert measured is not None and found.interval <= 1.1 * measured.interval.mean


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--event", "median"], "'median' is none of mean, p99, worst, nor 1 for the mean or 0 for none"),
        (["--guaranteed", "5"], "cycles are to be guaranteed, but no core may be event-driven; say EVENT=1, or CYCLES"),
        (["--event", "--guaranteed", "9"], "cycles per frame for some image, and 9 are to be guaranteed"),
        (["--event", "--folding", "x.json"], "a folding file says itself which cores are event-driven"),
        (["--event", "--target-cycles", "3"], "the target is 3"),
    ],
)
def test_wrong_options_are_one_sentence(
    exported: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    try:
        assert main(["hls", str(exported), *options]) == 2
    except SystemExit as stopped:
        assert stopped.code == 2
    told = capsys.readouterr().err
    assert sentence in told and "Traceback" not in told


def test_a_run_of_before_there_were_densities_says_to_export(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older = tmp_path / "older"
    shutil.copytree(exported, older)
    (older / "results" / "density.json").unlink()
    assert main(["hls", str(older), "--event"]) == 2
    told = capsys.readouterr().err
    assert told == f"error: run folder {older} has no results/density.json; run `make export RUN=older` first\n"
