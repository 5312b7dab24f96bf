"""The boards that the project knows, one file a family; imports nothing of the project.

A new board is an entry in ``BOARDS`` of its family's file, a new family one more file here.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from fpga.boards.board import Board, BoardError, Family

__all__ = ["BOARDS", "Board", "BoardError", "Family", "get_board"]

_NO_FAMILY = ("board",)


def _families() -> Iterator[tuple[Board, ...]]:
    for file in iter_modules(__path__):
        if file.name not in _NO_FAMILY:
            yield import_module(f"{__name__}.{file.name}").BOARDS


BOARDS: tuple[Board, ...] = tuple(
    sorted(
        (board for family in _families() for board in family),
        key=lambda board: (board.luts_per_lut6, board.lut, board.name),
    )
)
"""All boards, in the order in which advice names them: of boards with the same kind of LUT the smallest first."""


def get_board(name: str) -> Board:
    """The board of that name, upper or lower case.

    Raises BoardError listing the known names.
    """
    for board in BOARDS:
        if board.name.lower() == name.lower():
            return board
    raise BoardError(f"board {name!r} is not known; the known boards are {', '.join(b.name for b in BOARDS)}")
