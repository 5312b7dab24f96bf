"""The notebook of a package, cell by cell in a real kernel, on the board that the Verilated accelerator is."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import nbformat
import pytest
from nbclient import NotebookClient

from codegen.run_folder import RunFolder
from fpga.boards import Board, get_board
from fpga.deployment.description import network_description
from fpga.deployment.notebook import NOTEBOOK_FILE, notebook
from fpga.deployment.package import package_file


@pytest.fixture
def folder(packed_run: RunFolder, board: Board, tmp_path: Path) -> Path:
    """A deployment as it lies on a board."""
    with ZipFile(package_file(packed_run, board)) as archive:
        archive.extractall(tmp_path)
    with ZipFile(next((tmp_path / "driver").iterdir())) as wheel:
        wheel.extractall(tmp_path / "site")
    return tmp_path


def test_the_notebook_runs_and_draws(folder: Path, stand_in: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stand_in.items():
        monkeypatch.setenv(name, value)
    made = nbformat.read(folder / NOTEBOOK_FILE, as_version=4)
    NotebookClient(made, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for cell in made.cells if cell.cell_type == "code" for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3  # images, latency, power
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    assert "equal to ONNX Runtime: True" in printed
    assert "accuracy on 100 images of the test set: 0." in printed
    assert not [output for output in outputs if output.output_type == "error"]
    assert made.cells[0].source.startswith("# small on Pynq-Z2")


def test_each_shell_has_its_own_cells(packed_run: RunFolder, board: Board) -> None:
    dma = notebook(network_description(packed_run, board, None, "dma", 100.0))
    uart = notebook(network_description(packed_run, get_board("ULX3S-85F"), None, "uart", 80.0))
    assert "ttyUSB0" in uart
    assert "ttyUSB0" not in dma
    assert "watts" in dma
    assert "watts" not in uart
    for text in (dma, uart):
        nbformat.validate(nbformat.reads(text, as_version=4))
