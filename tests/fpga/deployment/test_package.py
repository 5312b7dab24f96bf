"""The package of a run: what it holds, that its bytes depend on the run alone, and what it refuses."""

from __future__ import annotations

import hashlib
import json
import shlex
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from deployed_runs import INTERVAL, LATENCY, add_bitstream

from codegen.digests import file_digest, sources_digest
from codegen.errors import RunFolderError
from codegen.run_folder import RunFolder
from codegen.verify.onnx_runtime import run_onnx
from fpga.__main__ import main
from fpga.boards import Board, get_board
from fpga.deployment.description import folder_name
from fpga.deployment.package import GOLDEN_IMAGES, make_package, package_file
from fpga.errors import BuildError

FILES = {
    "LICENSE",
    "LICENSES.md",
    "README.md",
    "SHA256SUMS",
    "class_names.txt",
    "golden.npz",
    "network.json",
    "notebook.ipynb",
}


def unpacked(package: Path, folder: Path) -> Path:
    with ZipFile(package) as archive:
        archive.extractall(folder)
    return folder


def test_a_package_holds_all_that_a_board_needs(packed_run: RunFolder, board: Board, tmp_path: Path) -> None:
    folder = unpacked(package_file(packed_run, board), tmp_path)
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    wheels = {name for name in names if name.startswith("driver/")}
    assert len(wheels) == 1
    assert names - wheels == {*FILES, "spikefold.bit", "spikefold.hwh"}
    assert (folder / "spikefold.bit").read_bytes() == b"bitstream"
    assert (folder / "class_names.txt").read_text().split() == [str(digit) for digit in range(10)]
    checked = subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=folder, check=False)
    assert checked.returncode == 0
    assert len((folder / "SHA256SUMS").read_text().splitlines()) == len(names) - 1


def test_network_json_describes_the_accelerator(packed_run: RunFolder, board: Board, tmp_path: Path) -> None:
    folder = unpacked(package_file(packed_run, board), tmp_path)
    network = json.loads((folder / "network.json").read_text())
    manifest = json.loads((packed_run.path / "rtl" / "nodes.json").read_text())
    digest = sources_digest(packed_run.path / "rtl")
    assert network["sources_sha256"] == digest
    assert network["network"] == digest[:8]
    assert network["bitstream"] == "spikefold.bit"
    assert network["bitstream_sha256"] == file_digest(folder / "spikefold.bit")
    assert (network["board"], network["shell"], network["clock_mhz"]) == ("Pynq-Z2", "dma", 100.0)
    assert network["input"]["shape"] == [16, 16, 1]
    for stream in ("input", "output"):
        for key in ("lanes", "element_bits", "words"):
            assert network[stream][key] == manifest[stream][key]
        assert network[stream]["bytes"] * 8 == manifest[stream]["padded_bits"]
        assert network[stream]["stream_bytes"] in (1, 2, 4, 8, 16, 32, 64, 128)
    assert network["output"]["classes"] == len(network["class_names"]) == 10
    assert network["cycles"] == {"latency": LATENCY, "interval": INTERVAL}


def test_golden_images_are_of_all_classes_with_the_logits_of_onnx_runtime(
    packed_run: RunFolder, board: Board, tmp_path: Path
) -> None:
    golden = np.load(unpacked(package_file(packed_run, board), tmp_path) / "golden.npz", allow_pickle=False)
    assert golden["images"].dtype == np.uint8
    assert golden["images"].shape == (GOLDEN_IMAGES, 16, 16, 1)
    np.testing.assert_array_equal(golden["logits"], run_onnx(packed_run.path / "model.onnx", golden["images"]))
    counts = np.bincount(golden["labels"], minlength=10)
    assert counts.min() == counts.max() == GOLDEN_IMAGES // 10


@pytest.mark.parametrize(
    ("name", "folder"),
    [("mini", "mini"), ("zoo/cnn-board", "zoo-cnn-board"), ("Anna's $(id)", "Anna-s-id-"), ("..", "network")],
)
def test_a_folder_on_a_board_has_a_name_that_a_shell_leaves_as_it_is(name: str, folder: str) -> None:
    assert folder_name(name) == folder
    assert shlex.quote(folder) == folder


def test_the_same_run_gives_the_same_bytes(run: RunFolder, board: Board) -> None:
    before = hashlib.sha256(package_file(run, board).read_bytes()).hexdigest()
    assert file_digest(make_package(run, board)) == before
    assert [path.name for path in package_file(run, board).parent.iterdir()] == ["small-Pynq-Z2.zip"]


def test_the_notices_of_finns_files_are_in_it(packed_run: RunFolder, board: Board, tmp_path: Path) -> None:
    text = (unpacked(package_file(packed_run, board), tmp_path) / "LICENSES.md").read_text()
    for words in ("Advanced Micro Devices", "Redistributions in binary form", "BSD-3-Clause", "MIT License", "Apache"):
        assert words in text
    assert "fmpadding.sv" in text
    assert "module " not in text


def test_the_driver_installs_without_a_network(packed_run: RunFolder, board: Board, tmp_path: Path) -> None:
    folder = unpacked(package_file(packed_run, board), tmp_path)
    wheel = next((folder / "driver").iterdir())
    pip = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "-q", "--target", str(tmp_path / "site")]
    assert subprocess.run([*pip, str(wheel)], check=False).returncode == 0
    command = [sys.executable, "-m", "spikefold_driver", "info", str(folder), "--json"]
    done = subprocess.run(command, env={"PYTHONPATH": str(tmp_path / "site")}, capture_output=True, check=True)
    assert json.loads(done.stdout)["digest"] == sources_digest(packed_run.path / "rtl")[:8]


def test_without_a_bitstream_a_note_takes_its_place(run: RunFolder, board: Board, tmp_path: Path) -> None:
    other = get_board("ZCU104")
    folder = unpacked(make_package(run, other), tmp_path / "other")
    assert json.loads((folder / "network.json").read_text())["bitstream"] is None
    note = (folder / "no-bitstream.txt").read_text()
    assert "make bitstream RUN=small BOARD=ZCU104" in note
    assert "There is no bitstream in this package" in (folder / "README.md").read_text()
    assert not list(folder.glob("*.bit"))


def test_the_command_says_what_a_package_lacks(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    file = run.path / "results" / "bitstream.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "timing_met": False, "slack_ns": -0.5}))
    for board, said in (
        ("Pynq-Z2", ", whose bitstream misses its clock of 100 MHz: what it computes may be wrong"),
        ("ZCU104", ", without a bitstream: see no-bitstream.txt in it"),
    ):
        assert main(["package", str(run.path), "--board", board]) == 0
        assert capsys.readouterr().out == f"package: {package_file(run, get_board(board))}{said}\n"


def test_a_board_on_usb_has_the_shell_uart(run: RunFolder, tmp_path: Path) -> None:
    usb = get_board("ULX3S-85F")
    add_bitstream(run, usb, shell="uart")
    folder = unpacked(make_package(run, usb), tmp_path / "usb")
    assert json.loads((folder / "network.json").read_text())["shell"] == "uart"
    assert (folder / "spikefold.bit").is_file()
    assert not (folder / "spikefold.hwh").exists()
    assert "openFPGALoader -b ulx3s spikefold.bit" in (folder / "README.md").read_text()


def test_a_bitstream_of_finns_shell_is_refused(run: RunFolder, board: Board) -> None:
    add_bitstream(run, board, shell="finn")
    with pytest.raises(BuildError, match=r"the shell finn, and the driver is for dma; run `make bitstream RUN=small"):
        make_package(run, board)


def test_pynq_needs_the_hardware_description(run: RunFolder, board: Board) -> None:
    add_bitstream(run, board).with_suffix(".hwh").unlink()
    with pytest.raises(BuildError, match=r"spikefold\.hwh is missing, which PYNQ reads"):
        make_package(run, board)


@pytest.mark.parametrize(
    ("file", "command"),
    [
        ("rtl/accelerator.sv", "make hls RUN=small"),
        (
            "bitstream/Pynq-Z2-dma-rtl/spikefold.bit",
            "make bitstream RUN=small BOARD=Pynq-Z2 SHELL_FLOW=dma IMPL=rtl",
        ),
        ("model.onnx", "make export RUN=small"),
    ],
)
def test_what_was_changed_since_is_named_with_its_stage(run: RunFolder, board: Board, file: str, command: str) -> None:
    before = package_file(run, board).read_bytes()
    with (run.path / file).open("ab") as stream:
        stream.write(b"\n")
    with pytest.raises(RunFolderError, match=f"belongs to another .*; run `{command}` again"):
        make_package(run, board)
    assert package_file(run, board).read_bytes() == before


@pytest.mark.parametrize(
    ("file", "command"), [("results/rtl.json", "make rtlsim"), ("results/sources.json", "make hls")]
)
def test_what_is_missing_is_named_with_its_stage(run: RunFolder, board: Board, file: str, command: str) -> None:
    (run.path / file).unlink()
    with pytest.raises(RunFolderError, match=f"has no {file}; run `{command} RUN=small` first"):
        make_package(run, board)
