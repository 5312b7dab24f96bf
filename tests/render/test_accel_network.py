"""A tiny network from model.onnx to both simulators: every stage gives ONNX Runtime's logits, at the expected speed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from accel_graphs import CLASS_NAMES, TinyNetwork, tiny_network
from PIL import Image

from codegen.cli.main import main
from codegen.dataflow.build import build_graph
from codegen.digests import sources_digest
from codegen.errors import RunFolderError, SimulationError
from codegen.render.graph import read_graph
from codegen.render.manifest import read_manifest
from codegen.render.render import render_sources
from codegen.run_folder import RunFolder
from codegen.verify.csim import run_csim
from codegen.verify.onnx_runtime import run_onnx
from codegen.verify.rtl_model import write_waivers
from codegen.verify.rtlsim import run_rtlsim
from codegen.verify.verilator import verilator_program

IMAGES = 12
PIPELINE_DEPTH = 64
"""Cycles by which the RTL's interval may differ from the HLS trips: registers between successive frames."""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> TinyNetwork:
    tiny = tiny_network(tmp_path_factory.mktemp("runs") / "tiny network", IMAGES)
    build_graph(tiny.run)
    render_sources(tiny.run)
    return tiny


def test_a_locale_without_utf_8_changes_nothing(network: TinyNetwork, tmp_path: Path) -> None:
    run = tmp_path / "straße"
    run.mkdir()
    shutil.copyfile(network.run.path / "model.onnx", run / "model.onnx")
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "codegen", "hls", str(run)]
    done = subprocess.run(command, env={**os.environ, **locale}, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    for tree in ("hls", "rtl"):
        assert sources_digest(run / tree) == sources_digest(network.run.path / tree)


@pytest.fixture(scope="module")
def golden(network: TinyNetwork) -> np.ndarray:
    logits = run_onnx(network.run.path / "model.onnx", network.images)
    assert len(np.unique(logits, axis=0)) > IMAGES // 2, "the images must not all look the same to the network"
    return logits


def test_csim_gives_onnx_runtimes_logits(network: TinyNetwork, golden: np.ndarray) -> None:
    result = run_csim(network.run, network.images)
    assert result.logits.dtype == np.int32
    np.testing.assert_array_equal(result.logits, golden)
    expected = {node.name for node in read_graph(network.run.path / "graph.onnx").nodes if "FIFO" not in node.op}
    assert set(result.trips) == expected
    assert min(result.trips.values()) > 0


def test_rtl_gives_onnx_runtimes_logits_at_the_bound(network: TinyNetwork, golden: np.ndarray) -> None:
    result = run_rtlsim(network.run, network.images)
    np.testing.assert_array_equal(result.logits, golden)
    bound = read_graph(network.run.path / "graph.onnx").bound
    assert result.interval is not None
    assert result.interval <= 1.05 * bound, f"interval {result.interval}, bound {bound}"
    assert result.interval < result.latency < result.cycles
    trips = max(run_csim(network.run, network.images[:1]).trips.values())
    assert abs(result.interval - trips) <= PIPELINE_DEPTH, f"RTL interval {result.interval}, HLS trips {trips}"


@pytest.mark.parametrize(
    ("stall_in", "stall_out", "seed"), [(0.0, 0.7, 1), (0.9, 0.0, 2), (0.3, 0.4, 3), (0.5, 0.95, 4)]
)
def test_back_pressure_changes_no_logit(
    network: TinyNetwork, golden: np.ndarray, stall_in: float, stall_out: float, seed: int
) -> None:
    result = run_rtlsim(network.run, network.images, stall_in=stall_in, stall_out=stall_out, seed=seed)
    np.testing.assert_array_equal(result.logits, golden)
    again = run_rtlsim(network.run, network.images, stall_in=stall_in, stall_out=stall_out, seed=seed)
    assert again.cycles == result.cycles, "the same seed must give the same run"


def test_a_single_image_has_no_interval(network: TinyNetwork, golden: np.ndarray) -> None:
    result = run_rtlsim(network.run, network.images[:1])
    np.testing.assert_array_equal(result.logits, golden[:1])
    assert result.interval is None


def test_rendering_again_gives_the_same_files(network: TinyNetwork) -> None:
    before = _contents(network.run)
    render_sources(network.run)
    assert _contents(network.run) == before


def test_the_file_list_is_complete(network: TinyNetwork) -> None:
    rtl = network.run.path / "rtl"
    manifest = read_manifest(rtl)
    listed = set(manifest.files)
    sources = {str(path.relative_to(rtl)) for path in rtl.rglob("*") if path.suffix in (".sv", ".v")}
    assert listed == sources
    assert (rtl / "files.txt").read_text().split() == list(manifest.files)
    for node in manifest.nodes:
        assert set(node.files) <= listed
        assert all((rtl / name).is_file() for name in node.data_files)
    used = {name for node in manifest.nodes for name in node.data_files}
    assert used == {path.name for path in rtl.glob("*.hex")} | {path.name for path in rtl.glob("*.mem")}


def test_verilator_lint_is_clean_outside_finns_files(network: TinyNetwork, tmp_path: Path) -> None:
    rtl = network.run.path / "rtl"
    manifest = read_manifest(rtl)
    waivers = write_waivers(rtl, manifest, tmp_path / "waivers.vlt")
    lint = subprocess.run(
        [verilator_program(), "--lint-only", "-Wall", "--top-module", manifest.top, waivers, *manifest.files],
        cwd=rtl,
        capture_output=True,
        text=True,
    )
    assert lint.returncode == 0, lint.stderr


def test_each_node_elaborates_on_its_own(network: TinyNetwork, tmp_path: Path) -> None:
    rtl = network.run.path / "rtl"
    manifest = read_manifest(rtl)
    waivers = write_waivers(rtl, manifest, tmp_path / "waivers.vlt")
    for node in manifest.nodes:
        lint = subprocess.run(
            [verilator_program(), "--lint-only", "-Wall", "--top-module", node.module, waivers, *node.files],
            cwd=rtl,
            capture_output=True,
            text=True,
        )
        assert lint.returncode == 0, f"{node.name}: {lint.stderr}"


TCL_STUBS = """
proc unknown {name args} { error "unknown command $name" }
foreach name {open_project set_top add_files open_solution set_part create_clock csim_design csynth_design
              export_design} {
    proc $name {args} "puts \\[list $name {*}\\$args\\]"
}
rename exit leave
proc exit {} {puts exit; leave 0}
"""


def test_the_vitis_script_runs_in_tclsh(network: TinyNetwork, tmp_path: Path) -> None:
    hls = network.run.path / "hls"
    (tmp_path / "stubs.tcl").write_text(TCL_STUBS + f"source {{{hls / 'run_hls.tcl'}}}\n")
    dry = subprocess.run(["tclsh", tmp_path / "stubs.tcl"], cwd=hls, capture_output=True, text=True)
    assert dry.returncode == 0, dry.stderr
    calls = dry.stdout.splitlines()
    assert [call.split()[0] for call in calls] == [
        *("open_project", "set_top", "add_files", "add_files", "open_solution", "set_part", "create_clock"),
        *("csynth_design", "export_design", "exit"),
    ]
    for call in calls:
        words = call.split()
        if words[0] == "add_files":
            name = words[2] if words[1] == "-tb" else words[1]
            assert (hls / name).is_file()


@pytest.mark.parametrize(
    ("board", "part", "clock"),
    [("Ultra96-V2", "xczu3eg-sbva484-1-i", "5.0"), ("none", "xc7z020clg400-1", "10.0")],
)
def test_vitis_gets_the_boards_part_and_clock(
    network: TinyNetwork, tmp_path: Path, board: str, part: str, clock: str
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    shutil.copyfile(network.run.path / "model.onnx", run / "model.onnx")
    assert main(["hls", str(run), "--board", board]) == 0
    script = (run / "hls" / "run_hls.tcl").read_text()
    assert f"set part {{{part}}}" in script
    assert f"set clock_ns {clock}\n" in script


def test_a_picture_gets_the_same_counts_from_every_back_end(
    network: TinyNetwork, golden: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for image, logits in zip(network.images[:3], golden[:3], strict=True):
        path = tmp_path / "a picture.png"
        Image.fromarray(image[..., 0]).save(path)
        by_count = sorted(zip(CLASS_NAMES, logits.tolist(), strict=True), key=lambda entry: -entry[1])
        for backend in ("onnx", "csim", "rtl"):
            capsys.readouterr()
            assert main(["classify", str(network.run.path), "--image", str(path), "--backend", backend]) == 0
            first, *lines = capsys.readouterr().out.splitlines()
            assert first.startswith(f"{path}: by {backend} (")
            assert [
                (name.strip(), int(count)) for name, count in (line.rsplit(maxsplit=1) for line in lines)
            ] == by_count


def test_the_hls_top_compiles_as_vitis_sees_it(network: TinyNetwork, tmp_path: Path) -> None:
    from codegen.verify.csim import vendor_headers

    hls = network.run.path / "hls"
    warnings = ["-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas"]
    folders = ["-Iinclude", "-Inodes", "-isystem", vendor_headers()]
    compiled = subprocess.run(
        ["g++", "-std=c++14", *warnings, "-fsyntax-only", *folders, "-DAP_INT_MAX_W=1024", "accelerator.cpp"],
        cwd=hls,
        capture_output=True,
        text=True,
    )
    assert compiled.returncode == 0, compiled.stderr


@pytest.mark.parametrize("simulate", [run_csim, run_rtlsim])
def test_images_of_another_shape_or_type_are_refused(network: TinyNetwork, simulate) -> None:
    count, *shape = network.images.shape
    elements = int(np.prod(shape))
    wanted = rf"the network takes uint8 \[N, \.\.\.\] with {elements} elements each"
    with pytest.raises(SimulationError, match=rf"shape \[{count}, 4, .*\], but {wanted}"):
        simulate(network.run, network.images[:, :4])
    with pytest.raises(SimulationError, match=rf"of type int32, but {wanted}"):
        simulate(network.run, network.images.astype(np.int32))
    with pytest.raises(SimulationError, match=rf"shape \[{elements}\], but {wanted}"):
        simulate(network.run, network.images[0].reshape(-1))
    with pytest.raises(SimulationError, match="no image to simulate"):
        simulate(network.run, network.images[:0])


@pytest.mark.parametrize("stall", [-0.1, 1.0])
def test_an_impossible_stall_probability_is_refused(network: TinyNetwork, stall: float) -> None:
    with pytest.raises(SimulationError, match="outside"):
        run_rtlsim(network.run, network.images, stall_in=stall)


def test_sources_of_an_older_rendering_are_told_from_current_ones(network: TinyNetwork, tmp_path: Path) -> None:
    run = _copy(network.run, tmp_path, "hls")
    (run.path / "hls" / "streams.json").unlink()
    with pytest.raises(RunFolderError, match=r"has no hls/streams\.json; run `make hls RUN=copy` first"):
        run_csim(run, network.images)


def test_a_failed_compile_names_the_log(network: TinyNetwork, tmp_path: Path) -> None:
    run = _copy(network.run, tmp_path, "hls")
    top = run.path / "hls" / "accelerator.cpp"
    top.write_text(top.read_text() + "\nthis does not compile\n")
    with pytest.raises(SimulationError, match=r"compiling accelerator\.cpp .* the log is .*accelerator\.log"):
        run_csim(run, network.images)
    assert "this does not compile" in (run.path / "build" / "csim" / "accelerator.log").read_text()


@pytest.mark.parametrize(("simulate", "tree", "tool"), [(run_csim, "hls", "g\\+\\+"), (run_rtlsim, "rtl", "make")])
def test_a_missing_compiler_is_named(
    network: TinyNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, simulate, tree: str, tool: str
) -> None:
    run = _copy(network.run, tmp_path, tree)
    only_verilators_needs = tmp_path / "bin"
    only_verilators_needs.mkdir()
    for name in ("perl", "python3", "sh", "env"):
        found = shutil.which(name)
        if found:
            (only_verilators_needs / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(only_verilators_needs))
    with pytest.raises(SimulationError, match=rf"needs {tool}, which is not installed"):
        simulate(run, network.images)


def _copy(run: RunFolder, folder: Path, tree: str) -> RunFolder:
    """A run that has only the one source tree: each simulator must do with its own."""
    shutil.copytree(run.path / tree, folder / "copy" / tree)
    return RunFolder(folder / "copy")


def _contents(run: RunFolder) -> dict[str, bytes]:
    return {
        str(path.relative_to(run.path)): path.read_bytes()
        for tree in ("hls", "rtl")
        for path in (run.path / tree).rglob("*")
        if path.is_file()
    }


def test_the_manifest_reads_back_what_synthesis_needs(network: TinyNetwork) -> None:
    content = json.loads((network.run.path / "rtl" / "nodes.json").read_text())
    graph = read_graph(network.run.path / "graph.onnx")
    assert [node["name"] for node in content["nodes"]] == [node.name for node in graph.nodes]
    assert content["bound"] == graph.bound
    for node in content["nodes"]:
        (stream,) = node["inputs"]
        assert stream["padded_bits"] % 8 == 0
        assert stream["padded_bits"] - 8 < stream["bits"] <= stream["padded_bits"]
