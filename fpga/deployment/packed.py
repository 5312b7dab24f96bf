"""A package as deployments read it: whole, of the network that is there now, and with a bitstream."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from codegen.run_folder import RunFolder
from fpga.boards import Board
from fpga.deployment.description import DESCRIPTION_FILE, DeployedNetwork
from fpga.deployment.errors import DeployError
from fpga.deployment.package import current_network, package_file


@dataclass(frozen=True)
class Packed:
    """A package's file, its SHA-256, the bytes of its files and what it says of its network."""

    file: Path
    sha256: str
    unpacked_bytes: int
    network: DeployedNetwork


def open_package(run: RunFolder, board: Board) -> Packed:
    """The package of a run for a board.

    Raises DeployError naming the command to run where there is none, it is damaged, has no bitstream, or is of another
    network or bitstream than the run folder has now; RunFolderError for a stage that is missing.
    """
    file = package_file(run, board)
    make = f"`{run.command('package', BOARD=board.name)}`"
    if not file.is_file():
        raise DeployError(f"there is no package of {run.name} for {board.name}; run {make} first")
    try:
        with zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()
            size = sum(entry.file_size for entry in archive.infolist())
            network = TypeAdapter(DeployedNetwork).validate_json(archive.read(DESCRIPTION_FILE))
    except (zipfile.BadZipFile, KeyError, ValidationError) as error:
        raise DeployError(f"{file} is damaged ({str(error).splitlines()[0]}); run {make} again") from None
    if damaged:
        raise DeployError(f"{file} is damaged ({damaged}); run {make} again")
    if current_network(run, board) != network:
        raise DeployError(f"{file} is of another network or bitstream than {run.path} has now; run {make} again")
    if network.bitstream is None:
        raise DeployError(
            f"{file} has no bitstream, only a note in its place; run "
            f"`{run.command('bitstream', BOARD=board.name)}` and {make} first"
        )
    return Packed(file, hashlib.sha256(file.read_bytes()).hexdigest(), size, network)
