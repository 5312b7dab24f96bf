"""Links of the documentation lead somewhere on a code host, and the site's pages are linked as they lie there."""

from __future__ import annotations

import posixpath
import subprocess

import pytest

from website.markdown import anchors, links
from website.places import ROOT, sources, text_of, with_site_links


def tracked() -> set[str]:
    """The files of the repository, and the folders that hold them; a code host shows no others."""
    named = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    folders = {parent for name in named for parent in map(str, posixpath_parents(name))}
    return {*named, *folders}


def posixpath_parents(name: str) -> list[str]:
    found = []
    while name := posixpath.dirname(name):
        found.append(name)
    return found


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone: what the repository holds is not known")
def test_links_lead_to_files_and_headings_of_the_repository() -> None:
    files, wrong = tracked(), []
    for page in sources():
        for link in links(text_of(page)):
            path, _, anchor = link.target.partition("#")
            target = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page
            if link.is_outward:
                continue
            if target not in files:
                wrong.append(f"{page}: {link.whole} names no file of the repository")
            elif anchor and anchor not in anchors(text_of(target)):
                wrong.append(f"{page}: {link.whole} names no heading of {target}")
    assert not wrong, "\n".join(wrong)


def test_pages_from_outside_docs_link_to_pages_of_the_site() -> None:
    text = "[a](docs/board.md#a-pynq-board) ![b](docs/flow.svg) [c](zoo/README.md) "
    text += "[d](docs/tutorials/digits.ipynb) [e](#x)"
    assert with_site_links(text, "index.md") == (
        "[a](board.md#a-pynq-board) ![b](flow.svg) [c](zoo.md) [d](tutorials/digits.md) [e](#x)"
    )


def test_pages_within_docs_link_to_pages_outside() -> None:
    assert with_site_links("[driver](../fpga/driver/README.md#x)", "board.md") == "[driver](driver.md#x)"
    assert with_site_links("[all](../../README.md) [report](report.ipynb)", "tutorials/digits.md") == (
        "[all](../index.md) [report](report.md)"
    )


def test_files_that_have_no_page_are_named_without_a_link() -> None:
    assert (
        with_site_links("see [boards](fpga/boards/), [law](LICENSE), [docs](docs/)", "index.md")
        == "see boards, law, docs"
    )


def test_links_to_nothing_stay_for_the_strict_build_to_refuse() -> None:
    text = "[gone](docs/gone.md) [host](https://example.org/docs/board.md)"
    assert with_site_links(text, "index.md") == text


def test_code_is_no_link() -> None:
    text = "`[a](docs/board.md)`\n\n    [b](docs/board.md)\n\n```\n[c](docs/board.md)\n```\n\n[d](docs/board.md)\n"
    assert [link.text for link in links(text)] == ["d"]
    assert with_site_links(text, "index.md") == text.replace("[d](docs/board.md)", "[d](board.md)")


def test_headings_are_named_as_code_hosts_name_them() -> None:
    assert anchors("# What's `in` it: A, b\n## [x](y) 2\n\n    # code\n\n### a_b-c\n") == {
        "whats-in-it-a-b",
        "x-2",
        "a_b-c",
    }
