"""Weights in memory: the unchanged driver loads them, the Verilated accelerator reads them, the logits are right."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from package_folder import package_folder
from spikefold_driver import (
    Accelerator,
    AcceleratorTimeoutError,
    CoreResetError,
    DescriptionError,
    OutOfMemoryError,
    WeightReadError,
    WeightsError,
    WrongNetworkError,
)
from spikefold_driver.registers import (
    CONTROL,
    CONTROL_RESET,
    STATUS,
    STATUS_WEIGHTS_SET,
    WEIGHTS_BASE,
    WEIGHTS_BASE_HIGH,
)
from trained_digits import ROOT, stand_in

from bench.networks import random_images
from codegen.verify.onnx_runtime import run_onnx
from fpga.simulation.axi_board import MEMORY_BASE, PAGE, BoardError, Fault, SimulatedAxiBoard
from fpga.simulation.build import BoardProgram, axi_options, build_board
from fpga.simulation.stand_in_board import stand_in_environment
from tests.render.external_run import external_network, external_run

COUNT = 12


@dataclass(frozen=True)
class External:
    """The rendered network, its board, images and the logits of ONNX Runtime."""

    rtl: Path
    program: BoardProgram
    images: NDArray[np.uint8]
    logits: NDArray[np.int32]


@pytest.fixture(scope="module")
def external(tmp_path_factory: pytest.TempPathFactory) -> External:
    run = external_run(tmp_path_factory.mktemp("external") / "external")
    images = random_images(external_network(), COUNT)
    program = build_board(run.path / "rtl", "axi", run.path / "build", quick=True)
    return External(run.path / "rtl", program, images, run_onnx(run.path / "model.onnx", images))


@pytest.fixture
def folder(external: External, tmp_path: Path) -> Path:
    return package_folder(tmp_path / "package", external.rtl, external_network().input_shape)


@pytest.fixture(params=[0.0, 0.3], ids=["free", "stalled"])
def stall(request: pytest.FixtureRequest) -> float:
    return float(request.param)


@pytest.fixture
def board(external: External, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedAxiBoard]:
    yield from stand_in(external.program, axi_options(external.rtl), tmp_path, monkeypatch)


def test_logits_equal_onnx_runtime(
    external: External, folder: Path, stall: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(np.unique(external.logits, axis=0)) == COUNT
    options = axi_options(external.rtl, stall=stall, seed=7)
    for board in stand_in(external.program, options, tmp_path, monkeypatch):
        for batch in (1, 5, None):
            with Accelerator.open(folder, batch=batch) as accelerator:
                np.testing.assert_array_equal(accelerator.classify(external.images).logits, external.logits)
                again = accelerator.classify(external.images[:3]).logits
                np.testing.assert_array_equal(again, external.logits[:3])
                base = board.core.read(WEIGHTS_BASE) | board.core.read(WEIGHTS_BASE_HIGH) << 32
                content = (folder / "weights.bin").read_bytes()
                assert board.read_memory(base, len(content)) == content
                assert base >= MEMORY_BASE and base % PAGE == 0


def test_a_closed_accelerator_reads_no_more(external: External, folder: Path, board: SimulatedAxiBoard) -> None:
    accelerator = Accelerator.open(folder)
    accelerator.classify(external.images[:2])
    assert board.core.read(STATUS) == STATUS_WEIGHTS_SET
    buffer = accelerator.transport._weights._buffer  # type: ignore[attr-defined]
    accelerator.close()
    assert buffer.freed
    assert [board.core.read(offset) for offset in (STATUS, WEIGHTS_BASE)] == [0, 0]
    accelerator.close()


@pytest.mark.parametrize("beats", [0, 1, 37, 1000])
def test_a_read_that_is_refused(beats: int, external: External, folder: Path, board: SimulatedAxiBoard) -> None:
    with Accelerator.open(folder, batch=4) as accelerator:
        board.inject(Fault.WEIGHTS_SLAVE_ERROR, beats)
        with pytest.raises(WeightReadError, match="refused a read of weights for the batch of 4 images") as raised:
            accelerator.classify(external.images)
        assert "classify again" in raised.value.next_step
        np.testing.assert_array_equal(accelerator.classify(external.images).logits, external.logits)


def test_a_memory_that_does_not_answer(external: External, folder: Path, board: SimulatedAxiBoard) -> None:
    """No deadline is missed, and as a reset cannot end then either, the sentence says what helps."""
    with Accelerator.open(folder, slack_s=0.2) as accelerator:
        board.inject(Fault.WEIGHTS_STALL, 100)
        sentence = "did not end within .*, and after that the accelerator does not end its reset; open the accelerator"
        with pytest.raises(AcceleratorTimeoutError, match=sentence):
            accelerator.classify(external.images)
    with Accelerator.open(folder) as accelerator:
        np.testing.assert_array_equal(accelerator.classify(external.images).logits, external.logits)


def test_a_reset_by_another_program(external: External, folder: Path, board: SimulatedAxiBoard) -> None:
    """The place of the weights is forgotten then: the driver says it again."""
    with Accelerator.open(folder, batch=4) as accelerator:
        board.core.write(CONTROL, CONTROL_RESET)
        with pytest.raises(CoreResetError, match="reset while the batch of 4 images were under way"):
            accelerator.classify(external.images)
        np.testing.assert_array_equal(accelerator.classify(external.images).logits, external.logits)
        board.after_accesses(60, lambda: board.core.write(CONTROL, CONTROL_RESET))
        with pytest.raises(CoreResetError):
            accelerator.classify(external.images)
        np.testing.assert_array_equal(accelerator.classify(external.images).logits, external.logits)


def test_files_of_other_weights(external: External, folder: Path, board: SimulatedAxiBoard) -> None:
    """Nothing is loaded for them."""
    file, before = folder / "weights.bin", board.advance(0)
    content = file.read_bytes()
    wrong = {
        rf"have {len(content) - 1} bytes, and network.json says {len(content)}": content[:-1],
        rf"have {len(content) + 8} bytes, and network.json says {len(content)}": content + bytes(8),
        r"have 0 bytes": b"",
        r"are damaged: their SHA-256 is [0-9a-f]{16}\.\.\., and": content[:50]
        + bytes([content[50] ^ 1])
        + content[51:],
    }
    for sentence, other in wrong.items():
        file.write_bytes(other)
        with pytest.raises(WeightsError, match=rf"^weights .*weights\.bin {sentence}.*; copy the whole package again$"):
            Accelerator.open(folder)
    file.unlink()
    with pytest.raises(
        WeightsError, match=r"weights\.bin cannot be read \(No such file or directory\); copy the whole"
    ):
        Accelerator.open(folder)
    assert board.advance(0) == before
    file.write_bytes(content)
    with Accelerator.open(folder) as accelerator:
        np.testing.assert_array_equal(accelerator.classify(external.images[:2]).logits, external.logits[:2])


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        ({"file": "../weights.bin"}, r"weights\.file '\.\./weights\.bin' is no plain file name"),
        ({"bytes": 0}, r"weights\.bytes is 0"),
        ({"bytes": "many"}, r"weights\.bytes is 'many'"),
        ({"sha256": None}, "sha256"),
    ],
)
def test_descriptions_that_are_damaged(folder: Path, weights: dict[str, Any], sentence: str) -> None:
    _change(folder, {key: value for key, value in weights.items() if value is not None}, *weights)
    with pytest.raises(DescriptionError, match=sentence):
        Accelerator.open(folder)


def test_weights_of_another_accelerator(external: External, folder: Path, board: SimulatedAxiBoard) -> None:
    longer = (folder / "weights.bin").read_bytes() + bytes(128)
    (folder / "weights.bin").write_bytes(longer)
    _change(folder, package_weights(longer))
    sentence = rf"reads {len(longer) - 128} bytes of weights from memory, but network\.json says {len(longer)}; copy"
    with pytest.raises(WrongNetworkError, match=sentence):
        Accelerator.open(folder)


def test_a_buffer_that_is_misaligned(
    external: External, folder: Path, board: SimulatedAxiBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pynq

    allocate, given = pynq.allocate, []

    def misaligned(shape: Any, dtype: Any) -> Any:
        given.append(allocate(shape=(shape[0] + 64,), dtype=dtype)[64:])
        return given[-1]

    monkeypatch.setattr(pynq, "allocate", misaligned)
    with pytest.raises(WeightsError, match=r"the buffer of the weights lies at 0x.*40, which is no multiple of 4096"):
        Accelerator.open(folder)
    assert given[0].freed


def test_an_accelerator_that_refuses_the_base(
    folder: Path, board: SimulatedAxiBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = board.core.write
    monkeypatch.setattr(board.core, "write", lambda at, value: write(at, value | (at == WEIGHTS_BASE) << 7))
    with pytest.raises(WeightsError, match=r"does not take 0x.* as the place of its weights"):
        Accelerator.open(folder)


def test_no_memory_for_weights(folder: Path, board: SimulatedAxiBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    import pynq

    def full(shape: Any, dtype: Any) -> Any:
        raise RuntimeError("Failed to allocate Memory!")

    monkeypatch.setattr(pynq, "allocate", full)
    with pytest.raises(
        OutOfMemoryError, match=r"no contiguous memory for \d+ bytes of weights \(Failed to allocate Me"
    ):
        Accelerator.open(folder)


def test_a_fault_that_is_none(board: SimulatedAxiBoard) -> None:
    with pytest.raises(BoardError, match="does not answer b'f'"):
        board._answer(b"f" + bytes([Fault.WEIGHTS_STALL + 1]) + bytes(8), 0)


def test_the_command_says_it_in_one_sentence(external: External, folder: Path, tmp_path: Path) -> None:
    (folder / "weights.bin").unlink()
    np.save(tmp_path / "images.npy", external.images[:2])
    environment = stand_in_environment(
        external.program, axi_options(external.rtl), tmp_path / "b.json", board="Pynq-Z2"
    )
    path = os.pathsep.join((str(ROOT / "fpga" / "driver"), environment["PYTHONPATH"]))
    done = subprocess.run(
        [sys.executable, "-m", "spikefold_driver", "classify", str(folder), str(tmp_path / "images.npy")],
        env={**os.environ, **environment, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    fault = "cannot be read (No such file or directory); copy the whole package again"
    assert done.stderr == f"error: weights {folder / 'weights.bin'} {fault}\n"


def package_weights(content: bytes) -> dict[str, Any]:
    """What network.json says of them."""
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _change(folder: Path, weights: dict[str, Any], *left_out: str) -> None:
    file = folder / "network.json"
    content = json.loads(file.read_text())
    kept = {key: value for key, value in content["weights"].items() if key not in left_out}
    file.write_text(json.dumps({**content, "weights": {**kept, **weights}}))
