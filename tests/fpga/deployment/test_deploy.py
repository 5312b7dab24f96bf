"""A package over ssh to a board whose FPGA is the Verilated accelerator: the driver of the package tests it there."""

from __future__ import annotations

import ast
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from deployed_board import DeployedBoard
from deployed_runs import add_bitstream

from codegen.run_folder import RunFolder
from codegen.verify.onnx_runtime import run_onnx
from fpga.boards import Board
from fpga.deployment import on_board
from fpga.deployment.deploy import DeployReport
from fpga.deployment.errors import DeployError
from fpga.deployment.package import GOLDEN_IMAGES, make_package


def test_a_package_is_installed_and_tests_itself_on_the_board(
    deployed_once: tuple[DeployedBoard, DeployReport], packed_run: RunFolder
) -> None:
    deployed, report = deployed_once
    assert report.release.startswith("0001-")
    assert report.before is None
    assert report.figures.images == GOLDEN_IMAGES
    golden = np.load(deployed.server.home / "spikefold/small/current/golden.npz")
    expected = (golden["logits"].argmax(axis=1) == golden["labels"]).mean()
    assert report.figures.accuracy == pytest.approx(expected)
    assert report.figures.latency_cycles > 1000
    assert report.figures.latency_us == pytest.approx(report.figures.latency_cycles / 100, rel=1e-3)
    assert report.figures.frames_per_second and report.figures.frames_per_second > 1000
    assert report.figures.power_w and report.figures.power_w["VCCINT"] == pytest.approx(0.4)
    told = report.told()
    for part in (f"accuracy {expected:.4f}", "frames a second", "latency", "MHz", "VCCINT 0.40 W", "0001-"):
        assert part in told


def test_what_was_deployed_classifies_as_onnx_runtime_does(
    deployed: DeployedBoard, packed_run: RunFolder, tmp_path: Path
) -> None:
    images = np.random.default_rng(3).integers(0, 256, (6, 16, 16, 1), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    said = json.loads(deployed.classify(tmp_path / "images.npy"))
    expected = run_onnx(packed_run.path / "model.onnx", images).argmax(axis=1)
    assert list(said.values()) == [str(number) for number in expected]


def test_the_last_two_deployments_are_kept(deployed: DeployedBoard, run: RunFolder, board: Board) -> None:
    base = deployed.server.home / "spikefold" / "small"
    first = (base / "current").resolve().name
    notebooks = deployed.server.home / "jupyter_notebooks"
    notebooks.mkdir()
    second = deployed.deploy(run, board)
    assert second.before == first
    assert second.notebook == str(notebooks / "spikefold-small")
    assert (notebooks / "spikefold-small" / "notebook.ipynb").is_file()
    add_bitstream(run, board, content=b"another bitstream")
    make_package(run, board)
    third = deployed.deploy(run, board)
    assert third.before == second.release
    assert third.removed == (first,)
    assert sorted(path.name for path in (base / "releases").iterdir()) == sorted([second.release, third.release])
    assert (base / "current").resolve().name == third.release
    assert not list(base.glob(".unfinished-*"))


def test_a_broken_deployment_before_leaves_nothing(deployed: DeployedBoard, run: RunFolder, board: Board) -> None:
    left = deployed.server.home / "spikefold" / "small" / ".unfinished-0badc0de"
    left.mkdir()
    (left / "package.zip").write_bytes(b"half")
    deployed.deploy(run, board)
    assert not left.exists()


SUDO = """#!/bin/sh
# Takes the password that the test knows, or none, and hands the variables of a fresh root shell on.
echo "$*" >> "$HOME/sudo.log"
if [ "$1" = -n ]; then [ -e "$HOME/no-password" ] || exit 1; shift
else read given; [ "$given" = secret ] || exit 1; shift 3; fi
exec env -i HOME=/root PATH="$PATH" SPIKEFOLD_STAND_IN="$SPIKEFOLD_STAND_IN" "$@"
"""


@pytest.fixture
def sudo(deployed: DeployedBoard) -> Path:
    """A sudo on the board; returns what it was called with."""
    programs = deployed.folder / "programs"
    programs.mkdir(exist_ok=True)
    (programs / "sudo").write_text(SUDO)
    (programs / "sudo").chmod(0o755)
    deployed.restart(PATH=f"{programs}:{os.environ['PATH']}")
    return deployed.server.home / "sudo.log"


def test_the_self_test_runs_as_root_where_sudo_asks_for_nothing(
    deployed: DeployedBoard, run: RunFolder, board: Board, sudo: Path
) -> None:
    (deployed.server.home / "no-password").touch()
    deployed.deploy(run, board, as_root=True)
    assert "self-test" in sudo.read_text()
    (deployed.server.home / "no-password").unlink()


def test_sudo_gets_the_password_and_no_command_line_shows_it(
    deployed: DeployedBoard, run: RunFolder, board: Board, sudo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DeployError, match=r"sudo there asks for a password: set SPIKEFOLD_BOARD_PASSWORD"):
        deployed.deploy(run, board, as_root=True)
    monkeypatch.setenv("SPIKEFOLD_BOARD_PASSWORD", "secret")
    deployed.deploy(run, board, as_root=True)
    assert "secret" not in sudo.read_text()


def test_what_runs_on_the_board_is_of_the_python_that_pynq_images_have() -> None:
    tree = ast.parse(Path(on_board.__file__).read_text(), feature_version=(3, 8))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names
