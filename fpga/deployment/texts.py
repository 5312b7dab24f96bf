"""The texts of a package: how to use it, what its parts are licensed under, and what a missing bitstream means."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fpga.boards import Board
from fpga.deployment.description import DeployedNetwork, folder_name

TEMPLATES = Path(__file__).parent / "templates"
_HEADER = re.compile(r"\A\s*(/\*.*?\*/|(?://[^\n]*\n)+)", re.DOTALL)


def readme(network: DeployedNetwork, board: Board, run_option: str, kind: str) -> str:
    """README.md; ``kind`` says what the golden images are."""
    return _render(
        f"README-{network.shell}.md.j2",
        network=network,
        folder=folder_name(network.name),
        board=board,
        run_option=run_option,
        kind=kind,
    )


def no_bitstream(network: DeployedNetwork, run_option: str) -> str:
    """What lies in the place of a bitstream that was not built."""
    return _render("no-bitstream.txt.j2", network=network, run_option=run_option)


def licences(network: DeployedNetwork, rtl: Path) -> str:
    """LICENSES.md, with the notices of FINN's sources that are part of the bitstream, which their licences ask for."""
    notices: dict[str, list[str]] = {}
    for file in sorted((rtl / "finn").glob("*")):
        header = _HEADER.match(file.read_text(errors="replace"))
        if header:
            notices.setdefault(_plain(header[1]), []).append(file.name)
    return _render("LICENSES.md.j2", network=network, notices=notices)


def _plain(comment: str) -> str:
    """The words of a comment, without what marks it and without what follows the licence."""
    lines = [re.sub(r"^\s*(/\*+|\*+/|\*|//)?\s?|\*+/\s*$", "", line).rstrip() for line in comment.splitlines()]
    lines = [line for line in lines if not re.fullmatch(r"[*/ ]*", line) or not line]
    end = next((index for index, line in enumerate(lines) if line.lstrip().startswith(("@", "\\"))), len(lines))
    return "\n".join(lines[:end]).strip()


def _render(template: str, **values: object) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True
    )
    return environment.get_template(template).render(**values)
