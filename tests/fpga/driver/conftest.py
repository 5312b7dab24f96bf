"""A small network trained on the digits, as a package and as simulated boards; the driver and the stand-in for pynq."""

from __future__ import annotations

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

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT / "fpga" / "driver"), str(ROOT / "fpga" / "simulation" / "stand_in")]

from package_folder import package_folder, write_golden  # noqa: E402

from codegen.run_folder import RunFolder  # noqa: E402
from codegen.run_inputs import load_test_set  # noqa: E402
from codegen.verify.onnx_runtime import load_network  # noqa: E402
from fpga.simulation.axi_board import AxiBoardOptions  # noqa: E402
from fpga.simulation.build import BoardProgram, axi_options, build_board  # noqa: E402

SHAPE = (16, 16, 1)


@dataclass(frozen=True)
class Digits:
    """A trained network: its run folder, and test images with their labels and the logits of ONNX Runtime."""

    run: Path
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    logits: NDArray[np.int32]

    @property
    def rtl(self) -> Path:
        return self.run / "rtl"


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Digits:
    """Trained for two epochs: the logits are to be equal, not good."""
    run = tmp_path_factory.mktemp("runs") / "digits"
    _succeed("sca_train", "--config", ROOT / "configs" / "mini.toml", "--epochs", 2, "--finetune", 1, "--run", run)
    _succeed("codegen", "export", run)
    _succeed("codegen", "hls", run, "--board", "Pynq-Z2", "--target-cycles", 3000)
    test_set = load_test_set(RunFolder(run), None)
    logits = load_network(run / "model.onnx").logits(test_set.images)
    return Digits(run, test_set.images, np.asarray(test_set.labels), logits)


@pytest.fixture(scope="session")
def axi_program(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> BoardProgram:
    return build_board(digits.rtl, "axi", tmp_path_factory.mktemp("axi"), quick=True)


@pytest.fixture
def package(digits: Digits, tmp_path: Path) -> Path:
    """The network's package for a Pynq-Z2."""
    folder = package_folder(tmp_path / "package", digits.rtl, SHAPE)
    write_golden(folder, digits.images[:8], digits.logits[:8], labels=digits.labels[:8])
    return folder


@pytest.fixture
def pynq_board(
    axi_program: BoardProgram, digits: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """The simulated board behind the stand-in for pynq in this process."""
    yield from stand_in(axi_program, axi_options(digits.rtl), tmp_path, monkeypatch)


def stand_in(
    program: BoardProgram, options: AxiBoardOptions, folder: Path, monkeypatch: pytest.MonkeyPatch, **more: Any
) -> Iterator[Any]:
    """Give the stand-in for pynq of this process a simulated board, and end that at the end."""
    from pynq import board

    from fpga.simulation.stand_in_board import stand_in_environment

    environment = stand_in_environment(program, options, folder / "stand-in.json", board="Pynq-Z2", **more)
    for name in ("SPIKEFOLD_STAND_IN", "BOARD"):
        monkeypatch.setenv(name, environment[name])
    board.content.cache_clear()
    board.board.cache_clear()
    yield board.board()
    board.board().close()
    board.board.cache_clear()
    board.content.cache_clear()


def _succeed(*arguments: object) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, f"{arguments}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
