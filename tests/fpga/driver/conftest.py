"""A small network trained on the digits, as a package and as simulated boards; the driver and the stand-in for pynq."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "fpga" / "driver"))

from package_folder import package_folder, write_golden
from trained_digits import ROOT, SHAPE, Digits, stand_in

from codegen.run_folder import RunFolder
from codegen.run_inputs import load_test_set
from codegen.verify.onnx_runtime import load_network
from fpga.simulation.build import BoardProgram, axi_options, build_board


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
