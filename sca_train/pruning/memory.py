"""How many bits of weights a board's memory takes."""

from __future__ import annotations

from fpga.boards import BoardError, get_board
from sca_train.errors import TrainError

BRAM36_BITS = 36 * 1024
URAM_BITS = 288 * 1024
USABLE_MEMORY_SHARE = 0.75
"""Share of a board's RAM blocks that weights may take. The rest goes to what a design always loses: weights that do not
divide into words of 18 or 36 bits or fill a block to the last word, line buffers, and FIFOs between the layers."""


def board_memory_bits(name: str) -> int:
    """Bits of weights that the RAM blocks of a board take; TrainError for a board that is not known."""
    try:
        board = get_board(name)
    except BoardError as error:
        raise TrainError(str(error)) from None
    return int((board.bram36 * BRAM36_BITS + board.uram * URAM_BITS) * USABLE_MEMORY_SHARE)
