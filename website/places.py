"""Where files of the repository stand in the site, so that one link serves on a code host and in the site."""

from __future__ import annotations

import json
import posixpath
from pathlib import Path

from website.markdown import Link, replace_links

ROOT = Path(__file__).parents[1]
DOCS = "docs/"
TUTORIALS = "docs/tutorials/"
OUTSIDE = {
    "README.md": "index.md",
    "zoo/README.md": "zoo.md",
    "fpga/driver/README.md": "driver.md",
    "fpga/simulation/README.md": "simulation.md",
}
"""Pages of the site that lie outside docs/, by their files."""


def sources() -> list[str]:
    """Every page of the documentation that is written by hand, by its file: Markdown, and the tutorials."""
    found = (*(ROOT / DOCS).rglob("*.md"), *(ROOT / TUTORIALS).glob("*.ipynb"))
    return [*OUTSIDE, *sorted(file.relative_to(ROOT).as_posix() for file in found)]


def text_of(file: str) -> str:
    """The Markdown of a page; of a notebook, that of its cells."""
    text = (ROOT / file).read_text(encoding="utf-8")
    if not file.endswith(".ipynb"):
        return text
    cells = json.loads(text)["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown") + "\n"


def page_of(file: str) -> str | None:
    """The page or picture of the site that shows a file of the repository; None where there is none, and of folders."""
    if (ROOT / file).is_dir():
        return None
    if file.startswith(TUTORIALS) and file.endswith(".ipynb"):
        return file.removeprefix(DOCS).removesuffix(".ipynb") + ".md"
    return file.removeprefix(DOCS) if file.startswith(DOCS) else OUTSIDE.get(file)


def file_of(page: str) -> str:
    """The file of the repository that a page of the site shows."""
    notebook = DOCS + page.removesuffix(".md") + ".ipynb"
    if notebook.startswith(TUTORIALS) and (ROOT / notebook).exists():
        return notebook
    return next((file for file, shown in OUTSIDE.items() if shown == page), DOCS + page)


def with_site_links(text: str, page: str) -> str:
    """A page whose links to files of the repository lead to pages of the site.

    A file that has no page is named without a link. Links to what does not exist stay; the strict build refuses them.
    """
    file = file_of(page)

    def replaced(link: Link) -> str:
        path, mark, anchor = link.target.partition("#")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(file), path))
        if not path or link.is_outward or not (ROOT / target).exists():
            return link.whole
        shown = page_of(target)
        if shown is None:
            return link.text
        relative = posixpath.relpath(shown, posixpath.dirname(page) or ".")
        return f"{'!' if link.is_picture else ''}[{link.text}]({relative}{mark}{anchor})"

    return replace_links(text, replaced)
