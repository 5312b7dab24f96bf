"""Every picture of the documentation is drawn by a command, which docs/figures.md names."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

from website import flow
from website.markdown import links
from website.places import ROOT, sources, text_of

PICTURE = re.compile(r"\.(png|svg|jpe?g|gif|webp)$")


def named() -> list[str]:
    """The patterns of the first column of the table of pictures."""
    table = text_of("docs/figures.md").partition("## Pictures")[2].partition("\n## ")[0]
    return re.findall(r"^\| .*?`([^`]+)`.*?\|.*`.+`.* \|$", table, re.MULTILINE)


def test_every_picture_has_a_command() -> None:
    folders = (ROOT / "docs", ROOT / "zoo")
    held = {file.relative_to(ROOT).as_posix() for folder in folders for file in folder.rglob("*") if file.is_file()}
    pictures = sorted(name for name in held if PICTURE.search(name) and "/runs/" not in name)
    assert "docs/flow.svg" in pictures
    assert [name for name in pictures if not any(fnmatch(name, pattern) for pattern in named())] == []


def test_every_picture_that_a_page_shows_is_one_of_these() -> None:
    shown = {
        (ROOT / page).parent.joinpath(link.target).resolve().relative_to(ROOT).as_posix()
        for page in sources()
        for link in links(text_of(page))
        if link.is_picture
    }
    assert shown
    assert [name for name in shown if not any(fnmatch(name, pattern) for pattern in named())] == []


def test_the_flow_is_what_its_command_draws(tmp_path: Path) -> None:
    flow.draw(tmp_path / "flow.svg")
    assert (tmp_path / "flow.svg").read_bytes() == flow.FILE.read_bytes()
