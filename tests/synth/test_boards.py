"""The board table: known parts, their budgets, and what an unknown name is told."""

import pytest

from codegen.errors import UnknownBoardError
from codegen.fit import budget, find_board
from fpga.boards import BOARDS, get_board
from fpga.errors import BoardError


def test_parts_are_those_finn_builds_for() -> None:
    from finn.util.basic import pynq_part_map

    assert {board.finn_name: board.part for board in BOARDS} == {
        board.finn_name: pynq_part_map[board.finn_name] for board in BOARDS
    }


def test_zynq_7020_budget_is_the_one_finn_knows() -> None:
    from finn.util.platforms import platforms

    lut, ff, bram18, _uram, dsp = platforms["Pynq-Z1"]().compute_resources[0]
    offered = budget(get_board("Pynq-Z1"))
    assert (offered.lut, offered.ff, offered.bram36, offered.dsp) == (lut, ff, bram18 / 2, dsp)


def test_flip_flops_are_two_per_lut() -> None:
    assert all(board.ff == 2 * board.lut for board in BOARDS)


@pytest.mark.parametrize("name", ["pynq-z2", "PYNQ-Z2", "Pynq-Z2"])
def test_names_ignore_case(name: str) -> None:
    assert get_board(name).name == "Pynq-Z2"


def test_family_follows_the_part() -> None:
    assert {board.name: board.family for board in BOARDS if board.part.startswith("xc7")} == {
        "Pynq-Z1": "xc7",
        "Pynq-Z2": "xc7",
    }
    assert {board.family for board in BOARDS if not board.part.startswith("xc7")} == {"xcup"}


def test_unknown_board_names_the_known_ones() -> None:
    sentence = r"^board 'Basys' is not known; the known boards are Pynq-Z1, Pynq-Z2, Ultra96-V2, KV260, ZCU104$"
    with pytest.raises(BoardError, match=sentence):
        get_board("Basys")
    with pytest.raises(UnknownBoardError, match=sentence):
        find_board("Basys")
