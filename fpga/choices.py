"""The names that options of a build take; imports nothing, so that a parser is made without the builds."""

from __future__ import annotations

from typing import Literal, get_args

ShellFlow = Literal["dma", "finn"]
Implementation = Literal["rtl", "hls"]
ZYNQ_SHELLS: tuple[ShellFlow, ...] = get_args(ShellFlow)
IMPLEMENTATIONS: tuple[Implementation, ...] = get_args(Implementation)
DEFAULT_BOARD = "Pynq-Z2"
UART_SHELL: Literal["uart"] = "uart"
"""The shell of ECP5 boards."""
