"""What mkdocs calls while it builds the site: pages from outside docs/, tutorials, reference, links between them."""

from __future__ import annotations

from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from website import notebooks, reference
from website.places import OUTSIDE, ROOT, with_site_links


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The reference joins the navigation: which of its pages there are depends on the tree."""
    entries: list[Any] = [{page.title: page.file} for page in reference.pages()]
    config.nav = [
        *(config.nav or []),
        {"Reference": [{"Command line": reference.COMMANDS}, {"Options of a training": reference.OPTIONS}, *entries]},
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The pages that are no Markdown file of docs/."""
    for file, shown in OUTSIDE.items():
        _add(files, config, shown, (ROOT / file).read_text(encoding="utf-8"))
    for page in reference.pages():
        _add(files, config, page.file, page.markdown())
    _add(files, config, reference.COMMANDS, reference.command_line())
    _add(files, config, reference.OPTIONS, reference.options())
    plain = config.extra["tutorials"] == "plain"
    tutorials = {name: notebooks.read(notebooks.notebook_file(name)) for name in notebooks.ORDER}
    for name, notebook in (tutorials if plain else notebooks.executed()).items():
        tutorial = notebooks.page(name, notebook)
        _add(files, config, f"tutorials/{name}.md", tutorial.markdown)
        for picture, content in tutorial.pictures.items():
            _add(files, config, f"tutorials/{picture}", content)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links to files of the repository lead to their pages."""
    return with_site_links(markdown, page.file.src_uri)


def _add(files: Files, config: MkDocsConfig, name: str, content: str | bytes) -> None:
    files.append(File.generated(config, name, content=content))
