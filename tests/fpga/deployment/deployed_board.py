"""A board by ssh on which a package is deployed."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from board_by_ssh import BoardBySsh, start_board

from codegen.run_folder import RunFolder
from fpga.boards import Board
from fpga.deployment.deploy import DeployReport, deploy


@dataclass
class DeployedBoard:
    """The board, its folder on this machine, and how to deploy to it once more."""

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
