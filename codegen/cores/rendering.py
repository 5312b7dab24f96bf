"""Rendering of core instances: Jinja templates, ROM words as hexadecimal text and as 64-bit C++ constants."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray

from hls_templates import HLS_DIR, RTL_DIR

Language = Literal["hls", "rtl"]


@cache
def environment(language: Language) -> Environment:
    """The templates of hls_templates/<language>; a value that a template misses is an error."""
    folder = HLS_DIR if language == "hls" else RTL_DIR
    return Environment(loader=FileSystemLoader(folder), undefined=StrictUndefined, keep_trailing_newline=True)


def render(language: Language, template: str, values: dict[str, object], target: Path) -> Path:
    """Render hls_templates/<language>/<template> to the target file; a missing value is an error."""
    target.write_text(environment(language).get_template(template).render(values), encoding="utf-8")
    return target


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
