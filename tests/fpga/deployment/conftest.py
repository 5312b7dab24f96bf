"""One small network, its simulated board and its package, for all tests of this folder."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

sys.path.insert(0, str(Path(__file__).parent))

from board_by_ssh import SSHD, start_board
from deployed_board import DeployedBoard
from deployed_runs import add_bitstream, make_run

from codegen.run_folder import RunFolder
from fpga.boards import Board, get_board
from fpga.deployment.deploy import DeployReport
from fpga.deployment.description import network_description
from fpga.deployment.package import make_package
from fpga.simulation.axi_board import AxiBoardOptions
from fpga.simulation.build import build_board
from fpga.simulation.stand_in_board import stand_in_environment

BOARD = "Pynq-Z2"
RAILS = {"12V": 2.5, "VCCINT": 0.4}


@pytest.fixture(scope="session")
def board() -> Board:
    return get_board(BOARD)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all workers, which is one worker's while it makes something there."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "deployment"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def made_run(shared: Path) -> RunFolder:
    """A trained network with its sources; nobody writes in it."""
    with FileLock(shared / "run.lock"):
        run = RunFolder(shared / "made" / "small")
        if not (run.path / "results" / "rtl.json").exists():
            make_run(run.path)
    return run


@pytest.fixture(scope="session")
def packed_run(made_run: RunFolder, board: Board, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The same with a bitstream in name only, and packed; nobody writes in it."""
    run = RunFolder(tmp_path_factory.mktemp("packed") / "small")
    shutil.copytree(made_run.path, run.path)
    add_bitstream(run, board)
    make_package(run, board)
    return run


@pytest.fixture
def run(packed_run: RunFolder, tmp_path: Path) -> RunFolder:
    """A copy of the packed run for tests that change it."""
    shutil.copytree(packed_run.path, tmp_path / "small")
    return RunFolder(tmp_path / "small")


@pytest.fixture(scope="session")
def stand_in(
    made_run: RunFolder, board: Board, shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Variables with which PYNQ is the stand-in, and its board the Verilated accelerator of the run."""
    with FileLock(shared / "board.lock"):
        program = build_board(made_run.path / "rtl", "axi", shared, quick=True)
    network = network_description(made_run, board, None, "dma", 100.0)
    options = AxiBoardOptions(network.input.stream_bytes, network.output.stream_bytes)
    description = tmp_path_factory.mktemp("board") / "board.json"
    return stand_in_environment(program, options, description, board=BOARD, rails=RAILS)


@pytest.fixture(scope="session")
def deployed_once(
    packed_run: RunFolder, board: Board, stand_in: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[DeployedBoard, DeployReport]]:
    """A board to which the package was deployed for the first time, and what that said."""
    if SSHD is None:
        pytest.skip("OpenSSH's sshd is not installed (Debian: apt-get install openssh-server)")
    folder = tmp_path_factory.mktemp("sshd")
    server = start_board(folder, stand_in)
    deployed = DeployedBoard(folder, stand_in, server, [server])
    try:
        yield deployed, deployed.deploy(packed_run, board)
    finally:
        for started in deployed.started:
            if started.process.poll() is None:
                started.stop()


@pytest.fixture
def deployed(deployed_once: tuple[DeployedBoard, DeployReport]) -> Iterator[DeployedBoard]:
    """A board that has a deployment; servers that a test changed are as before for the next."""
    target, _ = deployed_once
    before = target.server
    yield target
    if target.server is not before:
        target.restart()


@pytest.fixture
def unharmed(deployed: DeployedBoard, packed_run: RunFolder, tmp_path: Path) -> Callable[[], None]:
    """A check, for the end of a test, that what was deployed is there byte by byte, is current and classifies."""
    image = tmp_path / "image.npy"
    np.save(image, np.zeros((16, 16, 1), np.uint8))
    before, said = deployed.tree(), deployed.classify(image)

    def check() -> None:
        assert deployed.tree() == before
        assert deployed.classify(image) == said

    return check
