"""A command-line flag for each option of the training configuration."""

from __future__ import annotations

import argparse
from typing import Any

from sca_train.config import config_fields


def add_options(parser: argparse.ArgumentParser) -> None:
    """One command-line flag per option; those not given stay absent from the result."""
    group = parser.add_argument_group("options (they override the preset)")
    for key, entry in config_fields().items():
        default = entry.default
        text = f"{entry.metadata['help']} [{_shown(default)}]".replace("%", "%%")
        flag = f"--{key.replace('_', '-')}"
        if isinstance(default, bool):
            group.add_argument(
                flag, dest=key, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=text
            )
        else:
            kind = _widths if isinstance(default, tuple) else type(default)
            group.add_argument(flag, dest=key, type=kind, default=argparse.SUPPRESS, metavar=key.upper(), help=text)


def _shown(default: Any) -> str:
    if isinstance(default, tuple):
        return ",".join(str(item) for item in default)
    return str(default) if default != "" else "none"


def _widths(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} lists no whole numbers such as 64,64") from None
