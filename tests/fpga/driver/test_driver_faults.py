"""Each fault of DMA, overlay and accelerator ends in its exception, and the next image is right."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hanging_accelerator import HANGS, SHAPE, hanging_rtl
from package_folder import package_folder
from spikefold_driver import (
    Accelerator,
    AcceleratorTimeoutError,
    BitstreamError,
    CoreResetError,
    DmaError,
    FrameError,
    LengthError,
    LongFrameError,
    OverlayError,
    ShortFrameError,
    WrongBoardError,
    WrongNetworkError,
)
from spikefold_driver.registers import CONTROL, CONTROL_RESET
from trained_digits import Digits

from fpga.simulation.axi_board import Fault, SimulatedAxiBoard
from fpga.simulation.build import axi_options, build_board

SECONDS = 60
"""Far more than any deadline takes in simulation: nothing hangs."""

FAULTS = [
    pytest.param(Fault.SEND_STALL, 300, AcceleratorTimeoutError, "the DMA still sends", id="stalled-send"),
    pytest.param(Fault.RECEIVE_STALL, 50, AcceleratorTimeoutError, "still waits for results", id="stalled-receive"),
    pytest.param(Fault.SEND_TRUNCATED, 700, ShortFrameError, "fewer words", id="truncated"),
    pytest.param(Fault.SEND_TRUNCATED, 256, ShortFrameError, "fewer words", id="truncated-at-an-image"),
    pytest.param(Fault.SEND_LONGER, 5, LongFrameError, "more words", id="longer"),
    pytest.param(Fault.SEND_NO_LAST, 0, LongFrameError, "more words", id="without-tlast"),
    pytest.param(Fault.SEND_SLAVE_ERROR, 400, DmaError, r"send channel.*slave error", id="send-slave-error"),
    pytest.param(Fault.RECEIVE_SLAVE_ERROR, 16, DmaError, r"receive channel.*slave error", id="receive-slave-error"),
    pytest.param(Fault.RECEIVE_LENGTH, 20, DmaError, r"receive channel.*internal error", id="buffer-too-short"),
    pytest.param(Fault.RECEIVE_MISCOUNTED, 4, LengthError, "the DMA received", id="wrong-length"),
]


@pytest.mark.parametrize(("fault", "argument", "kind", "sentence"), FAULTS)
def test_transfers_that_fail(
    fault: Fault,
    argument: int,
    kind: type[FrameError],
    sentence: str,
    digits: Digits,
    package: Path,
    pynq_board: SimulatedAxiBoard,
) -> None:
    """In the first of three batches of 4 images, while the second is packed already."""
    with Accelerator.open(package, batch=4) as accelerator:
        start = time.monotonic()
        pynq_board.inject(fault, argument)
        with pytest.raises(kind, match=sentence) as raised:
            accelerator.classify(digits.images[:12])
        assert time.monotonic() - start < SECONDS
        assert type(raised.value) is kind
        assert "classify again" in raised.value.next_step
        found = accelerator.classify(digits.images[:12])
    np.testing.assert_array_equal(found.logits, digits.logits[:12])


def test_a_reset_by_another_program(digits: Digits, package: Path, pynq_board: SimulatedAxiBoard) -> None:
    with Accelerator.open(package, batch=4) as accelerator:
        pynq_board.after_accesses(60, lambda: pynq_board.core.write(CONTROL, CONTROL_RESET))
        with pytest.raises(CoreResetError, match="reset while the batch of 4 images were under way"):
            accelerator.classify(digits.images[:12])
        found = accelerator.classify(digits.images[:12])
    np.testing.assert_array_equal(found.logits, digits.logits[:12])


def test_a_user_who_interrupts(digits: Digits, package: Path, pynq_board: SimulatedAxiBoard) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with Accelerator.open(package, batch=4) as accelerator:
        pynq_board.after_accesses(60, interrupt)
        with pytest.raises(KeyboardInterrupt):
            accelerator.classify(digits.images[:12])
        found = accelerator.classify(digits.images[:12])
    np.testing.assert_array_equal(found.logits, digits.logits[:12])


def test_a_dma_whose_reset_does_not_end(digits: Digits, package: Path, pynq_board: SimulatedAxiBoard) -> None:
    """The one fault after which the board must be loaded again; the exception says so."""
    with Accelerator.open(package, batch=4, slack_s=0.2) as accelerator:
        pynq_board.inject(Fault.RESET_STUCK)
        with pytest.raises(DmaError, match="does not end its reset; open the accelerator again"):
            accelerator.reset()
    with Accelerator.open(package) as accelerator:
        np.testing.assert_array_equal(accelerator.classify(digits.images[:4]).logits, digits.logits[:4])


@pytest.fixture(scope="module")
def hanging(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hanging_rtl(tmp_path_factory.mktemp("hanging"))


@pytest.fixture
def hanging_board(hanging: Path) -> Iterator[SimulatedAxiBoard]:
    program = build_board(hanging, "axi", hanging.parent / "build", quick=True)
    with SimulatedAxiBoard(str(program.program), str(program.rtl), axi_options(hanging)) as board:
        yield board


def test_an_accelerator_that_hangs(hanging: Path, hanging_board: SimulatedAxiBoard, tmp_path: Path) -> None:
    folder = package_folder(tmp_path / "package", hanging, SHAPE)
    images = np.random.default_rng(0).integers(0, HANGS, (6, *SHAPE), dtype=np.uint8)
    sums = images.reshape(6, -1).sum(axis=1).astype(np.int32)[:, np.newaxis]
    with Accelerator.open(folder, board=hanging_board) as accelerator:
        np.testing.assert_array_equal(accelerator.classify(images).logits, sums)
        stopping = images.copy()
        stopping[2, 0, 0, 0] = HANGS
        start = time.monotonic()
        with pytest.raises(AcceleratorTimeoutError, match="took 3 and gave 2, the DMA still sends and still waits"):
            accelerator.classify(stopping)
        assert time.monotonic() - start < SECONDS
        np.testing.assert_array_equal(accelerator.classify(images).logits, sums)


def test_a_corrupted_bitstream_is_not_loaded(digits: Digits, package: Path, pynq_board: SimulatedAxiBoard) -> None:
    content = (package / "spikefold.bit").read_bytes()
    (package / "spikefold.bit").write_bytes(content[:7] + bytes([content[7] ^ 1]) + content[8:])
    before = pynq_board.advance(0)
    with pytest.raises(BitstreamError, match="is damaged: its SHA-256"):
        Accelerator.open(package)
    (package / "spikefold.bit").unlink()
    with pytest.raises(BitstreamError, match="cannot be read"):
        Accelerator.open(package)
    assert pynq_board.advance(0) == before
    (package / "spikefold.bit").write_bytes(content)
    _classify_two(digits, package)


def test_a_placeholder_is_no_bitstream(package: Path, pynq_board: SimulatedAxiBoard) -> None:
    _change(package, bitstream=None, bitstream_sha256=None)
    with pytest.raises(BitstreamError, match="placeholder"):
        Accelerator.open(package)


def test_wrong_boards(
    digits: Digits, package: Path, pynq_board: SimulatedAxiBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = pynq_board.advance(0)
    monkeypatch.setenv("BOARD", "ZCU104")
    with pytest.raises(WrongBoardError, match="built for Pynq-Z2, and this board is a ZCU104"):
        Accelerator.open(package)
    assert pynq_board.advance(0) == before
    _change(package, board="Ultra96-V2")
    monkeypatch.setenv("BOARD", "Ultra96")  # what the image of an Ultra96-V2 says
    Accelerator.open(package).close()
    monkeypatch.delenv("BOARD")
    _classify_two(digits, package)


def test_another_network(digits: Digits, package: Path, pynq_board: SimulatedAxiBoard) -> None:
    network = json.loads((package / "network.json").read_text())["network"]
    _change(package, network="0badc0de")
    with pytest.raises(WrongNetworkError, match="json describes 0badc0de"):
        Accelerator.open(package)
    _change(package, network=network)
    _classify_two(digits, package)


def test_overlays_of_others(package: Path, pynq_board: SimulatedAxiBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    import pynq
    from pynq import board

    core = pynq.Overlay(str(package / "spikefold.bit")).ip_dict["spikefold_axi_0"]
    monkeypatch.setitem(board.content(), "ip_dict", {"spikefold_axi_0": {**core, "type": "x:y:other:1.0"}})
    with pytest.raises(OverlayError, match="has 0 IP cores that are the accelerator"):
        Accelerator.open(package)
    # Something else at that address.
    monkeypatch.setitem(board.content(), "ip_dict", {"spikefold_axi_0": {**core, "phys_addr": board.DMA_BASE}})
    with pytest.raises(OverlayError, match="MAGIC register reads 0x00000000"):
        Accelerator.open(package)
    (package / "spikefold.hwh").unlink()
    with pytest.raises(OverlayError, match=r"PYNQ does not load .*Unable to find metadata.*\.hwh"):
        Accelerator.open(package)


def _classify_two(digits: Digits, package: Path) -> None:
    """What follows the exception is right."""
    with Accelerator.open(package) as accelerator:
        np.testing.assert_array_equal(accelerator.classify(digits.images[:2]).logits, digits.logits[:2])


def _change(package: Path, **changes: Any) -> None:
    file = package / "network.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
