"""The tutorials run from their first cell to their last, in their order, and show what their text says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from website import notebooks
from website.notebooks import ORDER, notebook_file, page, read

pytest.importorskip("nbclient", reason="nbclient is not installed: pip install 'spikefold[docs]'")
pytest.importorskip("ipykernel", reason="ipykernel is not installed: pip install 'spikefold[docs]'")


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All tutorials, executed one after the other in one folder."""
    work = tmp_path_factory.mktemp("tutorials")
    return {name: notebooks.execute(name, work) for name in ORDER}


def printed(notebook: Any) -> str:
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")


def test_all_tutorials_are_listed() -> None:
    assert {file.stem for file in notebooks.FOLDER.glob("*.ipynb")} == set(ORDER)


@pytest.mark.parametrize("name", ORDER)
def test_the_repository_holds_no_outputs(name: str) -> None:
    notebook = read(notebook_file(name))
    nbformat.validate(notebook)
    assert notebook.cells[0].source.startswith("# ")
    for number, cell in enumerate(notebook.cells, start=1):
        assert cell.id == f"cell-{number}"
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    assert notebook_file(name).read_text() == nbformat.writes(notebook, version=4, indent=1) + "\n"


@pytest.mark.parametrize("name", ORDER)
def test_it_runs_and_becomes_a_page(name: str, executed: dict[str, Any]) -> None:
    made = page(name, executed[name])
    pictures = re.findall(rf"\]\(({name}-\d+\.png)\)", made.markdown)
    assert pictures == list(made.pictures)
    assert all(content.startswith(b"\x89PNG") for content in made.pictures.values())
    assert "\r" not in made.markdown
    assert "it/s]" not in made.markdown  # progress bars


def test_digits_reach_hardware_without_a_mismatch(executed: dict[str, Any]) -> None:
    text = printed(executed["digits"])
    assert "csim: 359 images, accuracy 0.9" in text
    assert text.count(", 0 mismatches") == 2
    assert "all equal: True" in text
    assert "fc1: 48 -> 24 neurons" in text
    assert len(page("digits", executed["digits"]).pictures) == 2


def test_the_report_is_read(executed: dict[str, Any]) -> None:
    text = printed(executed["report"])
    assert "fits Pynq-Z2 True" in text
    assert "SpikingMVAU_rtl_0" in text
    assert re.search(r"\d+ of 359 right", text)
    assert "nJ an image; with 32-bit floats" in text
    assert len(page("report", executed["report"]).pictures) == 1


def test_pruning_shrinks_networks(executed: dict[str, Any]) -> None:
    rows = [line.split() for line in printed(executed["pruning"]).splitlines() if re.match(r"\s+0\.\d ", line)]
    ratios, accuracies, _, parameters, synops, luts = zip(*rows, strict=True)
    assert [float(ratio) for ratio in ratios] == sorted(map(float, ratios))
    for figures in (parameters, synops, luts):
        assert [float(figure) for figure in figures] == sorted(map(float, figures), reverse=True)
    assert float(accuracies[0]) > 0.9
    assert len(page("pruning", executed["pruning"]).pictures) == 3


def test_a_network_of_snntorch_is_followed_exactly_and_quantised_well(executed: dict[str, Any]) -> None:
    text = printed(executed["snntorch"])
    assert float(re.search(r"largest difference of a logit: (\S+)", text)[1]) < 1e-4
    original = float(re.search(r"snnTorch: accuracy (\S+) on", text)[1])
    integer = float(re.search(r"csim: 397 images, accuracy (\S+), 0 mismatches", text)[1])
    assert original > 0.95
    assert abs(integer - original) <= 0.01
    assert "rtlsim: 8 images, 0 mismatches" in text


def test_what_a_terminal_would_show_is_kept() -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("run()")])
    stream = nbformat.v4.new_output
    notebook.cells[0].outputs = [
        stream("stream", name="stdout", text="1 of 2\r2 of 2\n"),
        stream("stream", name="stderr", text="progress\n"),
        stream("stream", name="stdout", text="done ``` x\n"),
        stream("execute_result", data={"text/plain": "42"}),
    ]
    made = page("x", notebook).markdown
    assert "````text\n2 of 2\ndone ``` x\n````" in made
    assert "progress" not in made and "1 of 2" not in made
    assert "```text\n42\n```" in made


def test_a_failing_cell_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbclient.exceptions import CellExecutionError

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("assert 1 == 2, 'no such thing'")])
    nbformat.write(notebook, tmp_path / "wrong.ipynb")
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path)
    with pytest.raises(CellExecutionError, match="no such thing"):
        notebooks.execute("wrong", tmp_path)


def test_a_change_executes_them_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest changes with the code; without a change the executed ones are kept."""
    ran = []

    def execute(name: str, work: Path) -> Any:
        ran.append(name)
        return read(notebook_file(name))

    monkeypatch.setattr(notebooks, "execute", execute)
    monkeypatch.setattr(notebooks, "CACHE", tmp_path)
    notebooks.executed()
    assert ran == list(ORDER)
    notebooks.executed()
    assert ran == list(ORDER)
    monkeypatch.setattr(notebooks, "COMPUTED_WITH", ("codegen",))
    notebooks.executed()
    assert ran == [*ORDER, *ORDER]
