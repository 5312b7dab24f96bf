"""Does a network fit a board, and if not: what would. Shared by folding and synthesis, so both say the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from codegen.errors import UnknownBoardError
from fpga.boards import BOARDS, Board, BoardError, get_board

NO_BOARD = "none"
"""What is said instead of a board's name where there is none."""
WEIGHT_BITS = (8, 4, 2)
RATIO_STEPS = 20
# An adder tree halves its adders from level to level while they grow by a bit: w + 2 bits wide on average.
ADDER_TREE_GROWTH_BITS = 2


@dataclass(frozen=True)
class Resources:
    """What a design uses: LUTs (logic and memory) of a part, six-input ones in estimates; flip-flops, 36 Kb block RAMs
    (18 Kb: a half), DSP slices."""

    lut: int
    ff: int
    bram36: float
    dsp: int

    def __add__(self, other: Resources) -> Resources:
        return Resources(self.lut + other.lut, self.ff + other.ff, self.bram36 + other.bram36, self.dsp + other.dsp)


NO_RESOURCES = Resources(lut=0, ff=0, bram36=0, dsp=0)


def total(parts: Iterable[Resources]) -> Resources:
    """Sum of the parts."""
    return sum(parts, NO_RESOURCES)


def budget(board: Board) -> Resources:
    """Everything the board's part offers (nothing is set aside for the processor interface)."""
    return Resources(lut=board.lut, ff=board.ff, bram36=board.bram36, dsp=board.dsp)


def estimated_budget(board: Board) -> Resources:
    """The same in the six-input LUTs of estimates."""
    return replace(budget(board), lut=int(board.lut / board.luts_per_lut6))


def find_board(name: str) -> Board:
    """The board of that name; raises UnknownBoardError listing the known ones."""
    try:
        return get_board(name)
    except BoardError as error:
        raise UnknownBoardError(str(error)) from error


def overruns(needed: Resources, board: Board) -> list[str]:
    """One phrase for each resource that the board has too little of; empty when the design fits."""
    offered = budget(board)
    rows = (
        ("LUT", needed.lut, offered.lut),
        ("FF", needed.ff, offered.ff),
        ("BRAM36", needed.bram36, offered.bram36),
        ("DSP", needed.dsp, offered.dsp),
    )
    return [
        f"{_number(want)} of {_number(have)} {name} ({_number(want - have)} too many)"
        for name, want, have in rows
        if want > have
    ]


def fits(needed: Resources, board: Board) -> bool:
    """Whether the board has enough of every resource."""
    return not overruns(needed, board)


def scaled(needed: Resources, ratio: float, weight_bits: int, new_ratio: float, new_weight_bits: int) -> Resources:
    """Estimate of the same network at another pruning ratio and weight width, at the same cycles per frame.

    Each layer keeps (1 - ratio) of its inputs and of its outputs, so weights and multiply lanes go with (1 - ratio)^2.
    Weight memory goes with the weight bits; adder trees with their mean width, weight bits + 2.
    """
    lanes = ((1 - new_ratio) / (1 - ratio)) ** 2
    adders = lanes * (new_weight_bits + ADDER_TREE_GROWTH_BITS) / (weight_bits + ADDER_TREE_GROWTH_BITS)
    return Resources(
        lut=round(needed.lut * adders),
        ff=round(needed.ff * adders),
        bram36=needed.bram36 * lanes * new_weight_bits / weight_bits,
        dsp=round(needed.dsp * lanes),
    )


def alike(board: Board) -> list[Board]:
    """All boards whose LUTs count as those of this one, smallest first."""
    return [candidate for candidate in BOARDS if candidate.luts_per_lut6 == board.luts_per_lut6]


def advise(
    needed: Resources,
    board: Board,
    ratio: float,
    weight_bits: int,
    cycles: int | None = None,
    larger: Sequence[str] | None = None,
    outside: bool = False,
) -> str:
    """One sentence: by how much the network misses the board, and which RATIO, WBITS, CYCLES or BOARD would fit.

    RATIO and WBITS are estimates scaled from the figures of this network, each changed alone.

    ``ratio`` in [0, 1) and ``weight_bits`` are those of the network that needs ``needed``; it must not fit.
    ``cycles``: the fewest cycles per frame over which it fits; 0 where it fits over no number, None where that is not
    known. ``larger``: boards that it fits; None for those that hold ``needed``. ``outside``: whether it fits with
    weights outside the chip.
    """
    misses = overruns(needed, board)
    if not misses:
        raise ValueError(f"the network fits {board.name}")
    options = []
    ratios = (step / RATIO_STEPS for step in range(RATIO_STEPS) if step / RATIO_STEPS > ratio)
    for candidate in ratios:
        if fits(scaled(needed, ratio, weight_bits, candidate, weight_bits), board):
            options.append(f"RATIO={candidate:g}")
            break
    for bits in WEIGHT_BITS:
        if bits < weight_bits and fits(scaled(needed, ratio, weight_bits, ratio, bits), board):
            options.append(f"WBITS={bits}")
            break
    if cycles:
        options.append(f"CYCLES={cycles}")
    if outside:
        options.append("WEIGHTS=auto")
    names = [candidate.name for candidate in alike(board) if fits(needed, candidate)] if larger is None else larger
    if names:
        options.append(f"BOARD={' or '.join(names)}")
    missing = f"the network does not fit {board.name}: it needs {' and '.join(misses)}"
    if not options:
        last_way = ", so fold it over more cycles per frame" if cycles is None else ", nor would more cycles per frame"
        return f"{missing}; no RATIO, WBITS or BOARD alone would fit{last_way}"
    also = " (as would more cycles per frame)" if cycles is None else ""
    return f"{missing}; scaled from these figures, {', or '.join(options)} would fit{also}"


def _number(value: float) -> str:
    """A count with thousands separators; block RAMs may end in a half."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
