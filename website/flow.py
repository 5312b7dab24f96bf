"""docs/flow.svg: the stages as boxes, what travels between them as arrows. `python -m website flow` draws it again."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

from sca_train.files import write_text
from website.places import ROOT

FILE = ROOT / "docs" / "flow.svg"
WIDTH, HEIGHT = 950, 330
TRAINING, MADE, CHECKED, REPORTED, BOARD = "#2f6f4f", "#2b5a8c", "#7a4b1f", "#5b3a7a", "#666666"
TEXT, LINE = "#444", "#666"


@dataclass(frozen=True)
class Box:
    """A stage: corner and size in pixels, name, what it does in some words, colour of its kind."""

    x: int
    y: int
    name: str
    what: str
    colour: str
    width: int = 150
    height: int = 64

    def svg(self) -> list[str]:
        middle, name_y = self.x + self.width // 2, self.y + self.height // 2 - 4
        return [
            f'<rect x="{self.x}" y="{self.y}" width="{self.width}" height="{self.height}" rx="8" '
            f'fill="{self.colour}14" stroke="{self.colour}" stroke-width="1.5"/>',
            f'<text x="{middle}" y="{name_y}" text-anchor="middle" font-size="15" font-weight="600" '
            f'fill="{self.colour}">{escape(self.name)}</text>',
            f'<text x="{middle}" y="{name_y + 19}" text-anchor="middle" font-size="11.5" '
            f'fill="{TEXT}">{escape(self.what)}</text>',
        ]


@dataclass(frozen=True)
class Arrow:
    """From one point to another, with a word at a place of its own."""

    start: tuple[int, int]
    end: tuple[int, int]
    word: str = ""
    at: tuple[int, int] = (0, 0)

    def svg(self) -> list[str]:
        (x1, y1), (x2, y2) = self.start, self.end
        ends = f'x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"'
        line = f'<line {ends} stroke="{LINE}" stroke-width="1.4" marker-end="url(#head)"/>'
        return [line, label(self.word, *self.at)] if self.word else [line]


def label(word: str, x: int, y: int) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="middle" font-size="11" fill="{LINE}">{escape(word)}</text>'


BOXES = (
    Box(20, 30, "sca_train", "QAT + activity pruning", TRAINING),
    Box(210, 30, "export", "BN fold, exact widths", MADE),
    Box(400, 30, "FINN graph", "SpikingMVAU, SpikePool", MADE),
    Box(590, 30, "folding + render", "SIMD, PE, TP", MADE),
    Box(780, 30, "bitstream", "ECP5 or Zynq", BOARD),
    Box(210, 150, "ONNX Runtime", "golden reference", CHECKED),
    Box(400, 150, "csim", "HLS C++, g++", CHECKED),
    Box(590, 150, "rtlsim", "SystemVerilog, Verilator", CHECKED),
    Box(780, 150, "synth", "Yosys, per core", CHECKED),
    Box(
        400, 262, "report.json  report.html", "accuracy ladder, mismatches, cycles, LUT/FF/BRAM/DSP", REPORTED, 530, 48
    ),
)
ARROWS = (
    Arrow((170, 62), (208, 62)),
    Arrow((360, 62), (398, 62), "model.onnx", (380, 22)),
    Arrow((550, 62), (588, 62), "graph.onnx", (570, 22)),
    Arrow((740, 62), (778, 62), "hls/ rtl/", (760, 22)),
    Arrow((285, 94), (285, 148)),
    Arrow((640, 94), (500, 148)),
    Arrow((665, 94), (665, 148)),
    Arrow((700, 94), (840, 148)),
    Arrow((360, 182), (398, 182), "equal", (379, 175)),
    Arrow((550, 182), (588, 182), "equal", (569, 175)),
    Arrow((475, 214), (475, 260)),
    Arrow((665, 214), (665, 260)),
    Arrow((855, 214), (855, 260)),
)


def drawing() -> str:
    """The picture as SVG, the same each time."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="Helvetica,Arial,sans-serif">',
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="{LINE}"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        *(line for box in BOXES for line in box.svg()),
        *(line for arrow in ARROWS for line in arrow.svg()),
        label("compact network", 95, 118),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def draw(file: Path = FILE) -> None:
    """Write the picture."""
    write_text(file, drawing())
    print(f"{file} is drawn")
