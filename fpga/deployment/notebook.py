"""The notebook of a package, made from a readable Python source: templates/notebook.py.

Cells begin with ``# %%`` (code) or ``# %% [markdown]`` (text in comments), as editors write them; ``# %% [uart]`` and
``# %% [dma]`` begin cells of one shell only. NAME and BOARD stand for the network's and the board's.
"""

from __future__ import annotations

from dataclasses import dataclass

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from fpga.deployment.description import DeployedNetwork
from fpga.deployment.texts import TEMPLATES

NOTEBOOK_FILE = "notebook.ipynb"
_SOURCE = TEMPLATES / "notebook.py"
_CELL = "# %%"
_MARKDOWN = "markdown"


@dataclass(frozen=True)
class _Cell:
    tags: tuple[str, ...]
    text: str


def notebook(network: DeployedNetwork) -> str:
    """The notebook (nbformat 4) for a network; the same network gives the same text."""
    cells = []
    for number, cell in enumerate(_cells(_SOURCE.read_text())):
        if not set(cell.tags) <= {_MARKDOWN, network.shell}:
            continue
        text = cell.text.replace("NAME", network.name).replace("BOARD", network.board)
        make = new_markdown_cell if _MARKDOWN in cell.tags else new_code_cell
        cells.append(make(text, id=f"cell-{number}"))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
    nbformat.validate(made)
    return nbformat.writes(made) + "\n"


def _cells(source: str) -> list[_Cell]:
    """What stands before the first cell is about the source and left out."""
    cells = []
    for part in source.split(f"\n{_CELL}")[1:]:
        head, _, body = part.partition("\n")
        tags = tuple(head.strip(" []").replace(",", " ").split())
        lines = body.strip("\n").split("\n")
        if _MARKDOWN in tags:
            lines = [line.removeprefix("#").removeprefix(" ") for line in lines]
        cells.append(_Cell(tags, "\n".join(lines)))
    return cells
