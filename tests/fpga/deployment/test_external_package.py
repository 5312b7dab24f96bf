"""The package of a trained network whose weights are in memory, from `make package` to the self-test of its driver."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from deployed_runs import add_bitstream, write_simulated

from codegen.dataflow.build import build_graph
from codegen.digests import file_digest
from codegen.errors import RunFolderError
from codegen.render.render import render_sources
from codegen.run_folder import RunFolder
from fpga.__main__ import main
from fpga.boards import Board
from fpga.deployment.package import make_package
from fpga.simulation.build import axi_options, build_board
from fpga.simulation.stand_in_board import stand_in_environment

TARGET_CYCLES = 12_000


@pytest.fixture(scope="module")
def external(made_run: RunFolder, board: Board, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The trained network folded again, with a bitstream in name only; nobody writes in it."""
    run = RunFolder(tmp_path_factory.mktemp("external") / "small")
    shutil.copytree(made_run.path, run.path)
    build_graph(run, board=board.name, target_cycles=TARGET_CYCLES, weights="external")
    render_sources(run)
    write_simulated(run)
    add_bitstream(run, board)
    return run


@pytest.fixture(scope="module")
def unpacked(external: RunFolder, board: Board, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(make_package(external, board)) as archive:
        archive.extractall(folder)
    return folder


def test_the_weights_are_part_of_it(external: RunFolder, unpacked: Path) -> None:
    weights = external.path / "rtl" / "weights.bin"
    assert (unpacked / "weights.bin").read_bytes() == weights.read_bytes()
    network = json.loads((unpacked / "network.json").read_text())
    assert network["weights"] == {
        "file": "weights.bin", "bytes": weights.stat().st_size, "sha256": file_digest(weights)
    }  # fmt: skip
    assert f"{file_digest(weights)}  weights.bin\n" in (unpacked / "SHA256SUMS").read_text()
    assert "| `weights.bin` | weights that are not on the chip" in (unpacked / "README.md").read_text()


def test_the_self_test_passes(external: RunFolder, board: Board, unpacked: Path, tmp_path: Path) -> None:
    """All golden images through the installed driver, the stand-in for pynq and the Verilated accelerator."""
    rtl = external.path / "rtl"
    program = build_board(rtl, "axi", tmp_path / "build", quick=True)
    environment = stand_in_environment(program, axi_options(rtl), tmp_path / "board.json", board=board.name)
    (wheel,) = (unpacked / "driver").iterdir()
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "-q", "--target", str(site)]
    subprocess.run([*pip, str(wheel)], check=True)
    done = subprocess.run(
        [sys.executable, "-m", "spikefold_driver", "self-test", str(unpacked), "--json"],
        env={**environment, "PYTHONPATH": f"{site}:{environment['PYTHONPATH']}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["images"], said["mismatches"]) == (100, 0)


def test_weights_that_were_changed_since_are_refused(external: RunFolder, board: Board, tmp_path: Path) -> None:
    run = RunFolder(Path(shutil.copytree(external.path, tmp_path / "small")))
    with (run.path / "rtl" / "weights.bin").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(RunFolderError, match=r"belongs to another rtl .*; run `make hls RUN=small` again"):
        make_package(run, board)


def test_a_board_on_usb_has_no_memory_for_them(external: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["package", str(external.path), "--board", "ULX3S-85F"]) == 2
    said = capsys.readouterr().err
    assert said.endswith(" has no memory port for them; make the sources again with WEIGHTS=chip\n")
    assert said.startswith("error: weights of SpikingMVAU_rtl_0") and said.count("\n") == 1
