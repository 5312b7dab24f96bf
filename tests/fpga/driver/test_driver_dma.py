"""The unchanged driver through the stand-in for pynq, an AXI DMA and the Verilated accelerator equals ONNX Runtime."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from package_folder import write_golden
from spikefold_driver import Accelerator, ImageError, OutOfMemoryError, OverlayError, SelfTestError
from spikefold_driver.packing import pack_images, unpack_logits
from spikefold_driver.registers import FRAMES_IN, STATUS, STATUS_BUSY
from trained_digits import ROOT, SHAPE, Digits, stand_in

from codegen.verify.onnx_runtime import load_network
from fpga.simulation.axi_board import MEMORY_BASE, MEMORY_BYTES, SimulatedAxiBoard
from fpga.simulation.build import BoardProgram, axi_options
from fpga.simulation.stand_in_board import stand_in_environment
from sca_train.data.images import read_picture

COUNT = 120


def test_real_images_equal_onnx_runtime(digits: Digits, package: Path, pynq_board: Any) -> None:
    with Accelerator.open(package) as accelerator:
        found = accelerator.classify(digits.images[:COUNT])
    np.testing.assert_array_equal(found.logits, digits.logits[:COUNT])
    np.testing.assert_array_equal(found.indices, digits.logits[:COUNT].argmax(axis=1))
    assert found.logits.dtype == np.int32
    assert found.names == tuple(f"class {index}" for index in found.indices)


@pytest.mark.parametrize("batch", [1, 7, 16])
def test_batches_alternate_between_two_buffers(batch: int, digits: Digits, package: Path, pynq_board: Any) -> None:
    count = 3 * batch + 1
    with Accelerator.open(package, batch=batch) as accelerator:
        found = accelerator.classify(digits.images[:count])
        again = accelerator.classify(digits.images[count : 2 * count])
    np.testing.assert_array_equal(found.logits, digits.logits[:count])
    np.testing.assert_array_equal(again.logits, digits.logits[count : 2 * count])


def test_a_batch_is_packed_while_another_is_under_way(digits: Digits, package: Path, pynq_board: Any) -> None:
    busy = []

    def packed() -> Iterator[np.ndarray]:
        for first in (0, 4, 8):
            busy.append(accelerator.transport.read(STATUS) & STATUS_BUSY)
            yield pack_images(digits.images[first : first + 4], accelerator.description)

    with Accelerator.open(package) as accelerator:
        results = list(accelerator.transport.stream(packed()))
        found = np.concatenate([unpack_logits(words, accelerator.description.output) for words in results])
    assert busy == [0, STATUS_BUSY, STATUS_BUSY]
    np.testing.assert_array_equal(found, digits.logits[:12])


def test_a_caller_who_wants_no_more(digits: Digits, package: Path, pynq_board: Any) -> None:
    """Nothing stays under way, so that what follows is right."""
    with Accelerator.open(package) as accelerator:
        batches = (pack_images(digits.images[i : i + 2], accelerator.description) for i in range(0, 20, 2))
        results = accelerator.transport.stream(batches)
        next(results)
        results.close()
        np.testing.assert_array_equal(accelerator.classify(digits.images[3:9]).logits, digits.logits[3:9])


def test_a_stream_that_was_left_is_ended(digits: Digits, package: Path, pynq_board: Any) -> None:
    with Accelerator.open(package) as accelerator:
        batches = (pack_images(digits.images[i : i + 2], accelerator.description) for i in range(0, 20, 2))
        left = accelerator.transport.stream(batches)
        next(left)
        np.testing.assert_array_equal(accelerator.classify(digits.images[3:9]).logits, digits.logits[3:9])
        left.close()


def test_buffers_are_not_given_back_while_the_dma_writes(digits: Digits, package: Path, pynq_board: Any) -> None:
    with Accelerator.open(package) as accelerator:
        batches = (pack_images(digits.images[i : i + 2], accelerator.description) for i in range(0, 20, 2))
        left = accelerator.transport.stream(batches)
        next(left)
        assert accelerator.transport.read(STATUS) & STATUS_BUSY
    assert pynq_board.core.read(STATUS) == pynq_board.core.read(FRAMES_IN) == 0
    left.close()


def test_buffers_that_the_dma_does_not_reach(package: Path, pynq_board: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import pynq
    from pynq import board

    dma = pynq.Overlay(str(package / "spikefold.bit")).ip_dict["axi_dma_0"]
    short = {**dma, "parameters": {**dma["parameters"], "c_addr_width": "28"}}
    monkeypatch.setitem(board.content(), "ip_dict", {"axi_dma_0": short})
    with Accelerator.open(package) as accelerator, pytest.raises(OverlayError, match="DMA's 28 address bits do not"):
        accelerator.classify(np.zeros((1, *SHAPE), np.uint8))


def test_no_memory_for_buffers(digits: Digits, package: Path, pynq_board: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from pynq import buffer

    monkeypatch.setattr(buffer.board(), "_next", MEMORY_BASE + MEMORY_BYTES - 8192)
    with Accelerator.open(package) as accelerator:
        with pytest.raises(OutOfMemoryError, match=r"batch of 64 images .* give a smaller batch="):
            accelerator.classify(digits.images[:40])
        np.testing.assert_array_equal(accelerator.classify(digits.images[:1]).logits, digits.logits[:1])


@pytest.mark.parametrize("seed", [1, 2])
def test_random_stalls_change_nothing(seed: int, digits: Digits, package: Path, axi_program: BoardProgram) -> None:
    """By the simulation transport, which takes a board and not pynq."""
    options = axi_options(digits.rtl, stall=0.3, seed=seed)
    with (
        SimulatedAxiBoard(str(axi_program.program), str(axi_program.rtl), options) as board,
        Accelerator.open(package, "simulation", board=board, batch=8) as accelerator,
    ):
        found = accelerator.classify(digits.images[:20])
    np.testing.assert_array_equal(found.logits, digits.logits[:20])


def test_batches_are_as_long_as_the_length_register_allows(
    digits: Digits, package: Path, axi_program: BoardProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = axi_options(digits.rtl, length_bits=10)
    for _ in stand_in(axi_program, options, tmp_path, monkeypatch):
        with Accelerator.open(package) as accelerator:
            assert accelerator.batch == (1 << 10) // 256 - 1  # 3 images of 256 bytes are 768, 4 are one byte too long
            found = accelerator.classify(digits.images[:8])
    np.testing.assert_array_equal(found.logits, digits.logits[:8])


def test_pictures_of_a_folder(digits: Digits, package: Path, pynq_board: Any) -> None:
    """The shipped pictures, in colour and of another size: the pixels of the project's own loader."""
    folder = ROOT / "zoo" / "images"
    pictures = sorted(folder.glob("*.png"))
    pixels = np.stack([read_picture(file, SHAPE).pixels for file in pictures])
    wanted = load_network(digits.run / "model.onnx").logits(pixels)
    with Accelerator.open(package) as accelerator:
        found = accelerator.classify(folder)
        one = accelerator.classify(pictures[3])
    assert found.files == tuple(file.name for file in pictures)
    np.testing.assert_array_equal(found.logits, wanted)
    np.testing.assert_array_equal(one.logits, wanted[3:4])


def test_self_test_and_counters(digits: Digits, package: Path, pynq_board: Any) -> None:
    with Accelerator.open(package) as accelerator:
        passed = accelerator.self_test()
        measured = accelerator.measure(frames=20)
        assert passed.frames == 8
        assert passed.accuracy == (digits.logits[:8].argmax(axis=1) == digits.labels[:8]).mean()
        bound = accelerator.description.interval
        assert measured.interval is not None and 0.9 * bound <= measured.interval <= 1.1 * bound
        assert bound / 2 < measured.latency < 4 * bound
        assert measured.frames_per_second == pytest.approx(1e8 / measured.interval)
        assert 19 * measured.interval < measured.batch_cycles < 30 * measured.interval
        assert measured.power is None
        write_golden(package, digits.images[:8], digits.logits[:8] + np.eye(8, 10, dtype=np.int32))
        with pytest.raises(SelfTestError, match="8 of 8 golden images give other logits, the first is image 0"):
            accelerator.self_test()


def test_images_of_another_shape_reach_no_board(digits: Digits, package: Path, pynq_board: Any) -> None:
    with Accelerator.open(package) as accelerator:
        with pytest.raises(ImageError, match=r"type float64; give uint8 \[N, 16, 16, 1\]"):
            accelerator.classify(np.zeros((1, *SHAPE)))
        with pytest.raises(ImageError, match=r"shape \[2, 8, 8, 1\]"):
            accelerator.classify(np.zeros((2, 8, 8, 1), np.uint8))
        assert accelerator.classify(np.zeros((0, *SHAPE), np.uint8)).logits.shape == (0, 10)
        np.testing.assert_array_equal(accelerator.classify(digits.images[5]).logits, digits.logits[5:6])


def test_command_line_in_a_process_of_its_own(
    digits: Digits, package: Path, axi_program: BoardProgram, tmp_path: Path
) -> None:
    """As a deployment runs it on a board: nothing but variables tells the driver that the board is simulated."""
    environment = stand_in_environment(
        axi_program, axi_options(digits.rtl), tmp_path / "board.json", board="Pynq-Z2", rails={"12V": 3.25}
    )
    environment["PYTHONPATH"] += os.pathsep + str(ROOT / "fpga" / "driver")

    def driver(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "spikefold_driver", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    tested = driver("self-test", package, "--json")
    assert tested.returncode == 0, tested.stderr
    figures = json.loads(tested.stdout)
    assert figures["images"] == 8 and figures["mismatches"] == 0 and figures["power_w"] == {"12V": 3.25}
    np.save(tmp_path / "images.npy", digits.images[:3])
    classified = driver("classify", package, tmp_path / "images.npy")
    names = [line.split("  ")[1] for line in classified.stdout.splitlines()]
    assert names == [f"class {index}" for index in digits.logits[:3].argmax(axis=1)]
    assert "this_board" in driver("info", package).stdout
    environment["BOARD"] = "ZCU104"
    refused = driver("self-test", package)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: the bitstream is built for Pynq-Z2, and this board is a ZCU104")
    assert len(refused.stderr.splitlines()) == 1
