"""The transport of a simulated board: the same code as on hardware, on the registers or the port that it offers."""

from __future__ import annotations

from typing import Any

from ..description import Description
from ..weights import read_weights
from .dma import DmaTransport
from .transport import SLACK_SECONDS, Transport
from .uart import UartTransport


def open_simulation(description: Description, board: Any, *, slack_s: float = SLACK_SECONDS) -> Transport:
    """A transport to ``board``, which has what DmaTransport takes, or ``port`` and ``baud``."""
    if description.shell == "uart":
        return UartTransport(description, board.port, baud=board.baud, slack_s=slack_s)
    return DmaTransport(
        description,
        board.core,
        board.dma,
        board.allocate,
        weights=read_weights(description),
        length_bits=board.length_bits,
        slack_s=slack_s,
        power=board.read_power,
        keep=board,
    )
