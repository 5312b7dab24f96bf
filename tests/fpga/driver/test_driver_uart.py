"""The unchanged driver through pyserial, a pseudo-terminal and the Verilated UART shell equals ONNX Runtime."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hanging_accelerator import HANGS, hanging_rtl
from hanging_accelerator import SHAPE as HANGING_SHAPE
from package_folder import package_folder, write_golden
from spikefold_driver import (
    Accelerator,
    AcceleratorTimeoutError,
    CoreResetError,
    FrameError,
    LinkLostError,
    WireError,
    WrongNetworkError,
)
from trained_digits import SHAPE, Digits

from fpga.simulation.build import BoardProgram, build_board
from fpga.simulation.uart_board import SimulatedUartBoard, UartBoardOptions

COUNT = 24
SLACK = 3.0
"""Seconds, as the simulated board is that much slower than a real one; faults that end in silence take less."""


@pytest.fixture(scope="module")
def program(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> BoardProgram:
    return build_board(digits.rtl, "uart", tmp_path_factory.mktemp("uart"), quick=True)


@pytest.fixture
def board(program: BoardProgram) -> Iterator[SimulatedUartBoard]:
    with SimulatedUartBoard(str(program.program), str(program.rtl)) as board:
        yield board


@pytest.fixture
def package(digits: Digits, tmp_path: Path) -> Path:
    folder = package_folder(
        tmp_path / "package", digits.rtl, SHAPE, shell="uart", board="ULX3S-85F", clock_mhz=25, bitstream=None
    )
    write_golden(folder, digits.images[:4], digits.logits[:4])
    return folder


def test_real_images_equal_onnx_runtime(digits: Digits, package: Path, board: SimulatedUartBoard) -> None:
    with Accelerator.open(package, port=board.port, baud=board.baud, slack_s=SLACK) as accelerator:
        found = accelerator.classify(digits.images[:COUNT])
        np.testing.assert_array_equal(found.logits, digits.logits[:COUNT])
        assert accelerator.self_test().frames == 4
        measured = accelerator.measure(frames=3)
        assert measured.interval is None and measured.frames_per_second is None
        expected = accelerator.description.latency
        assert expected / 8 < measured.latency < 2 * expected
        accelerator.reset()
        np.testing.assert_array_equal(accelerator.classify(digits.images[:2]).logits, digits.logits[:2])


@pytest.mark.parametrize(("clock_hz", "baud"), [(25_000_000, 115_200), (48_300_000, 3_000_000), (71_900_000, 921_600)])
def test_other_clocks_and_baud_rates(
    clock_hz: int, baud: int, digits: Digits, package: Path, program: BoardProgram
) -> None:
    options = UartBoardOptions(clock_hz=clock_hz, baud=baud)
    with (
        SimulatedUartBoard(str(program.program), str(program.rtl), options) as board,
        Accelerator.open(package, board=board, slack_s=10) as accelerator,
    ):
        np.testing.assert_array_equal(accelerator.classify(digits.images[7:9]).logits, digits.logits[7:9])


WIRE_FAULTS = [
    pytest.param(lambda board: board.flip_rx(777), WireError, "a packet to the board was damaged", id="flip-to-board"),
    pytest.param(lambda board: board.flip_tx(101), WireError, "is damaged", id="flip-in-the-answer"),
    pytest.param(lambda board: board.flip_tx(3), WireError, "instead of 0x55", id="flip-in-the-first-byte"),
    pytest.param(lambda board: board.drop_rx(100), WireError, "was interrupted", id="lost-byte"),
]


@pytest.mark.parametrize(("inject", "kind", "sentence"), WIRE_FAULTS)
def test_faults_on_the_wire(
    inject: Callable[[SimulatedUartBoard], None],
    kind: type[FrameError],
    sentence: str,
    digits: Digits,
    package: Path,
    board: SimulatedUartBoard,
) -> None:
    with Accelerator.open(package, port=board.port, baud=board.baud, slack_s=SLACK) as accelerator:
        np.testing.assert_array_equal(accelerator.classify(digits.images[:1]).logits, digits.logits[:1])
        inject(board)
        with pytest.raises(kind, match=sentence):
            accelerator.classify(digits.images[1:3])
        np.testing.assert_array_equal(accelerator.classify(digits.images[1:3]).logits, digits.logits[1:3])


def test_an_unplugged_port(digits: Digits, package: Path, board: SimulatedUartBoard) -> None:
    with Accelerator.open(package, port=board.port, baud=board.baud, slack_s=SLACK) as accelerator:
        accelerator.classify(digits.images[:1])
        board.unplug()
        for _ in range(2):
            with pytest.raises(LinkLostError, match=r"port .* (is gone|cannot be opened) .*; check the cable"):
                accelerator.classify(digits.images[:2])
        board.plug_in()
        np.testing.assert_array_equal(accelerator.classify(digits.images[:2]).logits, digits.logits[:2])


def test_a_reset_in_mid_frame(digits: Digits, package: Path, board: SimulatedUartBoard) -> None:
    """By the board's button, while the image is on the wire: the rest of it is no packet, so nothing answers."""
    with Accelerator.open(package, port=board.port, baud=board.baud, slack_s=1.0) as accelerator:
        accelerator.classify(digits.images[:2])
        transport = accelerator.transport
        stream = transport.stream(iter([digits.images[2:3].reshape(1, 256, 1)]))
        import threading

        # 256 bytes at 3 Mbaud are 21,000 cycles.
        begin = board.cycles()

        def press() -> None:
            while board.cycles() < begin + 8000:
                pass
            board.reset()

        button = threading.Thread(target=press)
        button.start()
        with pytest.raises((CoreResetError, WireError)) as raised:
            next(stream)
        button.join()
        assert "classify again" in raised.value.next_step
        np.testing.assert_array_equal(accelerator.classify(digits.images[:2]).logits, digits.logits[:2])


def test_another_network(package: Path, board: SimulatedUartBoard, digits: Digits) -> None:
    folder = package_folder(package.parent / "other", digits.rtl, SHAPE, shell="uart", clock_mhz=25, network="0badc0de")
    with pytest.raises(WrongNetworkError, match="describes 0badc0de"):
        Accelerator.open(folder, port=board.port, baud=board.baud, slack_s=SLACK)


def test_an_accelerator_that_hangs(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    rtl = hanging_rtl(tmp_path_factory.mktemp("hanging"))
    program = build_board(rtl, "uart", rtl.parent / "build", quick=True)
    folder = package_folder(tmp_path / "package", rtl, HANGING_SHAPE, shell="uart", clock_mhz=25)
    images = np.random.default_rng(0).integers(0, HANGS, (5, *HANGING_SHAPE), dtype=np.uint8)
    sums = images.reshape(5, -1).sum(axis=1).astype(np.int32)[:, np.newaxis]
    with (
        SimulatedUartBoard(str(program.program), str(program.rtl)) as board,
        Accelerator.open(folder, port=board.port, baud=board.baud, slack_s=1.0) as accelerator,
    ):
        np.testing.assert_array_equal(accelerator.classify(images).logits, sums)
        stopping = images.copy()
        stopping[1, 0, 0, 0] = HANGS
        start = time.monotonic()
        with pytest.raises(AcceleratorTimeoutError, match="it is busy, took 7 images and gave 6"):
            accelerator.classify(stopping)
        assert time.monotonic() - start < 30
        np.testing.assert_array_equal(accelerator.classify(images).logits, sums)
