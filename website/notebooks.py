"""Tutorials: executed in their order, kept until something they compute with changes, shown as pages of the site."""

from __future__ import annotations

import hashlib
import os
import shutil
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_output

from codegen.scratch import scratch_folder
from website.places import ROOT

FOLDER = ROOT / "docs" / "tutorials"
CACHE = ROOT / "build" / "tutorials"
ORDER = ("digits", "report", "pruning", "snntorch")
"""The tutorials as a reader takes them; a later one may go on in the run folders of an earlier one."""
COMPUTED_WITH = ("codegen", "sca_train", "hls_templates", "fpga/boards", "configs", "spikefold")
CELL_SECONDS = 600
START_SECONDS = 300
KERNEL = "python3"


@dataclass(frozen=True)
class TutorialPage:
    """A tutorial as Markdown, and its pictures by the file names that the Markdown has for them."""

    markdown: str
    pictures: dict[str, bytes]


def notebook_file(name: str) -> Path:
    return FOLDER / f"{name}.ipynb"


def read(file: Path) -> Any:
    """A notebook of format 4."""
    return nbformat.read(file, as_version=4)


def execute(name: str, work: Path) -> Any:
    """The notebook with its outputs, run by this Python with the code of this tree; run folders lie in ``work``.

    Raises nbclient's CellExecutionError, which shows the cell and its traceback.
    """
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    made = read(notebook_file(name))
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    with scratch_folder() as sockets:  # of this user; TCP would listen for all of the machine
        kernel = AsyncKernelManager(kernel_name=KERNEL, transport="ipc", ip=str(sockets / "kernel"))
        client = NotebookClient(
            made,
            km=kernel,
            timeout=CELL_SECONDS,
            startup_timeout=START_SECONDS,
            resources={"metadata": {"path": str(work)}},
        )
        client.execute(cleanup_kc=True, env={**os.environ, "PYTHONPATH": paths})
    return made


def digest() -> str:
    """SHA-256 over all tutorials and everything that they compute with."""
    found = hashlib.sha256()
    files = [file for folder in COMPUTED_WITH for file in sorted((ROOT / folder).rglob("*")) if file.is_file()]
    for file in (*map(notebook_file, ORDER), ROOT / "constraints.txt", *files):
        if "__pycache__" not in file.parts:
            found.update(f"{file.relative_to(ROOT)}\0{file.stat().st_size}\0".encode())
            found.update(file.read_bytes())
    return found.hexdigest()


def executed() -> dict[str, Any]:
    """All tutorials with outputs: those of the last build where nothing has changed since, else executed now."""
    done = CACHE / digest()[:16]
    if not done.exists():
        shutil.rmtree(CACHE, ignore_errors=True)
        work = CACHE / "work"
        work.mkdir(parents=True)
        made = CACHE / "made"
        made.mkdir()
        for name in ORDER:
            print(f"executing the tutorial {name}", flush=True)
            nbformat.write(execute(name, work), made / f"{name}.ipynb")
        made.rename(done)
    return {name: read(done / f"{name}.ipynb") for name in ORDER}


def page(name: str, notebook: Any) -> TutorialPage:
    """The notebook as a page: code, what it printed, tables and pictures. Progress, on stderr, is left out."""
    pictures: dict[str, bytes] = {}
    parts: list[str] = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        elif cell.cell_type == "code":
            parts.append(_fenced(cell.source, "python"))
            parts += [_output(output, name, pictures) for output in _joined(cell.outputs)]
    download = f'\n\n[This page as a notebook]({name}.ipynb "for Jupyter"){{ download }}\n'
    return TutorialPage("\n\n".join(filter(None, parts)) + download, pictures)


def _joined(outputs: Iterable[Any]) -> list[Any]:
    """The outputs without stderr, and what was printed in one piece."""
    joined: list[Any] = []
    for output in outputs:
        if output.output_type != "stream":
            joined.append(output)
        elif output.name == "stdout" and joined and joined[-1].output_type == "stream":
            joined[-1] = new_output("stream", name="stdout", text=joined[-1].text + output.text)
        elif output.name == "stdout":
            joined.append(output)
    return joined


def _output(output: Any, name: str, pictures: dict[str, bytes]) -> str:
    if output.output_type == "stream":
        return _printed(output.text)
    data = output.get("data", {})
    if "image/png" in data:
        picture = f"{name}-{len(pictures) + 1}.png"
        pictures[picture] = b64decode(data["image/png"])
        return f"![Plot of the code above]({picture})"
    if "text/html" in data:
        return f'<div class="output">\n{data["text/html"]}\n</div>'
    return _printed(data.get("text/plain", ""))


def _printed(text: str) -> str:
    """Text as it stands on a terminal in the end: of lines that were drawn over, the last."""
    shown = "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.rstrip().split("\n"))
    return f'<div class="output" markdown="1">\n\n{_fenced(shown, "text")}\n\n</div>' if shown else ""


def _fenced(text: str, language: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"
