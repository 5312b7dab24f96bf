"""Rendering of core instances: Jinja templates, ROM words as hexadecimal text and as 64-bit C++ constants."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

Language = Literal["hls", "rtl"]


@cache
def environment(language: Language) -> Environment:
    """The templates of hls_templates/<language>; a value that a template misses is an error."""
    return Environment(
        loader=PackageLoader("hls_templates", language), undefined=StrictUndefined, keep_trailing_newline=True
    )


def render(language: Language, template: str, values: dict[str, object], target: Path) -> Path:
    """Render hls_templates/<language>/<template> to the target file; a missing value is an error."""
    target.write_text(environment(language).get_template(template).render(values))
    return target


def padded_bits(bits: int) -> int:
    """Width of an AXI stream's TDATA that carries words of ``bits``: whole bytes."""
    return -(-bits // 8) * 8


def pack_lanes(lanes: NDArray[np.int64], bits: int, word_bytes: int) -> NDArray[np.uint8]:
    """Pack rows of ``bits``-bit lanes, [rows, lanes] two's complement, lane 0 in the low bits.

    Returns [rows, word_bytes] uint8, little endian, zero above the last lane.
    """
    rows, count = lanes.shape
    steps = np.arange(bits, dtype=np.int64)
    packed = np.zeros((rows, word_bytes), dtype=np.uint8)
    # In pieces, so that millions of weights do not become hundreds of megabytes of bits at once.
    piece = max(1, (1 << 22) // max(1, count * bits))
    for start in range(0, rows, piece):
        part = lanes[start : start + piece]
        flags = ((part[:, :, None] >> steps) & 1).astype(np.uint8).reshape(len(part), count * bits)
        filled = np.packbits(flags, axis=1, bitorder="little")
        packed[start : start + piece, : filled.shape[1]] = filled
    return packed


def hex_lines(words: NDArray[np.uint8], bits: int) -> str:
    """Text for $readmemh: one word of ``bits`` bits per line, from little-endian bytes [rows, bytes]."""
    digits = -(-bits // 4)
    width = 2 * words.shape[1]
    text = np.ascontiguousarray(words[:, ::-1]).tobytes().hex()
    return "".join(f"{text[i + width - digits : i + width]}\n" for i in range(0, len(text), width))


def uint64_rows(words: NDArray[np.uint8]) -> str:
    """C++ initializer rows of 64-bit words, from little-endian bytes [rows, 8 * words]."""
    values = np.ascontiguousarray(words).view("<u8")
    return ",\n".join("{" + ",".join(f"0x{value:x}u" for value in row) + "}" for row in values.tolist())
