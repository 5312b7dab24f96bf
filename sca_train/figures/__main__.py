"""Command line: ``python -m sca_train.figures runs/mini-sweep --out runs/mini-figures``."""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import jinja2

from sca_train.cli import FIGURES, add_figures
from sca_train.command_line import Parser, guarded
from sca_train.errors import TrainError
from sca_train.figures.catalogue import DrawnFigure, LeftOut, figures_of
from sca_train.figures.runs import Setting, find_runs, settings_of
from sca_train.figures.table import HEADINGS, NOTE, Row, markdown, rows_of
from sca_train.files import write_text, write_whole

TEMPLATE = Path(__file__).parent / "page.html.j2"
TABLE_FILE = "table.md"
PAGE_FILE = "report.html"


def parser() -> Parser:
    """The parser."""
    made = Parser(prog="python -m sca_train.figures", description=FIGURES)
    add_figures(made)
    return made


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit code is 0, or 2 for a wrong request."""
    given = parser().parse_args(arguments)
    return run_figures(given.folders, given.out)


def run_figures(folders: list[Path], out: Path) -> int:
    """Draw the figures of the folders; the exit code, as ``main``."""
    return guarded(lambda: draw(folders, out), (TrainError,))


def draw(folders: list[Path], out: Path) -> int:
    """Find the finished runs of the folders and write their figures; the exit code."""
    runs, unfinished = find_runs(folders)
    write_figures(settings_of(runs), [trial.name for trial in unfinished], out)
    return 0


def write_figures(settings: list[Setting], unfinished: list[str], out: Path) -> None:
    """Write every figure that the runs allow, the table and the page; print what was written and what left out."""
    chapters = [(setting.title, figures_of(setting)) for setting in settings]
    rows = rows_of(settings)
    page = render_page(chapters, rows, unfinished, sum(len(setting.runs) for setting in settings))
    out.mkdir(parents=True, exist_ok=True)
    for name in unfinished:
        print(f"left out {name}: its training is not finished")
    for title, figures in chapters:
        for figure in figures:
            if isinstance(figure, LeftOut):
                print(f"left out {figure.title} ({title}): {figure.reason}")
            else:
                png = figure.png
                write_whole(out / figure.file, lambda aside, png=png: aside.write_bytes(png))  # type: ignore[misc]
                print(out / figure.file)
    for name, text in ((TABLE_FILE, markdown(rows)), (PAGE_FILE, page)):
        write_text(out / name, text)
        print(out / name)


def render_page(
    chapters: list[tuple[str, list[DrawnFigure | LeftOut]]], rows: list[Row], unfinished: list[str], count: int
) -> str:
    """One HTML page that needs nothing else: the images are inside."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters["base64"] = lambda content: base64.b64encode(content).decode()
    return environment.from_string(TEMPLATE.read_text()).render(
        headings=HEADINGS,
        note=NOTE,
        rows=rows,
        count=count,
        unfinished=unfinished,
        chapters=[
            (
                title,
                [figure for figure in figures if isinstance(figure, DrawnFigure)],
                [figure for figure in figures if isinstance(figure, LeftOut)],
            )
            for title, figures in chapters
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
