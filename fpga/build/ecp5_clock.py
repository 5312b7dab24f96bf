"""``python -m fpga.build.ecp5_clock BOARD``: the step between routing and packing, run in the folder of the build.

Reads nextpnr's report and routed configuration, sets the PLL to the fastest clock that its timing analysis allows, and
says which cores limit it.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fpga.boards import BoardError, get_board
from fpga.boards.ecp5 import Ecp5Board
from fpga.build.ecp5_pll import PllSettings, fastest_settings, set_dividers
from fpga.errors import BuildError
from sca_train.command_line import Parser, guarded
from sca_train.files import write_text

REPORT = "report.json"
ROUTED = "routed.config"
CLOCKED = "clocked.config"
CLOCK = "clock.json"
CLOCK_MARGIN = 0.98
"""Of the frequency that nextpnr's analysis allows; it knows no jitter of the PLL."""
_CORE = re.compile(r"\bi_(\w+_(?:rtl|hls)_\d+)\b")
_SHELL = "shell"


@dataclass(frozen=True)
class CorePath:
    """The latest arrival of a signal at a register of a core (``shell``: outside all cores), without its setup time."""

    core: str
    delay_ns: float


@dataclass(frozen=True)
class ClockChoice:
    """What routing gave: the frequency that the analysis allows, the PLL's settings, the critical path by core and kind
    of delay, the slowest path into each core (the slowest core first), and the cells used by their kind."""

    fmax_mhz: float
    pll: PllSettings
    critical_from: str
    critical_to: str
    critical_logic_ns: float
    critical_routing_ns: float
    cores: tuple[CorePath, ...]
    used: dict[str, int]


def choose_clock(report: dict[str, Any], board: Ecp5Board) -> ClockChoice:
    """What nextpnr's report (with ``--detailed-timing-report``) says of a routed design with one clock.

    Raises BuildError where the report is of another form.
    """
    try:
        (clock, frequency), *others = sorted(report["fmax"].items(), key=lambda item: float(item[1]["achieved"]))
        if others:
            raise BuildError(f"the design has {1 + len(others)} clocks, {clock} and others, not one")
        fmax = float(frequency["achieved"])
        path = next(
            found["path"] for found in report["critical_paths"] if clock in found["from"] and clock in found["to"]
        )
        delays = {"routing": 0.0, "logic": 0.0}
        for part in path:
            delays["routing" if part["type"] == "routing" else "logic"] += float(part["delay"])
        used = {kind: int(count["used"]) for kind, count in report["utilization"].items() if count["used"]}
        ends = _slowest_ends(report.get("detailed_net_timings", ()))
        first, last = core_of(path[0]["from"]["cell"]), core_of(path[-1]["to"]["cell"])
    except (KeyError, IndexError, TypeError, ValueError, StopIteration) as error:
        raise BuildError(f"nextpnr's {REPORT} has another form than that of nextpnr 0.11: {error!r}") from error
    return ClockChoice(
        fmax_mhz=round(fmax, 2),
        pll=fastest_settings(board.oscillator_mhz, CLOCK_MARGIN * fmax),
        critical_from=first,
        critical_to=last,
        critical_logic_ns=round(delays["logic"], 2),
        critical_routing_ns=round(delays["routing"], 2),
        cores=ends,
        used=used,
    )


def core_of(cell: str) -> str:
    """The core that a cell of the flat netlist belongs to, by its name, or ``shell``."""
    found = _CORE.search(cell)
    return found.group(1) if found else _SHELL


def _slowest_ends(nets: Any) -> tuple[CorePath, ...]:
    """Per core, the latest arrival at one of its cells; nextpnr gives the earliest and the latest of each."""
    slowest: dict[str, float] = {}
    for net in nets:
        for end in net["endpoints"]:
            core, delay = core_of(end["cell"]), float(max(end["delay"]))
            slowest[core] = max(slowest.get(core, 0.0), delay)
    ranked = sorted(slowest.items(), key=lambda item: -item[1])
    return tuple(CorePath(core, round(delay, 2)) for core, delay in ranked)


def main(arguments: list[str] | None = None) -> int:
    """Choose the clock of the build in this folder; prints the sentence of an error and returns 2."""
    parser = Parser(prog="python -m fpga.build.ecp5_clock", description=__doc__)
    parser.add_argument("board")
    options = parser.parse_args(arguments)

    def command() -> int:
        board = get_board(options.board)
        if not isinstance(board, Ecp5Board):
            raise BuildError(f"{board.name} has no ECP5")
        choice = choose_clock(json.loads(Path(REPORT).read_text(encoding="utf-8")), board)
        configuration = Path(ROUTED).read_text(encoding="utf-8")
        write_text(Path(CLOCKED), set_dividers(configuration, choice.pll))
        write_text(Path(CLOCK), json.dumps(asdict(choice), indent=1) + "\n")
        print(f"routed at {choice.fmax_mhz:.1f} MHz; the clock is {choice.pll.clock_mhz:.3f} MHz")
        for path in choice.cores:
            print(f"  {path.core:32} {path.delay_ns:6.2f} ns")
        return 0

    return guarded(command, (BoardError, BuildError))


if __name__ == "__main__":
    sys.exit(main())
