"""Links and commands of Markdown, as a code host shows it: which there are, and where they lead."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_CODE_OR_LINK = re.compile(
    r"(?P<ticks>`+)(?P<code>(?:[^\n]|\n(?!\s*\n))+?)(?P=ticks)|!?\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)"
)
"""Code within a paragraph, or a link; either may go on in the next line."""
_FENCE = re.compile(r"\s{0,3}(```|~~~)")
_INDENTED = re.compile(r" {4,}|\t")


@dataclass(frozen=True)
class Link:
    """A link or picture: ``whole`` as it is written, its text and its target."""

    whole: str
    text: str
    target: str

    @property
    def is_picture(self) -> bool:
        return self.whole.startswith("!")

    @property
    def is_outward(self) -> bool:
        """Whether it leads to another host, or to a mail address."""
        return re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:|//", self.target) is not None


def passages(text: str) -> Iterator[tuple[str, bool]]:
    """The page in passages of whole lines, and whether each is prose; the others are blocks of code."""
    passage, was_prose, fenced = "", True, False
    for line in text.splitlines(keepends=True):
        is_fence = _FENCE.match(line) is not None
        is_prose = not (fenced or is_fence or _INDENTED.match(line))
        if is_prose != was_prose:
            yield passage, was_prose
            passage, was_prose = "", is_prose
        passage += line
        fenced ^= is_fence
    yield passage, was_prose


def replace_links(text: str, replacement: Callable[[Link], str]) -> str:
    """The page with each link outside of code replaced."""

    def replaced(match: re.Match[str]) -> str:
        if match["target"] is None:
            return match[0]
        return replacement(Link(match[0], match["text"], match["target"]))

    return "".join(_CODE_OR_LINK.sub(replaced, part) if is_prose else part for part, is_prose in passages(text))


def links(text: str) -> list[Link]:
    """All links and pictures of a page outside of code."""
    found: list[Link] = []

    def noted(link: Link) -> str:
        found.append(link)
        return link.whole

    replace_links(text, noted)
    return found


def anchors(text: str) -> set[str]:
    """The names of a page's headings, as code hosts and the site make them: lower case, hyphens for spaces."""
    names: set[str] = set()
    for line in "".join(part for part, is_prose in passages(text) if is_prose).splitlines():
        heading = re.match(r"#{1,6}\s+(.*?)\s*#*\s*$", line)
        if heading:
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1])
            names.add(re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-"))
    return names


def commands(text: str) -> list[list[str]]:
    """What a reader may type, word by word: blocks of code, and code within paragraphs, without comments.

    A command goes on in the next line behind a backslash or within quotes. What is no command is among them too.
    """
    found: list[list[str]] = []
    for part, is_prose in passages(text.replace("\\\n", " ")):
        if is_prose:
            found += [words(match["code"]) or [] for match in _CODE_OR_LINK.finditer(part) if match["code"]]
            continue
        waiting = ""
        for line in part.splitlines():
            waiting += f" {line.strip().removeprefix('$ ')}"
            if (command := words(waiting)) is not None:
                found.append(command)
                waiting = ""
    return [command for command in found if command]


def words(command: str) -> list[str] | None:
    """The words of a command as a shell has them; None where a quote is still open."""
    try:
        return shlex.split(command, comments=True)
    except ValueError:
        return None
