"""One small network, its simulated board and its package, for all tests of this folder."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from board_by_ssh import SSHD, BoardBySsh, start_board
from runs import add_bitstream, make_run

from codegen.run_folder import RunFolder
from fpga.boards import Board, get_board
from fpga.deployment.deploy import DeployReport, deploy
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
def made_run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A trained network with its sources; nobody writes in it."""
    return make_run(tmp_path_factory.mktemp("deployment") / "small")


@pytest.fixture(scope="session")
def packed_run(made_run: RunFolder, board: Board, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The same with a bitstream in name only, and packed; nobody writes in it."""
    folder = tmp_path_factory.mktemp("packed") / "small"
    shutil.copytree(made_run.path, folder)
    run = RunFolder(folder)
    add_bitstream(run, board)
    make_package(run, board)
    return run


@pytest.fixture
def run(packed_run: RunFolder, tmp_path: Path) -> RunFolder:
    """A copy of the packed run for tests that change it."""
    shutil.copytree(packed_run.path, tmp_path / "small")
    return RunFolder(tmp_path / "small")


@pytest.fixture(scope="session")
def stand_in(made_run: RunFolder, board: Board, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables with which PYNQ is the stand-in, and its board the Verilated accelerator of the run."""
    folder = tmp_path_factory.mktemp("board")
    program = build_board(made_run.path / "rtl", "axi", folder, quick=True)
    network = network_description(made_run, board, None, "dma", 100.0)
    options = AxiBoardOptions(network.input.stream_bytes, network.output.stream_bytes)
    return stand_in_environment(program, options, folder / "board.json", board=BOARD, rails=RAILS)


@dataclass
class DeployedBoard:
    """A board by ssh on which the run's package is deployed, and how to deploy to it once more."""

    folder: Path
    variables: dict[str, str]
    server: BoardBySsh
    started: list[BoardBySsh] = field(default_factory=list)

    def deploy(self, run: RunFolder, board: Board, **changes: object) -> DeployReport:
        settings = {"python": sys.executable, "ssh_options": self.server.options, "port": self.server.port, **changes}
        return deploy(run, board, str(settings.pop("host", self.server.host)), **settings)  # type: ignore[arg-type]

    def restart(self, sftp: str | None = None, **variables: str) -> None:
        """Another server for the same board: with other variables, or another sftp subsystem."""
        self.server.stop()
        self.server = start_board(self.folder, {**self.variables, **variables}, sftp)
        self.started.append(self.server)

    def tree(self) -> dict[str, bytes | str]:
        """All that is deployed: files with their contents, links with what they name."""
        base = self.server.home / "spikefold"
        paths = (path for path in sorted(base.rglob("*")) if path.is_symlink() or path.is_file())
        return {
            str(path.relative_to(base)): str(path.readlink()) if path.is_symlink() else path.read_bytes()
            for path in paths
            if "__pycache__" not in path.parts
        }

    def classify(self, image: Path) -> str:
        """What the current deployment says of an image."""
        current = self.server.home / "spikefold" / "small" / "current"
        command = f"PYTHONPATH={current}/site:$PYTHONPATH {sys.executable} -m spikefold_driver"
        done = self.server.run(f"{command} classify {current} {image} --json")
        assert done.returncode == 0, done.stderr
        return done.stdout


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
    import numpy as np

    image = tmp_path / "image.npy"
    np.save(image, np.zeros((16, 16, 1), np.uint8))
    before, said = deployed.tree(), deployed.classify(image)

    def check() -> None:
        assert deployed.tree() == before
        assert deployed.classify(image) == said

    return check
