"""The site builds without a warning, asks the network for nothing, and its links and search work from the disk."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from sca_train.config import config_fields
from website.notebooks import ORDER
from website.places import ROOT
from website.reference import PAGES, exists

pytest.importorskip("material", reason="mkdocs-material is not installed: pip install 'spikefold[docs]'")
pytest.importorskip("mkdocstrings", reason="mkdocstrings is not installed: pip install 'spikefold[docs]'")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "object": "data", "embed": "src"}
"""What a browser fetches by itself to show a page; of ``link``, unless it only names another page."""


@dataclass
class PageParser(HTMLParser):
    """What a page loads, where it links to, and the names that links may lead to."""

    loaded: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self.names |= {given[key] for key in ("id", "name") if key in given}
        if tag in LOADED and LOADED[tag] in given:
            self.loaded.append(given[LOADED[tag]])
        elif tag == "link" and given.get("rel") not in ("canonical", "next", "prev", "edit"):
            self.loaded.append(given["href"])
        elif tag == "a" and "href" in given:
            self.links.append(given["href"])


def build(site: Path) -> None:
    """The site without outputs of tutorials, as `make docs` builds it otherwise."""
    environment = {**os.environ, "SPIKEFOLD_TUTORIALS": "plain", "NO_MKDOCS_2_WARNING": "1"}
    command = (sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(site))
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stderr, done.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build(folder)
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, PageParser]:
    """Each page of the site, read."""
    found = {}
    for file in site.rglob("*.html"):
        found[file] = PageParser()
        found[file].feed(file.read_text(encoding="utf-8"))
    return found


def local(links: list[str]) -> Iterator[tuple[str, str]]:
    """Path and anchor of those that stay in the site."""
    for link in links:
        parts = urlsplit(link)
        if not parts.scheme and not parts.netloc:
            yield unquote(parts.path), unquote(parts.fragment)


def test_every_page_is_there(site: Path) -> None:
    names = {file.relative_to(site).as_posix() for file in site.rglob("*.html")}
    written = {file.relative_to(ROOT / "docs").as_posix() for file in (ROOT / "docs").rglob("*.md")}
    assert {re.sub(r"\.md$", ".html", name) for name in written} <= names
    assert {"index.html", "zoo.html", "driver.html", "reference/command-line.html"} <= names
    assert {f"tutorials/{name}.html" for name in ORDER} <= names


def test_nothing_is_asked_of_another_host(site: Path, pages: dict[Path, PageParser]) -> None:
    outward = {link for page in pages.values() for link in page.loaded if urlsplit(link).netloc}
    assert outward == set()
    for file in site.rglob("*.css"):
        assert re.findall(r"url\(\s*[\"']?(?:https?:)?//[^)]*", file.read_text(encoding="utf-8")) == [], file
    for file in pages:  # the theme's script would fetch a program that draws diagrams, where there are any
        assert 'class="mermaid"' not in file.read_text(encoding="utf-8"), file


def test_every_link_leads_to_a_page_and_a_place_on_it(site: Path, pages: dict[Path, PageParser]) -> None:
    wrong = []
    for file, page in pages.items():
        for path, anchor in local([*page.links, *page.loaded]):
            target = (file.parent / path).resolve() if path else file
            target = target / "index.html" if target.is_dir() else target
            if file.name == "404.html" and path.startswith("/"):
                continue  # shown by a server, under any address
            if not target.is_file():
                wrong.append(f"{file.relative_to(site)}: {path}")
            elif anchor and target in pages and anchor not in pages[target].names:
                wrong.append(f"{file.relative_to(site)}: {path}#{anchor}")
    assert not wrong, "\n".join(sorted(set(wrong)))


def test_every_module_of_the_reference_exists() -> None:
    assert [module for page in PAGES for module in page.modules if not exists(module)] == []


def test_the_reference_is_complete(site: Path) -> None:
    options = (site / "reference" / "options.html").read_text(encoding="utf-8")
    assert [name for name in config_fields() if f"<code>{name}</code>" not in options] == []
    report = (site / "reference" / "report.html").read_text(encoding="utf-8")
    for name in ("results.OnnxResult", "hardware_results.SynthesisResult", "results.RtlSimulationResult"):
        assert f'id="codegen.{name}"' in report
    assert "What ONNX Runtime made of the test set." in report
    commands = (site / "reference" / "command-line.html").read_text(encoding="utf-8")
    for shown in ("--target-cycles", "--shell-flow", "--rate-epochs", "spikefold classify"):
        assert shown in commands


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")
def test_search_works_on_pages_from_the_disk(site: Path, tmp_path: Path) -> None:
    shown = subprocess.run(
        [
            *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}"),
            *("--virtual-time-budget=20000", "--dump-dom", f"{(site / 'index.html').as_uri()}?q=back-pressure"),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    assert re.search(r"\d+ matching documents", shown)
    assert "<mark>" in shown
