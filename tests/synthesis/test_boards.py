"""The board table: known parts, their budgets, and what an unknown name is told."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fpga.boards
from codegen.errors import UnknownBoardError
from codegen.fit import budget, estimated_budget, find_board
from codegen.render.render import target_of
from fpga.boards import BOARDS, BoardError, get_board


def test_parts_are_those_finn_builds_for() -> None:
    from finn.util.basic import pynq_part_map

    known = [board for board in BOARDS if board.finn_name is not None]
    assert {board.family for board in BOARDS if board not in known} == {"ecp5"}
    assert {board.finn_name: board.part for board in known} == {
        board.finn_name: pynq_part_map[board.finn_name] for board in known
    }


def test_zynq_7020_budget_is_the_one_finn_knows() -> None:
    from finn.util.platforms import platforms

    lut, ff, bram18, _uram, dsp = platforms["Pynq-Z1"]().compute_resources[0]
    offered = budget(get_board("Pynq-Z1"))
    assert (offered.lut, offered.ff, offered.bram36, offered.dsp) == (lut, ff, bram18 / 2, dsp)


def test_flip_flops_are_two_per_lut_and_one_in_an_ecp5() -> None:
    assert all(board.ff == (1 if board.family == "ecp5" else 2) * board.lut for board in BOARDS)


def test_luts_of_four_inputs_hold_less_of_an_estimate() -> None:
    for board in BOARDS:
        offered = estimated_budget(board)
        assert (offered.ff, offered.bram36, offered.dsp) == (board.ff, board.bram36, board.dsp)
        assert offered.lut == board.lut if board.family != "ecp5" else board.lut / 3 < offered.lut < board.lut / 2


@pytest.mark.parametrize("name", ["pynq-z2", "PYNQ-Z2", "Pynq-Z2"])
def test_names_ignore_case(name: str) -> None:
    assert get_board(name).name == "Pynq-Z2"


def test_family_follows_the_part() -> None:
    assert {board.name: board.family for board in BOARDS if board.part.startswith("xc7")} == {
        "Pynq-Z1": "xc7",
        "Pynq-Z2": "xc7",
    }
    assert {board.family for board in BOARDS if board.part.startswith(("xczu", "xck"))} == {"xcup"}
    assert {board.name for board in BOARDS if board.family == "ecp5"} == {"ULX3S-85F", "ECPIX-5-85F"}
    assert all(board.part.startswith("LFE5U") for board in BOARDS if board.family == "ecp5")


def test_unknown_board_names_the_known_ones() -> None:
    known = "Pynq-Z1, Pynq-Z2, AUP-ZU3, Ultra96-V2, KV260, ZCU104, ZCU102, ECPIX-5-85F, ULX3S-85F"
    sentence = f"^board 'Basys' is not known; the known boards are {known}$"
    with pytest.raises(BoardError, match=sentence):
        get_board("Basys")
    with pytest.raises(UnknownBoardError, match=sentence):
        find_board("Basys")


def test_names_are_unique_and_boards_in_order_of_size() -> None:
    assert len({board.name.lower() for board in BOARDS}) == len(BOARDS)
    for family in (("xc7", "xcup"), ("ecp5",)):
        sizes = [board.lut for board in BOARDS if board.family in family]
        assert sizes == sorted(sizes)


NEW_FAMILY = """
from dataclasses import replace

from fpga.boards.pynq import BOARDS as PYNQ

BOARDS = (replace(PYNQ[0], name="Arty-Z7", finn_name="Arty-Z7", lut=60_000),)
"""


def test_a_board_is_one_file_of_a_package_that_imports_nothing_of_the_project(tmp_path: Path) -> None:
    """The package alone, with one more file in it, and without the project on the path."""
    source = Path(fpga.boards.__file__).parent
    shutil.copytree(source, tmp_path / "fpga" / "boards", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "fpga" / "boards" / "arty.py").write_text(NEW_FAMILY)
    program = "from fpga.boards import BOARDS, get_board; print(get_board('arty-z7').lut, *(b.name for b in BOARDS))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names = [
        "Pynq-Z1",
        "Pynq-Z2",
        "Arty-Z7",
        "AUP-ZU3",
        "Ultra96-V2",
        "KV260",
        "ZCU104",
        "ZCU102",
        "ECPIX-5-85F",
        "ULX3S-85F",
    ]
    assert done.stdout.split() == ["60000", *names]


def test_vitis_hls_is_given_a_part_that_it_knows() -> None:
    assert target_of("KV260").part == get_board("KV260").part
    assert target_of("ULX3S-85F") == target_of("none") == target_of("Pynq-Z2")


def test_boards_say_their_speed_grade() -> None:
    grades = {board.name: board.speed_grade for board in BOARDS}
    assert grades["Pynq-Z2"] == "1" and grades["ZCU104"] == "2" and grades["KV260"] == "2LV"
    assert grades["ULX3S-85F"] == "6" and all(grades.values())
